//! One call of a tool within a run: its process and the reading of its report, held to the stages of what is left of the
//! job's time. Which calls a run makes is said by [`super::isolate`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::execute::{self, Executed, Finished, Order, Workplace};
use super::job::JobMessage;
use super::reading;
use super::run_slot::RunSlot;
use super::site::Sites;
use super::task::Task;
use crate::actors::mailbox::Address;
use crate::domain::adaptive;
use crate::domain::container::Owner;
use crate::domain::deadline::{EndedBy, Remainder};
use crate::domain::ids::{JobId, RunId};
use crate::domain::job::RunState;
use crate::domain::outcome::{FailureReason, Outcome};

/// What every call of one run works with.
pub(super) struct Calls {
    /// The job.
    pub of: JobId,
    pub workplace: Arc<Workplace>,
    pub sites: Sites,
    /// The job's end, whatever happens.
    pub deadline: Instant,
    pub cancel: CancellationToken,
    /// Held until the last report is read: reading is work, too, even that of a thread nobody waits for any more.
    pub slot: Arc<RunSlot>,
    pub progress: Progress,
}

/// Tells the job how far its run is.
#[derive(Clone)]
pub(super) struct Progress {
    pub run: RunId,
    pub tool_version: String,
    pub job: Address<JobMessage>,
}

impl Progress {
    /// What is being done, for people. May be lost: the newest follows.
    pub(super) fn says(&self, what: impl Into<String>) {
        drop(self.job.try_send(JobMessage::Does { run: Some(self.run), what: what.into() }));
    }

    /// May be lost: the newest state follows.
    pub(super) fn moved(&self, to: RunState) {
        let tool_version = Some(self.tool_version.clone());
        drop(self.job.try_send(JobMessage::RunMoved { run: self.run, to, tool_version }));
    }
}

impl Calls {
    /// For whom containers are made.
    pub(super) const fn owner(&self) -> Owner {
        Owner { job: Some(self.of), run: Some(self.progress.run) }
    }

    /// Does the work of a run.
    pub(super) async fn perform(&self, task: &Task) -> Executed {
        match task {
            Task::Tree(order) => self.fulfil(order).await,
            Task::Site(order) => self.look(order).await,
        }
    }

    /// One call that may take `limit` of its own: its process, then its report. Over by the deadline, whatever hangs.
    pub(super) async fn call(&self, order: Order, limit: Duration) -> (Executed, EndedBy) {
        let left = Remainder::of(self.deadline.saturating_duration_since(Instant::now()));
        let stages = left.divide(limit, self.workplace.grace);
        self.progress.moved(RunState::Running);
        let call = order.call();
        let process = execute::run_tool(&call, &self.workplace, stages, self.owner(), self.cancel.clone());
        // A process that hangs in the kernel outlives SIGKILL. Dropped, it is buried in the background.
        let Ok(finished) = timeout_at(self.deadline, process).await else {
            let detail = "the tool was killed and is not gone: it hangs in the kernel";
            let outcome = Outcome::failed(FailureReason::TimedOut, detail);
            return (Executed::nothing_read(&order, outcome), EndedBy::Deadline);
        };
        self.progress.moved(RunState::Parsing);
        let (executed, ended_by) = self.judge(order, finished, stages.ended_by).await;
        self.slot.showed(adaptive::strain(&executed.outcome, ended_by));
        (executed, ended_by)
    }

    async fn judge(&self, order: Order, finished: Finished, ended_by: EndedBy) -> (Executed, EndedBy) {
        let elapsed = finished.elapsed();
        let (of_call, workplace) = (order.clone(), Arc::clone(&self.workplace));
        let judged = self.off_the_runtime(move || reading::judge(&of_call, &workplace, finished));
        let undone = match judged.await {
            Ok(executed) => return (executed, ended_by),
            Err(undone) => undone,
        };
        let ended_by = if undone == Undone::Late { EndedBy::Deadline } else { ended_by };
        let (reason, detail) = undone.told(&self.progress);
        (Executed { elapsed, ..Executed::nothing_read(&order, Outcome::failed(reason, detail)) }, ended_by)
    }
}

impl Calls {
    /// Blocking work of this run, by its deadline, with its slot held until the work is over.
    pub(super) async fn off_the_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let slot = Arc::clone(&self.slot);
        let working = within(self.deadline, move || {
            let done = work();
            drop(slot);
            done
        });
        working.await
    }
}

/// Why blocking work gave nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undone {
    Late,
    Panicked(String),
}

impl Undone {
    /// As the failure of a run; a defect of ours is logged, too.
    pub(super) fn told(&self, of: &Progress) -> (FailureReason, &'static str) {
        match self {
            Self::Late => (
                FailureReason::TimedOut,
                "the job's time was over before the report of this tool was read to its end",
            ),
            Self::Panicked(panic) => {
                tracing::error!(run = %of.run, panic, "reading a report failed");
                (FailureReason::Internal, "proctor failed while it read the report of this tool")
            }
        }
    }
}

/// Waits for blocking work until `deadline` and no longer. A parser is CPU-bound, and a panic in it must be its run's
/// failure alone: both are had on a blocking thread. One that is late goes on unseen to its own end, which comes: what
/// it reads is bounded. `work` holds the run's slot, so that no more of them pile up than runs may run.
async fn within<T: Send + 'static>(
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Undone> {
    let done = timeout_at(deadline, tokio::task::spawn_blocking(work)).await;
    done.map_err(|_| Undone::Late)?.map_err(|panic| Undone::Panicked(panic.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_parser_past_its_time_holds_up_nobody_and_lets_go_when_it_ends() {
        let (go_on, waits) = mpsc::channel::<()>();
        let (lets_go, gone) = tokio::sync::oneshot::channel::<()>();
        let soon = Instant::now() + Duration::from_millis(20);
        let late = within(soon, move || {
            let _slot = lets_go;
            waits.recv().ok();
        });
        assert_eq!(late.await, Err(Undone::Late));
        go_on.send(()).expect("the thread is still at it");
        let gone = tokio::time::timeout(Duration::from_secs(10), gone).await;
        assert!(gone.expect("it came to its end").is_err(), "its slot was dropped");
    }

    #[tokio::test]
    async fn a_panic_in_a_parser_is_said() {
        let far = Instant::now() + Duration::from_secs(60);
        let undone = within(far, || panic!("a bad report")).await;
        assert!(matches!(undone, Err(Undone::Panicked(_))), "{undone:?}");
    }
}
