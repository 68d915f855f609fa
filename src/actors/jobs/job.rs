//! One job, from its start to its end.
//!
//! ```text
//! preparing ──snapshot taken, site ready──► running ──last run ended──► over
//!     └── unreadable, unreachable, cancelled, too late, changed ──────────┘
//! ```
//! A tree is prepared by a copy of it; what runs, by its addresses, by a first answer and, if it is an app of ours, by its
//! start.
//! A job that was handed back begins here like any other. What ended in an earlier attempt stays as it is, and only the
//! rest is run, on a copy with the very same content: were it another, the job would speak of two.
//! Owns: the snapshot or the site (shared with its runs, removed when the last of them lets go), the job's view (a watch channel:
//! whoever looks sees the newest state, nobody is queued for), its list of open runs.
//! Who speaks to it: its runs; cancel and deadline reach everything below it as a token and an instant.
//! It renews its lease for as long as it answers its own messages.
//! Its death: the manager hears `JobGone`, takes its runs down, and hands the job back or gives it a truthful end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod subject;

use super::execute::Workplace;
use super::manager::JobsMessage;
use super::plan::{Ground, Planned, plan};
use super::run::{Run, RunArguments};
use super::site::{Prepared, Sites, Unprepared};
use super::snapshot::{self, Snapshot, SnapshotError};
use super::task::{Subject, Task};
use crate::actors::breakers::Breakers;
use crate::actors::clock;
use crate::actors::mailbox::{Address, Lane, Message};
use crate::actors::random;
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::store::Store;
use crate::actors::supervise::SupervisorSlot;
use crate::domain::ids::{JobId, RunId};
use crate::domain::job::{Ended, JobEvent, JobState, JobView, RunState};
use crate::domain::lease::{Fence, renew_every};
use crate::domain::outcome::{Coverage, FailureReason, Outcome};
use crate::faults;
use crate::store::StoreError;
use crate::tools::catalogue::Catalogue;

/// Progress of runs that may wait: three messages a run, for more tools than the catalogue has.
const PROGRESS_LIMIT: usize = 128;

/// What jobs share.
pub struct Shop {
    pub catalogue: Arc<Catalogue>,
    pub workplace: Arc<Workplace>,
    pub store: Store,
    pub breakers: Breakers,
    /// How what runs is reached.
    pub sites: Sites,
    pub snapshots: PathBuf,
    pub snapshot_limits: snapshot::Limits,
    /// What no snapshot holds.
    pub policy: snapshot::Policy,
}

/// What a job needs to know, complete.
pub struct JobArguments {
    pub id: JobId,
    pub deadline: Instant,
    /// How long the job's actor may be silent.
    pub lease: Duration,
    pub view: watch::Sender<Arc<JobView>>,
    pub cancel: CancellationToken,
    pub shop: Arc<Shop>,
    pub jobs: Address<JobsMessage>,
}

/// A job and the supervisor of its runs.
pub struct JobParts {
    pub arguments: JobArguments,
    pub runs: SupervisorSlot,
}

pub enum JobMessage {
    /// Begin to prepare the target. Sent once, by the job to itself.
    Begin,
    /// Say that the job is in good hands.
    Renew,
    /// The copy is there, or it cannot be made.
    SnapshotTaken { result: Result<Snapshot, SnapshotError> },
    /// There will be no copy, and the copier cannot say why.
    CopyLost { reason: FailureReason, detail: String },
    /// What the app is made from that will be looked at, as a digest.
    AppRead { content: String },
    /// What runs can be looked at, or it cannot.
    SitePrepared { result: Result<Arc<Prepared>, Unprepared> },
    /// A run, or whoever prepares the target, says what it does. The newest is all that matters.
    Does { run: Option<RunId>, what: String },
    /// A run went on to a state that is not its end.
    RunMoved { run: RunId, to: RunState, tool_version: Option<String> },
    /// A run's result is stored.
    RunEnded { run: RunId, ended: Ended, counts: [u32; 5] },
    /// A run is gone and said nothing.
    RunLost { run: RunId },
}

impl Message for JobMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Does { .. } | Self::RunMoved { .. } => Lane::Data,
            Self::Begin
            | Self::Renew
            | Self::SnapshotTaken { .. }
            | Self::CopyLost { .. }
            | Self::AppRead { .. }
            | Self::SitePrepared { .. }
            | Self::RunEnded { .. }
            | Self::RunLost { .. } => Lane::Control,
        }
    }
}

pub struct Job {
    arguments: JobArguments,
    /// The number of this attempt.
    attempt: u32,
    runs: SupervisorSlot,
    stage: Stage,
    /// Says `JobGone` when the job is dropped, however that comes.
    _departure: Departure,
}

enum Stage {
    Preparing,
    Running {
        /// Kept for as long as a run may be started on it.
        _subject: Subject,
    },
}

struct Departure {
    job: JobId,
    jobs: Address<JobsMessage>,
}

impl Drop for Departure {
    fn drop(&mut self) {
        drop(self.jobs.post(JobsMessage::JobGone { job: self.job }));
    }
}

impl Server for Job {
    const NAME: &'static str = "job";
    const MAILBOX_LIMIT: usize = PROGRESS_LIMIT;
    type Message = JobMessage;
    type Arguments = JobParts;

    async fn init(parts: JobParts, context: &Context<JobMessage>) -> Result<Self, StartError> {
        let JobParts { arguments, runs } = parts;
        let departure = Departure { job: arguments.id, jobs: arguments.jobs.clone() };
        context.post_first(JobMessage::Begin)?;
        context.send_after(renew_every(arguments.lease), JobMessage::Renew);
        let attempt = arguments.view.borrow().attempt + 1;
        Ok(Self { arguments, attempt, runs, stage: Stage::Preparing, _departure: departure })
    }

    async fn handle(&mut self, message: JobMessage, context: &Context<JobMessage>) -> Result<(), Stop> {
        match message {
            JobMessage::Begin => self.begin(context).await,
            JobMessage::Renew => {
                self.renew(context);
                Ok(())
            }
            JobMessage::SnapshotTaken { result } => self.snapshot_taken(result, context).await,
            JobMessage::CopyLost { reason, detail } => self.target_unread(reason, detail).await,
            JobMessage::AppRead { content } => self.app_read(content).await,
            JobMessage::SitePrepared { result } => self.site_prepared(result, context).await,
            JobMessage::Does { run, what } => {
                self.arguments.view.send_if_modified(|view| Arc::make_mut(view).does(run, Some(what)));
                Ok(())
            }
            JobMessage::RunMoved { run, to, tool_version } => {
                self.happened(JobEvent::RunMoved { run, to, tool_version }).await
            }
            JobMessage::RunEnded { run, ended, counts } => self.run_ended(run, ended, counts).await,
            JobMessage::RunLost { run } => self.run_lost(run).await,
        }
    }
}

impl Job {
    fn publish(&self, event: JobEvent) {
        self.arguments.view.send_if_modified(|view| Arc::make_mut(view).apply(event));
    }

    fn renew(&self, context: &Context<JobMessage>) {
        let JobArguments { id, jobs, lease, .. } = &self.arguments;
        if !faults::is_muted("job.renew") {
            // A manager that is gone takes this actor along.
            drop(jobs.post(JobsMessage::Renew { job: *id, attempt: self.attempt }));
        }
        context.send_after(renew_every(*lease), JobMessage::Renew);
    }

    async fn happened(&self, event: JobEvent) -> Result<(), Stop> {
        self.record(self.attempt, event).await
    }

    /// Stored first, shown after: whoever sees a state finds it in the store.
    async fn record(&self, fence: u32, event: JobEvent) -> Result<(), Stop> {
        let JobArguments { id, shop, .. } = &self.arguments;
        let stored = shop.store.record(*id, Fence::Attempt(fence), event.clone(), Vec::new()).await;
        if !stored.map_err(|error| not_stored(&error))? {
            return self.take_the_stored_for_true().await;
        }
        self.publish(event);
        Ok(())
    }

    /// Something else reached the store before, and only the word of it was lost.
    async fn take_the_stored_for_true(&self) -> Result<(), Stop> {
        let JobArguments { id, shop, view, .. } = &self.arguments;
        let principal = view.borrow().principal.clone();
        let stored = shop.store.job(principal, *id).await.map_err(|error| not_stored(&error))?;
        let stored = stored.ok_or_else(|| Stop::Abnormal("the job is not in the store".to_owned()))?;
        let is_ours = stored.state == JobState::Running && stored.attempt == self.attempt;
        let (is_over, attempt) = (stored.state.is_terminal(), stored.attempt);
        view.send_replace(Arc::new(stored));
        match (is_ours, is_over) {
            (true, _) => Ok(()),
            (false, true) => Err(Stop::Normal),
            (false, false) => Err(Stop::Abnormal(format!(
                "the job is in other hands: attempt {attempt}, this is {}",
                self.attempt
            ))),
        }
    }

    async fn start_runs(
        &mut self,
        planned: Vec<Planned>,
        subject: Subject,
        context: &Context<JobMessage>,
    ) -> Result<(), Stop> {
        self.stage = Stage::Running { _subject: subject.clone() };
        for planned in planned {
            let run = planned.run;
            if let Some(task) = Task::of(planned, &subject) {
                self.start_run(run, task, context).await;
            }
        }
        self.end_if_over().await
    }

    fn planned(&self, job: &JobView, ground: Ground<'_>) -> Vec<Planned> {
        let fresh_id = || RunId::from_random(random::bytes());
        plan(&self.arguments.shop.catalogue, &job.request.tools, ground, fresh_id)
    }

    async fn start_run(&self, run: RunId, task: Task, context: &Context<JobMessage>) {
        let JobArguments { id, deadline, cancel, shop, jobs, .. } = &self.arguments;
        let arguments = RunArguments {
            id: *id,
            run,
            attempt: self.attempt,
            task,
            deadline: *deadline,
            cancel: cancel.clone(),
            workplace: Arc::clone(&shop.workplace),
            store: shop.store.clone(),
            breakers: shop.breakers.clone(),
            sites: shop.sites.clone(),
            job: context.address().clone(),
            jobs: jobs.clone(),
        };
        let started = match self.runs.get() {
            Some(runs) => runs
                .start_server::<Run>(run.to_string(), arguments)
                .await
                .map(drop)
                .map_err(|error| error.to_string()),
            None => Err("the supervisor of the job's runs is gone".to_owned()),
        };
        if let Err(error) = started {
            tracing::error!(%run, error, "a run could not be started");
            drop(context.address().post(JobMessage::RunLost { run }));
        }
    }

    async fn run_ended(&mut self, run: RunId, ended: Ended, counts: [u32; 5]) -> Result<(), Stop> {
        self.publish(JobEvent::RunEnded { run, ended, counts });
        self.end_if_over().await
    }

    /// A run that died without a word is a failure of ours, and is stored as one.
    async fn run_lost(&mut self, run: RunId) -> Result<(), Stop> {
        if !self.arguments.view.borrow().open_runs().any(|open| open == run) {
            return Ok(());
        }
        let outcome =
            Outcome::failed(FailureReason::Internal, "proctor's own actor for this run ended unexpectedly");
        let ended = Ended { outcome, coverage: Coverage::default(), elapsed_ms: 0 };
        self.happened(JobEvent::RunEnded { run, ended, counts: [0; 5] }).await?;
        self.end_if_over().await
    }

    async fn end_if_over(&mut self) -> Result<(), Stop> {
        let (over, cancelled) = {
            let view = self.arguments.view.borrow();
            let is_cancelled = |ended: &Ended| ended.outcome == Outcome::Cancelled;
            let cancelled = view
                .runs
                .iter()
                .any(|run| matches!(&run.state, RunState::Ended(ended) if is_cancelled(ended)));
            (view.open_runs().next().is_none(), cancelled)
        };
        match (over, cancelled) {
            (false, _) => Ok(()),
            (true, true) => self.end(JobState::Cancelled, None, Outcome::Cancelled).await,
            (true, false) => self.end(JobState::Done, None, Outcome::Cancelled).await,
        }
    }

    async fn end(&mut self, state: JobState, error: Option<String>, open_runs: Outcome) -> Result<(), Stop> {
        metrics::counter!("proctor_jobs_total", "state" => state.word()).increment(1);
        faults::point("job.before_end");
        self.happened(JobEvent::Ended { state, error, at: clock::now(), open_runs }).await?;
        Err(Stop::Normal)
    }
}

fn not_stored(error: &StoreError) -> Stop {
    Stop::Abnormal(format!("the job cannot go on, its progress was not stored: {error}"))
}
