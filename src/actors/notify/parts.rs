//! The parts without which the daemon is no use, each asked something quick: a process that runs is not yet one that
//! works.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::actors::jobs::JobsMessage;
use crate::actors::mailbox::{CallError, Slot};
use crate::actors::store::Store;
use crate::actors::supervise::Supervisor;
use crate::domain::ids::{JobId, Principal};
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
    /// Asks all of them at once; the first that stayed silent.
    pub async fn answer(&self, within: Duration) -> Result<(), Silent> {
        let asked = tokio::try_join!(
            heard("the root supervisor", within, self.root_answers()),
            heard("the store", within, self.store_answers()),
            heard("the jobs manager", within, self.jobs_answer(within)),
        );
        asked.map(drop)
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

    async fn jobs_answer(&self, within: Duration) {
        // Of nobody, and none: the quickest question there is.
        let (principal, job) = (Principal(String::new()), JobId::from_random([0; 16]));
        loop {
            let request = |reply| JobsMessage::Watch { principal: principal.clone(), job, reply };
            let asked = match self.jobs.get() {
                Some(jobs) => jobs.call(request, within).await,
                None => Err(CallError::Closed { actor: "jobs" }),
            };
            match asked {
                Ok(_) => return,
                Err(_restarting) => sleep(RETRY).await,
            }
        }
    }
}

async fn heard(part: &'static str, within: Duration, answer: impl Future<Output = ()>) -> Result<(), Silent> {
    timeout(within, answer).await.map_err(|_elapsed| Silent { part, within })
}
