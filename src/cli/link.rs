//! A connection that can be had again: a job outlives its connection, so whoever follows one only needs a new one.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::{Client, ClientError};
use super::daemon::{self, ReachError};

/// How often and how long a lost daemon is looked for: one that is restarted is back within seconds, and the one that
/// takes its place may drain for 25 s before.
const AGAIN_EVERY: Duration = Duration::from_millis(500);
const ATTEMPTS_MAX: u32 = 90;

/// A connection and where to find another.
pub struct Link {
    pub client: Client,
    /// Absent where the daemon ends with us.
    data_dir: Option<PathBuf>,
}

impl Link {
    /// To a daemon that may be restarted.
    pub async fn to_running(data_dir: PathBuf) -> Result<Self, ReachError> {
        let client = daemon::reach(&data_dir).await?;
        Ok(Self { client, data_dir: Some(data_dir) })
    }

    /// To a daemon of our own: when it is gone, so is everything.
    pub const fn to_own(client: Client) -> Self {
        Self { client, data_dir: None }
    }

    /// Calls a tool that may be called again, over a new connection when this one is lost. `lost` is told once.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        tool: &str,
        arguments: &impl Serialize,
        lost: &mut (dyn FnMut(&ClientError) + Send),
    ) -> Result<T, ClientError> {
        match self.client.call_patiently(tool, arguments).await {
            Err(error @ ClientError::Lost { .. }) if self.data_dir.is_some() => {
                lost(&error);
                self.restore(error).await?;
                self.client.call_patiently(tool, arguments).await
            }
            other => other,
        }
    }

    /// Looks for the daemon again and again; gives up with the error that started it.
    async fn restore(&mut self, error: ClientError) -> Result<(), ClientError> {
        let Some(data_dir) = &self.data_dir else {
            return Err(error);
        };
        for _ in 0..ATTEMPTS_MAX {
            match daemon::reach(data_dir).await {
                Ok(client) => {
                    self.client = client;
                    return Ok(());
                }
                Err(reason) => tracing::debug!(%reason, "not back yet"),
            }
            tokio::time::sleep(AGAIN_EVERY).await;
        }
        Err(error)
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
