//! What the manager knows of a job that has not ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{JobWatch, SubmitError, Submitted};
use crate::actors::mailbox::Reply;
use crate::domain::ids::Principal;
use crate::domain::job::{HandBack, JobEvent, JobView};
use crate::domain::lease::Lease;

/// A job that has not ended.
pub struct Live {
    /// Shared with the job's actor, so that whoever waits hears of an end that the actor could not give.
    pub view: watch::Sender<Arc<JobView>>,
    pub cancel: CancellationToken,
    pub deadline: Instant,
    /// Submissions it stands for and that nobody has taken back; at nothing it is cancelled.
    pub wanted: u32,
    /// What it will do; `None` when it must not be shared.
    pub plan: Option<String>,
    pub stage: Stage,
}

/// Where a job stands with the manager.
pub enum Stage {
    /// It is being written; whoever waits for that is told when it is durable.
    Storing { submitters: Vec<Submitter> },
    /// It waits for its turn.
    Waiting,
    /// Its actor works on it.
    UnderWay {
        since: Instant,
        lease: Lease,
        /// Why its subtree is being taken down although it has not ended.
        taken_down: Option<HandBack>,
    },
    /// Nobody holds it; what became of it is being written.
    Settling { event: JobEvent, pause: Duration },
    /// It was handed back and waits for a while before it waits for its turn.
    Resting,
}

/// Who waits for a job to be durable.
pub struct Submitter {
    pub reply: Reply<Result<Submitted, SubmitError>>,
    /// Whether the job was made for this one, or is shared with it.
    pub own: bool,
}

impl Live {
    pub fn new(job: JobView, plan: Option<String>, stage: Stage) -> Self {
        let deadline = Instant::now() + Duration::from_secs(job.request.deadline_s.into());
        let cancel = CancellationToken::new();
        let (view, _) = watch::channel(Arc::new(job));
        Self { view, cancel, deadline, wanted: 1, plan, stage }
    }

    pub fn watch(&self) -> JobWatch {
        self.view.subscribe()
    }

    pub fn principal(&self) -> Principal {
        self.view.borrow().principal.clone()
    }

    pub fn attempt(&self) -> u32 {
        self.view.borrow().attempt
    }

    pub fn has_ended(&self) -> bool {
        self.view.borrow().state.is_terminal()
    }

    /// Shows what was stored.
    pub fn publish(&self, event: JobEvent) {
        self.view.send_if_modified(|view| Arc::make_mut(view).apply(event));
    }
}
