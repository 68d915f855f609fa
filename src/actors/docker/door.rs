//! What others hold: the door to the engine, and whether there is one.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::engine::Engine;
use super::error::Unavailable;
use super::held::Held;
use super::server::DockerMessage;
use crate::actors::mailbox::Slot;

/// How long somebody who needs the engine waits for the first look at it. Less than a request's patience.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Whether there is an engine.
#[derive(Debug, Clone)]
pub enum EngineState {
    /// Nobody has looked yet, or somebody is looking.
    Connecting,
    Unavailable(Unavailable),
    Ready(Engine),
}

impl EngineState {
    /// One word, for people and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Unavailable(_) => "unavailable",
            Self::Ready(_) => "ready",
        }
    }
}

/// The door to the engine. Survives the actor's restart; cheap to clone.
#[derive(Debug, Clone)]
pub struct Docker {
    slot: Slot<DockerMessage>,
    state: watch::Sender<EngineState>,
    held: Held,
}

impl Default for Docker {
    fn default() -> Self {
        let state = watch::Sender::new(EngineState::Connecting);
        Self { slot: Slot::new(), state, held: Held::default() }
    }
}

impl Docker {
    /// Where the actor is put, by the table of children.
    pub const fn slot(&self) -> &Slot<DockerMessage> {
        &self.slot
    }

    /// What is held in this life, for tests and for the sweep.
    pub const fn held(&self) -> &Held {
        &self.held
    }

    pub(super) fn publish(&self, state: EngineState) {
        metrics::gauge!("proctor_engine_ready").set(f64::from(matches!(state, EngineState::Ready(_))));
        self.state.send_replace(state);
    }

    /// To be looked at and waited on.
    pub fn state(&self) -> watch::Receiver<EngineState> {
        self.state.subscribe()
    }

    /// The engine, if there is one now. Waits for the first look at it only.
    pub async fn engine(&self) -> Result<Engine, Unavailable> {
        let mut state = self.state.subscribe();
        let looked = state.wait_for(|state| !matches!(state, EngineState::Connecting));
        match timeout(FIRST_LOOK, looked).await.map(|looked| looked.map(|state| state.clone())) {
            Ok(Ok(EngineState::Ready(engine))) => Ok(engine),
            Ok(Ok(EngineState::Unavailable(unavailable))) => Err(unavailable),
            Ok(Ok(EngineState::Connecting) | Err(_)) | Err(_) => {
                let why = format!("nobody could look at it within {} s", FIRST_LOOK.as_secs());
                Err(Unavailable::new(why, "try again; the daemon's log says more"))
            }
        }
    }
}
