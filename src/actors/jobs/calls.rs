//! The calls of one run: a tool is called once, unless it takes a file at a time. Each call's process and report are
//! held to the stages of what is left of the job's time.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::execute::{self, Executed, Finished, Order, Workplace};
use super::job::JobMessage;
use super::run::failed;
use super::run_slot::RunSlot;
use crate::actors::mailbox::Address;
use crate::domain::deadline::Remainder;
use crate::domain::ids::RunId;
use crate::domain::job::RunState;
use crate::domain::outcome::{FailureReason, GAPS_NAMED_MAX, Outcome};

/// Calls of one run, for a tool that is called once per file: past it the target is no project but a collection.
const CALLS_MAX: usize = 100;

/// What every call of one run works with.
pub(super) struct Calls {
    pub workplace: Arc<Workplace>,
    /// The job's end, whatever happens.
    pub deadline: Instant,
    pub cancel: CancellationToken,
    /// Held until the last report is read: reading is work, too, even that of a thread nobody waits for any more.
    pub slot: Arc<RunSlot>,
    pub progress: Progress,
}

/// Tells the job how far its run is.
pub(super) struct Progress {
    pub run: RunId,
    pub tool_version: String,
    pub job: Address<JobMessage>,
}

impl Progress {
    /// May be lost: the newest state follows.
    fn moved(&self, to: RunState) {
        let tool_version = Some(self.tool_version.clone());
        drop(self.job.try_send(JobMessage::RunMoved { run: self.run, to, tool_version }));
    }
}

impl Calls {
    pub(super) async fn fulfil(&self, order: &Order) -> Executed {
        let calls = match calls_of(order) {
            Ok(calls) => calls,
            Err(outcome) => return Executed::nothing_read(order, outcome),
        };
        let mut whole: Option<Executed> = None;
        for call in calls {
            let executed = self.call(call).await;
            let makes_a_statement = matches!(executed.outcome, Outcome::Findings { .. } | Outcome::Clean);
            if !makes_a_statement {
                return Executed {
                    elapsed: executed.elapsed,
                    ..Executed::nothing_read(order, executed.outcome)
                };
            }
            whole = Some(match whole.take() {
                Some(before) => and(before, executed),
                None => executed,
            });
        }
        whole.unwrap_or_else(|| {
            Executed::nothing_read(order, failed(FailureReason::Internal, "the run had no call"))
        })
    }

    /// One call: its process, then its report. Over by the deadline, whatever hangs.
    async fn call(&self, order: Order) -> Executed {
        let limits = order.manifest.limits;
        let left = Remainder::of(self.deadline.saturating_duration_since(Instant::now()));
        let stages = left.divide(limits.wall, self.workplace.grace);
        self.progress.moved(RunState::Running);
        let process = execute::run_tool(&order, &self.workplace, stages, self.cancel.clone());
        // A process that hangs in the kernel outlives SIGKILL. Dropped, it is buried in the background.
        let Ok(finished) = timeout_at(self.deadline, process).await else {
            let detail = "the tool was killed and is not gone: it hangs in the kernel";
            return Executed::nothing_read(&order, failed(FailureReason::TimedOut, detail));
        };
        self.progress.moved(RunState::Parsing);
        self.judge(order, finished).await
    }

    async fn judge(&self, order: Order, finished: Finished) -> Executed {
        let elapsed = finished.elapsed();
        let (of_call, workplace, slot) = (order.clone(), Arc::clone(&self.workplace), Arc::clone(&self.slot));
        let judged = within(self.deadline, move || {
            let executed = execute::judge(&of_call, &workplace, finished);
            drop(slot);
            executed
        });
        let (reason, detail) = match judged.await {
            Ok(executed) => return executed,
            Err(Undone::Late) => (
                FailureReason::TimedOut,
                "the job's time was over before the report of this tool was read to its end",
            ),
            Err(Undone::Panicked(panic)) => {
                tracing::error!(run = %self.progress.run, panic, "reading a report failed");
                (FailureReason::Internal, "proctor failed while it read the report of this tool")
            }
        };
        Executed { elapsed, ..Executed::nothing_read(&order, failed(reason, detail)) }
    }
}

/// The calls that fulfil an order: one, unless the tool takes a file at a time.
fn calls_of(order: &Order) -> Result<Vec<Order>, Outcome> {
    if !order.manifest.run.call_per_file {
        return Ok(vec![order.clone()]);
    }
    if order.expected.len() > CALLS_MAX {
        let detail = format!(
            "the target has {} files for this tool, at most {CALLS_MAX} are taken",
            order.expected.len()
        );
        return Err(failed(FailureReason::TargetUnreadable, &detail));
    }
    let one = |file: &String| Order { expected: BTreeSet::from([file.clone()]), ..order.clone() };
    Ok(order.expected.iter().map(one).collect())
}

/// Two calls of one run, both of which made a statement.
fn and(mut before: Executed, next: Executed) -> Executed {
    before.findings.extend(next.findings);
    before.outcome = match u32::try_from(before.findings.len()).unwrap_or(u32::MAX) {
        0 => Outcome::Clean,
        count => Outcome::Findings { count },
    };
    before.coverage.expected += next.coverage.expected;
    before.coverage.examined += next.coverage.examined;
    before.coverage.missed += next.coverage.missed;
    before.coverage.gaps.extend(next.coverage.gaps);
    before.coverage.gaps.truncate(GAPS_NAMED_MAX);
    before.elapsed += next.elapsed;
    before
}

/// Why blocking work gave nothing.
#[derive(Debug, PartialEq, Eq)]
enum Undone {
    Late,
    Panicked(String),
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
    use std::time::Duration;

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
