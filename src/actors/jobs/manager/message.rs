//! What the manager is asked, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::super::run_slot::RunSlot;
use super::super::wish::Wish;
use crate::actors::mailbox::{Lane, Message, Reply};
use crate::actors::pressure::Pressure;
use crate::actors::space::NoRoom;
use crate::domain::adaptive::Strain;
use crate::domain::admission::Refusal;
use crate::domain::ids::{JobId, Principal, RunId, ToolName};
use crate::domain::job::{JobRequest, JobView};
use crate::domain::slots::Weight;
use crate::store::StoreError;
use crate::store::keys::Key;
use crate::store::record::LetIn;

/// A job's newest state, to be looked at and waited on.
pub type JobWatch = watch::Receiver<Arc<JobView>>;

/// What is asked for, and by whom.
pub struct Submit {
    pub principal: Principal,
    pub request: JobRequest,
    /// The client's own name for it.
    pub key: Option<Key>,
    /// It may be shared with a job that does the same, but these, which the caller found to differ; `None`: never.
    pub unlike: Option<Vec<JobId>>,
    pub wish: Wish,
}

/// What became of a submission.
#[derive(Debug)]
pub enum Submitted {
    /// A job of its own, durable.
    New(JobWatch),
    /// A job that was there before and has yet to read its target.
    Shared(JobWatch),
    /// A job does the same and has begun to read its target. Whether it read what is there now, the caller must compare:
    /// then join it, or submit again and name it as unlike.
    Begun(JobWatch),
    /// The key stands for this job, asked for in the same words.
    Known(JobId),
    /// The key stands for this job, asked for in other words.
    Conflict(JobId),
}

/// Why a job was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("{refusal}")]
    Refused { refusal: Refusal, retry_after: Duration },
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("memory is short ({0})")]
    LowMemory(Pressure),
    #[error("the job could not be stored, so it was not taken in: {0}")]
    NotStored(String),
}

/// Where a job is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Jobs that start before it.
    pub ahead: usize,
    /// Until it starts, by the pace of the last jobs.
    pub estimate: Duration,
}

/// Jobs under way, and jobs that wait for their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    pub running: usize,
    pub waiting: usize,
}

pub enum JobsMessage {
    /// Store a job and take it in, or find the one that does the same. Answered once it is durable.
    Submit { submit: Box<Submit>, reply: Reply<Result<Submitted, SubmitError>> },
    /// A submission was written, or was not.
    Stored { job: JobId, result: Result<LetIn, StoreError> },
    /// Want a live job of this principal, too. `None` when it is not live (any more).
    Join { principal: Principal, job: JobId, wish: Wish, reply: Reply<Option<JobWatch>> },
    /// One of those who wanted a job no longer does.
    Withdraw { job: JobId },
    /// The newest state of a live job of this principal; `None` when it is not live (any more).
    Watch { principal: Principal, job: JobId, reply: Reply<Option<JobWatch>> },
    /// Where a job of this principal is in the queue; `None` when it does not wait.
    Place { principal: Principal, job: JobId, reply: Reply<Option<Place>> },
    /// Stop a live job of this principal. Answered once the wish is durable; `None` when it is not live (any more).
    Cancel { principal: Principal, job: JobId, reply: Reply<Option<JobWatch>> },
    /// A run needs room on the host. Answered when there is some.
    AskSlot { run: RunId, tool: ToolName, weight: Weight, cost: u32, reply: Reply<RunSlot> },
    /// A run no longer needs its room.
    GiveBack { run: RunId, strain: Strain },
    /// A job's actor is there and works.
    Renew { job: JobId, attempt: u32 },
    /// A job's actor is gone, whether or not the job had come to an end.
    JobGone { job: JobId },
    /// Nothing is left of a job: neither a process nor its place among the running ones.
    JobCleared { job: JobId },
    /// Try again to store what became of a job.
    Settle { job: JobId },
    /// What became of a job is stored, or something else was before.
    Settled { job: JobId, stored: Result<Option<Box<JobView>>, StoreError> },
    /// A job that was handed back has rested.
    Requeue { job: JobId },
    /// Look at deadlines and leases.
    Tick,
    /// The store's open jobs.
    Swept { open: Vec<JobView> },
    /// Take nothing in any more; hand back what is still under way after `patience`; answer when nothing is.
    Drain { patience: Duration, reply: Reply<()> },
    /// The patience of a drain is over.
    Hurry,
    /// How much there is to do. Also how others see whether the manager still answers.
    Count { reply: Reply<Census> },
}

impl Message for JobsMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Submit { .. } | Self::Join { .. } | Self::Watch { .. } | Self::Place { .. } => Lane::Data,
            // A cancel must not stand behind a thousand submits, and what frees room must not stand behind what asks.
            Self::Stored { .. }
            | Self::Withdraw { .. }
            | Self::Cancel { .. }
            | Self::AskSlot { .. }
            | Self::GiveBack { .. }
            | Self::Renew { .. }
            | Self::JobGone { .. }
            | Self::JobCleared { .. }
            | Self::Settle { .. }
            | Self::Settled { .. }
            | Self::Requeue { .. }
            | Self::Tick
            | Self::Swept { .. }
            | Self::Drain { .. }
            | Self::Hurry
            | Self::Count { .. } => Lane::Control,
        }
    }
}
