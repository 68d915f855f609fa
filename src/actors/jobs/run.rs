//! One tool run: waits for a slot, runs the tool, judges what it left, stores the verdict, tells its job.
//!
//! ```text
//! waiting ──slot──► running ──process over──► parsing ──stored──► ended
//!    └───────────── cancelled, deadline ────────────────────────────┘
//! ```
//! Owns: the process (through the guard inside [`process::run`](crate::actors::process::run)), its slot, its directory.
//! Who speaks to it: nobody but its own start; cancel and deadline reach it as a token and an instant.
//! Its death: nothing of it is left (guards), the job is told `RunLost` and records a failure of ours. No other run sees
//! anything.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::calls::{Calls, Progress};
use super::execute::{Executed, Workplace};
use super::job::JobMessage;
use super::manager::JobsMessage;
use super::run_slot::RunSlot;
use super::site::Sites;
use super::task::Task;
use crate::actors::breakers::{Breakers, Down};
use crate::actors::installer::Installed;
use crate::actors::mailbox::{Address, CallError, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::store::Store;
use crate::domain::breaker::{self, Dependency};
use crate::domain::ids::{JobId, RunId, ToolName};
use crate::domain::job::{Ended, JobEvent, RunState};
use crate::domain::lease::Fence;
use crate::domain::outcome::{Failure, FailureReason, Outcome};
use crate::domain::severity::Severity;
use crate::domain::slots::Weight;
use crate::faults;

/// What the run of a tool needs to know, complete.
pub struct RunArguments {
    /// The job it is part of.
    pub id: JobId,
    pub run: RunId,
    /// The attempt of the job that this run belongs to: what it writes counts only for that one.
    pub attempt: u32,
    pub task: Task,
    /// The job's end, whatever happens.
    pub deadline: Instant,
    pub cancel: CancellationToken,
    pub workplace: Arc<Workplace>,
    pub store: Store,
    pub breakers: Breakers,
    pub sites: Sites,
    pub job: Address<JobMessage>,
    pub jobs: Address<JobsMessage>,
}

pub enum RunMessage {
    /// Do the work, then end. Sent once, by the run to itself, so that its start is quick.
    Start,
}

impl Message for RunMessage {}

pub struct Run {
    arguments: RunArguments,
    report: LossReport,
}

/// Tells the job that a run ended without a word.
struct LossReport {
    run: RunId,
    job: Address<JobMessage>,
    said: bool,
}

impl Drop for LossReport {
    fn drop(&mut self) {
        if !self.said {
            drop(self.job.post(JobMessage::RunLost { run: self.run }));
        }
    }
}

impl Server for Run {
    const NAME: &'static str = "run";
    /// Its own start.
    const MAILBOX_LIMIT: usize = 1;
    /// Its one handler is the tool's whole life; the deadline is its watch.
    const STALLS_AFTER: Option<Duration> = None;
    type Message = RunMessage;
    type Arguments = RunArguments;

    async fn init(arguments: RunArguments, context: &Context<RunMessage>) -> Result<Self, StartError> {
        let report = LossReport { run: arguments.run, job: arguments.job.clone(), said: false };
        context.post_first(RunMessage::Start)?;
        // A stop ends the tool as a cancel does, with its grace and to the last process. Were it not heard, the tool would
        // live until the supervisor loses patience.
        let (stopping, cancel) = (context.stopping().clone(), arguments.cancel.child_token());
        let stop = cancel.clone();
        context.spawn(async move {
            stopping.cancelled().await;
            stop.cancel();
        });
        Ok(Self { arguments: RunArguments { cancel, ..arguments }, report })
    }

    async fn handle(&mut self, message: RunMessage, context: &Context<RunMessage>) -> Result<(), Stop> {
        match message {
            RunMessage::Start => self.work(context).await,
        }
    }
}

impl Run {
    async fn work(&mut self, context: &Context<RunMessage>) -> Result<(), Stop> {
        let executed = self.execute().await;
        let executed = executed.unwrap_or_else(|outcome| self.arguments.task.nothing_done(outcome));
        if executed.outcome == Outcome::Cancelled && context.stopping().is_cancelled() {
            // Nobody asked for a cancel: its job is being taken down, and whoever does that says why.
            return Err(Stop::Shutdown);
        }
        self.deliver(executed).await
    }

    async fn execute(&self) -> Result<Executed, Outcome> {
        let RunArguments { task, cancel, breakers, .. } = &self.arguments;
        let dependency = Dependency::Tool(self.tool().clone());
        let down = |down: Down| is_down(&dependency, down, Instant::now());
        // What is known to be down needs no place on the host.
        if let Some(known) = breakers.down(&dependency).filter(|known| known.is_certain(Instant::now())) {
            return Err(down(known));
        }
        let slot = self.slot().await?;
        let pass = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Outcome::Cancelled),
            pass = breakers.enter(&dependency) => pass.map_err(down)?,
        };
        let executed = self.calls(slot).perform(task).await;
        pass.report(breaker::verdict(&executed.outcome));
        Ok(executed)
    }

    /// Waits for the host to have room. The wait ends with the job's deadline, so it is bounded.
    async fn slot(&self) -> Result<RunSlot, Outcome> {
        let RunArguments { run, task, deadline, cancel, jobs, .. } = &self.arguments;
        let weights = task.manifest().weights;
        let memory_mib = u32::try_from(weights.memory_mb).unwrap_or(u32::MAX);
        let weight = Weight { cpu: weights.cpu, memory_mib };
        let cost = u32::try_from(task.manifest().limits.wall.as_secs()).unwrap_or(u32::MAX);
        let patience = deadline.saturating_duration_since(Instant::now());
        let asked = jobs.call(
            |reply| JobsMessage::AskSlot { run: *run, tool: self.tool().clone(), weight, cost, reply },
            patience,
        );
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Outcome::Cancelled),
            granted = asked => granted.map_err(no_slot),
        }
    }

    fn calls(&self, slot: RunSlot) -> Calls {
        let RunArguments { id, run, task, deadline, cancel, workplace, sites, job, .. } = &self.arguments;
        Calls {
            of: *id,
            workplace: Arc::clone(workplace),
            sites: sites.clone(),
            deadline: *deadline,
            cancel: cancel.clone(),
            slot: Arc::new(slot),
            progress: Progress {
                run: *run,
                tool_version: Installed::version(task.manifest(), &workplace.tools),
                job: job.clone(),
            },
        }
    }

    /// Stored first, told after: whoever hears of a result can read it.
    async fn deliver(&mut self, executed: Executed) -> Result<(), Stop> {
        let Executed { outcome, coverage, findings, elapsed } = executed;
        let counts = count(findings.iter().map(|stamped| stamped.finding.severity));
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let ended = Ended { outcome, coverage, elapsed_ms };
        let run = self.arguments.run;
        metrics::counter!("proctor_runs_total", "tool" => self.tool().0.clone(), "outcome" => RunState::Ended(ended.clone()).word())
            .increment(1);
        let event = JobEvent::RunEnded { run, ended: ended.clone(), counts };
        faults::point("run.before_result");
        let fence = Fence::Attempt(self.arguments.attempt);
        let stored = self.arguments.store.record(self.arguments.id, fence, event, findings).await;
        stored.map_err(|error| Stop::Abnormal(format!("run {run}: its result was not stored: {error}")))?;
        self.report.said = self.arguments.job.post(JobMessage::RunEnded { run, ended, counts }).is_ok();
        Err(Stop::Normal)
    }

    fn tool(&self) -> &ToolName {
        &self.arguments.task.manifest().name
    }
}

fn no_slot(error: CallError) -> Outcome {
    match error {
        CallError::Timeout { .. } => Outcome::failed(
            FailureReason::TimedOut,
            "the job's deadline passed before the host had room for this run",
        ),
        CallError::Full { .. } | CallError::Closed { .. } => {
            Outcome::failed(FailureReason::Internal, format!("no slot could be asked for: {error}"))
        }
    }
}

fn is_down(dependency: &Dependency, down: Down, now: Instant) -> Outcome {
    let what = dependency.word();
    Outcome::Failed(Failure {
        advice: Some(down.advice(now)),
        ..Failure::new(
            FailureReason::DependencyOpen,
            format!("{what} failed {} times in a row, so it was not started again", down.failures),
        )
    })
}

/// Findings by severity, least first.
fn count(severities: impl Iterator<Item = Severity>) -> [u32; 5] {
    let mut counts = [0u32; 5];
    for severity in severities {
        counts[severity as usize] = counts[severity as usize].saturating_add(1);
    }
    counts
}
