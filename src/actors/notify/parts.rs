//! The parts without which the daemon is no use, each asked something quick: a process that runs is not yet one that
//! works.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::actors::jobs::{Census, JobsMessage};
use crate::actors::mailbox::Slot;
use crate::actors::store::Store;
use crate::actors::supervise::Supervisor;
use crate::store::StoreError;

/// Pause before a part that is busy or being restarted is asked again.
const RETRY: Duration = Duration::from_millis(100);

/// The doors to be knocked at.
#[derive(Clone)]
pub struct Parts {
    pub root: Arc<OnceLock<Supervisor>>,
    pub store: Store,
    pub jobs: Slot<JobsMessage>,
}

/// A part that gave no answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part} gave no answer within {} ms", within.as_millis())]
pub struct Silent {
    pub part: &'static str,
    pub within: Duration,
}

impl Parts {
    /// Asks all of them at once: what there is to do, or the first that stayed silent.
    pub async fn answer(&self, within: Duration) -> Result<Census, Silent> {
        let ((), (), census) = tokio::try_join!(
            heard("the root supervisor", within, self.root_answers()),
            heard("the store", within, self.store_answers()),
            heard("the jobs manager", within, self.jobs_answer(within)),
        )?;
        Ok(census)
    }

    async fn root_answers(&self) {
        while !matches!(self.root.get(), Some(root) if root.answers().await) {
            sleep(RETRY).await;
        }
    }

    /// An error is an answer, unless it is the client's own word for silence: a full disk is no reason to be restarted.
    async fn store_answers(&self) {
        while let Err(StoreError::Busy | StoreError::Down | StoreError::NoAnswer { .. }) =
            self.store.probe().await
        {
            sleep(RETRY).await;
        }
    }

    async fn jobs_answer(&self, within: Duration) -> Census {
        loop {
            if let Some(jobs) = self.jobs.get()
                && let Ok(census) = jobs.call(|reply| JobsMessage::Count { reply }, within).await
            {
                return census;
            }
            sleep(RETRY).await;
        }
    }
}

async fn heard<T>(
    part: &'static str,
    within: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, Silent> {
    timeout(within, answer).await.map_err(|_elapsed| Silent { part, within })
}
