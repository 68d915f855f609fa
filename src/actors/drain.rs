//! The daemon's way out, stage by stage, each within its share of one budget (`domain/drain.rs`).
//!
//! ```text
//! refuse   /readyz says 503; new sessions get 503, new calls -31003; no job is taken or started
//! finish   running jobs may end by themselves; a second signal cuts this short
//! hand back  what still runs is ended and queued again, in the store: the next start takes it up
//! answer   who waits for a job is told where it stands
//! close    the port is shut; every socket is told 1001 once its answers are out
//! stop     the tree, in reverse order; the store folds its log into the database
//! ```
//! A stage that does not end in its time is left behind with a line in the log: the next one makes up for it, and what
//! was acknowledged is on the disk anyway.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::gateway::GatewayMessage;
use super::jobs::JobsMessage;
use super::mailbox::{CallError, Message, Reply, Slot};
use super::root::Doors;
use super::supervise::{Ended, Supervisor};
use crate::domain::drain::Stages;
use crate::faults;

/// What is left of the last stage for killing what did not stop.
const KILL_SHARE: u32 = 4;

/// The tree was still there at the end of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the drain did not end within its {} s; what did not stop was left behind, what was acknowledged is on the disk: \
     the log names the stage",
    budget.as_secs_f32()
)]
pub struct BudgetSpent {
    pub budget: Duration,
}

/// A drain under way.
pub(super) struct Drain<'a> {
    pub root: &'a Supervisor,
    pub doors: &'a Doors,
    pub stages: Stages,
    pub began: Instant,
}

impl Drain<'_> {
    pub async fn run(&self) -> Result<Ended, BudgetSpent> {
        if let Some(gateway) = self.doors.gateway.get() {
            // An error means that the gateway is gone, and nobody comes in.
            drop(gateway.send(GatewayMessage::Drain).await);
        }
        let Stages { finish: patience, hand_back, close, stop } = self.stages;
        let (jobs, gateway) = (&self.doors.jobs, &self.doors.gateway);
        let drain = |reply| JobsMessage::Drain { patience, reply };
        self.stage("hand back", jobs, drain, hand_back).await;
        // Half of what is left: an answer that takes long must not take the others' close frames.
        let answer = hand_back + (close - hand_back) / 2;
        self.stage("answer", gateway, |reply| GatewayMessage::Settle { reply }, answer).await;
        self.stage("close", gateway, |reply| GatewayMessage::Close { reply }, close).await;
        self.stop(stop).await
    }

    /// Asks for one stage and waits for its end, until `until` after the beginning.
    async fn stage<M: Message>(
        &self,
        name: &str,
        slot: &Slot<M>,
        request: impl FnOnce(Reply<()>) -> M,
        until: Duration,
    ) {
        faults::point("drain.before_stop");
        let left = until.saturating_sub(self.began.elapsed());
        let ended = match slot.get() {
            Some(actor) => actor.call(request, left).await,
            None => Err(CallError::Closed { actor: "its actor" }),
        };
        match ended {
            Ok(()) => tracing::debug!(stage = name, after = ?self.began.elapsed(), "drain: stage ended"),
            Err(error) => tracing::warn!(stage = name, %error, "drain: stage left behind"),
        }
    }

    async fn stop(&self, until: Duration) -> Result<Ended, BudgetSpent> {
        let left = until.saturating_sub(self.began.elapsed());
        let in_order = left - left / KILL_SHARE;
        let ended = timeout_at(self.began + until, self.root.shutdown(in_order)).await;
        ended.map_err(|_elapsed| BudgetSpent { budget: until })
    }
}
