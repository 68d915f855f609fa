//! The sweeper of the database: looks once a minute, deletes step by step until nothing is due.
//!
//! ```text
//! resting ──a minute, or the disk lacks room──▶ sweeping ──a step──▶ sweeping
//!    ▲                                              └──nothing due, or the store refuses──┐
//!    └────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! Owns: nothing. Who speaks to it: its own clock, and the watcher of the disk. Its death costs a minute at most: what is
//! due is found in the store.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::space::Room;
use crate::actors::store::Store;
use crate::config;
use crate::store::retention::Policy;

/// How often it looks: jobs are kept for days.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Between two steps: the writer is everybody's, and half of its time is enough.
const STEP_PAUSE: Duration = Duration::from_millis(20);
/// A message of each kind.
const MAILBOX_LIMIT: usize = 4;

/// The time of day; a test brings its own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the sweeper needs to know, complete.
#[derive(Clone)]
pub struct RetentionArguments {
    pub keep: config::Retention,
    pub store: Store,
    pub room: Room,
    pub clock: Clock,
}

#[derive(Debug)]
pub enum RetentionMessage {
    /// Its clock.
    Look,
    /// The disk lacks room, or has it again.
    RoomChanged,
    /// There is more to do.
    Sweep,
}

impl Message for RetentionMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

pub struct Retention {
    arguments: RetentionArguments,
    /// Whether a step is on its way to itself.
    sweeping: bool,
    /// Jobs deleted since it rested.
    deleted: u32,
}

impl Server for Retention {
    const NAME: &'static str = "retention";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = RetentionMessage;
    type Arguments = RetentionArguments;

    async fn init(
        arguments: RetentionArguments,
        context: &Context<RetentionMessage>,
    ) -> Result<Self, StartError> {
        let (mut room, address) = (arguments.room.watch(), context.address().clone());
        context.spawn(async move {
            while room.changed().await.is_ok() {
                drop(address.post(RetentionMessage::RoomChanged));
            }
        });
        drop(context.address().post(RetentionMessage::Look));
        Ok(Self { arguments, sweeping: false, deleted: 0 })
    }

    async fn handle(
        &mut self,
        message: RetentionMessage,
        context: &Context<RetentionMessage>,
    ) -> Result<(), Stop> {
        match message {
            RetentionMessage::Look => {
                context.send_after(LOOK_EVERY, RetentionMessage::Look);
                self.begin(context).await;
            }
            RetentionMessage::RoomChanged => self.begin(context).await,
            RetentionMessage::Sweep => self.sweep(context).await,
        }
        Ok(())
    }
}

impl Retention {
    async fn begin(&mut self, context: &Context<RetentionMessage>) {
        if !self.sweeping {
            self.sweep(context).await;
        }
    }

    async fn sweep(&mut self, context: &Context<RetentionMessage>) {
        let store = &self.arguments.store;
        let stepped = match store.due(self.policy()).await {
            Ok(due) if due.is_nothing() => Ok(None),
            Ok(due) => store.sweep(due).await.map(Some),
            Err(error) => Err(error),
        };
        self.sweeping = matches!(stepped, Ok(Some(_)));
        match stepped {
            Ok(Some(step)) => {
                metrics::counter!("proctor_jobs_deleted_total").increment(step.jobs.into());
                self.deleted += step.jobs;
                context.send_after(STEP_PAUSE, RetentionMessage::Sweep);
            }
            Ok(None) => self.rest(),
            Err(error) => {
                tracing::warn!(%error, "old jobs were not deleted; the next try is in a minute");
                self.rest();
            }
        }
    }

    fn rest(&mut self) {
        let deleted = std::mem::take(&mut self.deleted);
        if deleted > 0 {
            tracing::info!(jobs = deleted, "jobs past their time were deleted");
        }
    }

    fn policy(&self) -> Policy {
        let config::Retention { days, bytes_max } = self.arguments.keep;
        let kept = SignedDuration::from_hours(i64::from(days) * 24);
        // Before the beginning of time nothing ended.
        let ended_before = (self.arguments.clock)().checked_sub(kept).unwrap_or(Timestamp::MIN);
        Policy { ended_before: ended_before.to_string(), bytes_max }
    }
}
