//! A job: a target and a plan, and one run per tool.
//!
//! ```text
//! job:  queued ──started──▶ running ──▶ done | failed | cancelled | expired | quarantined
//!          ▲ └──▶ cancelled, expired   │
//!          └────────handed back────────┘
//! run:  waiting → running → parsing → ended(outcome);  open ones wait again when their job is handed back
//! ```
//! A state is changed by [`JobView::apply`] only. Each start is an attempt, and its number is the fencing token: what an
//! earlier attempt still writes finds another number and changes nothing. Who holds a running job, and for how long, is
//! its [`Lease`](super::lease::Lease); what becomes of a job whose holder is gone is [`super::rescue`].
//! `done` means that every run came to an outcome of its own; what the job says about the target is [`Conclusion`].

use serde::{Deserialize, Serialize};

use super::ids::{JobId, Principal, RunId, ToolName};
use super::outcome::{Coverage, Outcome};
use super::severity::Severity;
use super::target::Target;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    pub target: Target,
    /// The tools asked for; empty means every tool that applies.
    pub tools: Vec<ToolName>,
    /// Seconds the whole job may take, from its submission; from the start of the daemon that takes it up again after one
    /// ended, so that an outage costs nobody his budget.
    pub deadline_s: u32,
    /// It is wanted for as long as its submitter is connected, and no longer.
    #[serde(default)]
    pub attached: bool,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Queued,
    Running,
    /// Every run has ended.
    Done,
    /// The job ended before its runs could: the target was unreadable, or its holder was lost too often.
    Failed,
    Cancelled,
    /// Its deadline passed before it could run.
    Expired,
    /// The daemon or its job engine died more than once while it ran: it may be the cause, and is not tried again.
    Quarantined,
}

impl JobState {
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Quarantined,
    ];

    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Why a running job went back to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandBack {
    /// The daemon was asked to stop before the job was over.
    Drain,
    /// The daemon died.
    DaemonDied,
    /// The job engine died, and its successor took over.
    EngineDied,
    /// The job's own actor ended without a word.
    HolderLost,
    /// The job's own actor did not renew its lease: it hangs.
    LeaseExpired,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// For a slot.
    Waiting,
    Running,
    Parsing,
    Ended(Ended),
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    #[serde(flatten)]
    pub outcome: Outcome,
    pub coverage: Coverage,
    /// Wall time of the process, in milliseconds; 0 when it never ran.
    pub elapsed_ms: u64,
}

/// One tool's run, as anybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    pub id: RunId,
    pub tool: ToolName,
    /// Version of the tool that ran, once known.
    pub tool_version: Option<String>,
    #[serde(flatten)]
    pub state: RunState,
    /// What it does right now, for people. Told as it comes and never stored: the newest is all there is.
    #[serde(skip)]
    pub doing: Option<String>,
}

/// A job, as its principal may see it. Cheap to clone while it has no findings: those are read page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    pub id: JobId,
    pub principal: Principal,
    pub request: JobRequest,
    pub state: JobState,
    /// How often it was started. The fencing token of whoever holds it.
    #[serde(default)]
    pub attempt: u32,
    /// How often the daemon or its job engine died while it ran.
    #[serde(default)]
    pub deaths: u32,
    /// How often its actor was lost.
    #[serde(default)]
    pub losses: u32,
    /// Somebody asked for it to stop, and it will not be taken up again.
    #[serde(default)]
    pub cancel_asked: bool,
    /// Why the job as a whole failed.
    pub error: Option<String>,
    /// RFC 3339, UTC.
    pub submitted_at: String,
    pub ended_at: Option<String>,
    /// SHA-256 over the snapshot's paths and contents, once taken.
    pub content_digest: Option<String>,
    /// Files of the target that no tool was shown, and why; counted whole, named up to a limit.
    pub left_out: Coverage,
    pub runs: Vec<RunView>,
    /// Findings so far, by severity, least first.
    pub counts: [u32; 5],
    /// How the target is being prepared right now; as in [`RunView::doing`].
    #[serde(skip)]
    pub doing: Option<String>,
}

/// What a finished job says about its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Every applicable tool looked at everything and found nothing.
    Clean,
    /// There are findings, and every applicable tool looked at everything.
    Findings,
    /// Something failed, was cancelled or read only a part: what is not reported may still be there.
    Incomplete,
    /// Not ended yet.
    Pending,
}

/// What can happen to a job, in past tense. Stored as it is: a released shape is only added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEvent {
    /// It left the queue: the next attempt has begun.
    Started,
    /// Somebody asked for it to stop.
    CancelAsked,
    /// It went back to the queue; what has ended stays ended.
    HandedBack { why: HandBack },
    /// Its target was copied and hashed.
    SnapshotTaken { digest: String, left_out: Coverage },
    /// What an app is made from has been read, and it is being started from that.
    AppRead { digest: String },
    /// Its runs are known; those that do not apply have ended already.
    Planned { runs: Vec<RunView> },
    /// A run went on to another state that is not its end.
    RunMoved { run: RunId, to: RunState, tool_version: Option<String> },
    /// A run ended, with its findings by severity.
    RunEnded { run: RunId, ended: Ended, counts: [u32; 5] },
    /// The job is over; runs still open end as `open_runs` says.
    Ended { state: JobState, error: Option<String>, at: String, open_runs: Outcome },
}

impl JobView {
    /// A job that was just let in.
    pub fn queued(id: JobId, principal: Principal, request: JobRequest, submitted_at: String) -> Self {
        Self {
            id,
            principal,
            request,
            state: JobState::Queued,
            attempt: 0,
            deaths: 0,
            losses: 0,
            cancel_asked: false,
            error: None,
            submitted_at,
            ended_at: None,
            content_digest: None,
            left_out: Coverage::default(),
            runs: Vec::new(),
            counts: [0; 5],
            doing: None,
        }
    }

    /// Takes in what is being done right now: by a run that has not ended, or to prepare the target. Returns whether
    /// anything changed.
    pub fn does(&mut self, run: Option<RunId>, what: Option<String>) -> bool {
        let place = match run {
            None => Some(&mut self.doing),
            Some(run) => self.open_run(run).map(|view| &mut view.doing),
        };
        let changed = place.filter(|place| **place != what);
        changed.map(|place| *place = what).is_some()
    }

    /// Takes an event in. What comes too late (a run that has ended, a job that is over or was handed back) changes
    /// nothing, so that a cancel that crosses a result, or a repeated message, is harmless. Returns whether anything
    /// changed.
    pub fn apply(&mut self, event: JobEvent) -> bool {
        match (self.state, event) {
            (JobState::Queued, JobEvent::Started) => {
                self.state = JobState::Running;
                self.attempt = self.attempt.saturating_add(1);
                true
            }
            (JobState::Queued | JobState::Running, JobEvent::CancelAsked) => {
                !std::mem::replace(&mut self.cancel_asked, true)
            }
            (JobState::Queued | JobState::Running, JobEvent::Ended { state, error, at, open_runs }) => {
                self.state = state;
                self.error = error;
                self.ended_at = Some(at);
                self.end_open_runs(&open_runs);
                true
            }
            (JobState::Running, event) => self.progress(event),
            _ => false,
        }
    }

    /// What can happen only while somebody holds the job.
    fn progress(&mut self, event: JobEvent) -> bool {
        match event {
            JobEvent::SnapshotTaken { digest, left_out } => {
                self.content_digest = Some(digest);
                self.left_out = left_out;
                true
            }
            JobEvent::AppRead { digest } => {
                self.content_digest = Some(digest);
                true
            }
            JobEvent::Planned { runs } => {
                self.runs = runs;
                true
            }
            JobEvent::RunMoved { run, to, tool_version } => self.run_moved(run, to, tool_version),
            JobEvent::RunEnded { run, ended, counts } => self.run_ended(run, ended, counts),
            JobEvent::HandedBack { why } => {
                self.handed_back(why);
                true
            }
            JobEvent::Started | JobEvent::CancelAsked | JobEvent::Ended { .. } => false,
        }
    }

    fn handed_back(&mut self, why: HandBack) {
        self.state = JobState::Queued;
        match why {
            HandBack::Drain => {}
            HandBack::DaemonDied | HandBack::EngineDied => self.deaths = self.deaths.saturating_add(1),
            HandBack::HolderLost | HandBack::LeaseExpired => self.losses = self.losses.saturating_add(1),
        }
        for view in self.runs.iter_mut().filter(|view| !matches!(view.state, RunState::Ended(_))) {
            view.state = RunState::Waiting;
        }
    }

    fn open_run(&mut self, run: RunId) -> Option<&mut RunView> {
        self.runs.iter_mut().find(|view| view.id == run && !matches!(view.state, RunState::Ended(_)))
    }

    fn run_moved(&mut self, run: RunId, to: RunState, tool_version: Option<String>) -> bool {
        let Some(view) = self.open_run(run) else {
            return false;
        };
        view.state = to;
        view.tool_version = tool_version.or(view.tool_version.take());
        true
    }

    fn run_ended(&mut self, run: RunId, ended: Ended, counts: [u32; 5]) -> bool {
        let Some(view) = self.open_run(run) else {
            return false;
        };
        view.state = RunState::Ended(ended);
        view.doing = None;
        for (total, count) in self.counts.iter_mut().zip(counts) {
            *total = total.saturating_add(count);
        }
        true
    }

    fn end_open_runs(&mut self, outcome: &Outcome) {
        for view in &mut self.runs {
            if !matches!(view.state, RunState::Ended(_)) {
                let ended = Ended { outcome: outcome.clone(), coverage: Coverage::default(), elapsed_ms: 0 };
                view.state = RunState::Ended(ended);
            }
        }
    }

    /// Runs that have not ended.
    pub fn open_runs(&self) -> impl Iterator<Item = RunId> + '_ {
        self.runs.iter().filter(|view| !matches!(view.state, RunState::Ended(_))).map(|view| view.id)
    }

    /// What the job says about its target now.
    pub fn conclusion(&self) -> Conclusion {
        match self.state {
            JobState::Queued | JobState::Running => return Conclusion::Pending,
            JobState::Failed | JobState::Cancelled | JobState::Expired | JobState::Quarantined => {
                return Conclusion::Incomplete;
            }
            JobState::Done => {}
        }
        let whole = self.left_out.missed == 0 && self.runs.iter().all(|run| run.state.is_whole());
        let looked = self.runs.iter().any(|run| run.state.has_looked());
        match (whole && looked, self.counts.iter().all(|count| *count == 0)) {
            (false, _) => Conclusion::Incomplete,
            (true, true) => Conclusion::Clean,
            (true, false) => Conclusion::Findings,
        }
    }

    /// Findings at `threshold` or above.
    pub fn at_or_above(&self, threshold: Severity) -> u32 {
        Severity::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(severity, _)| *severity >= threshold)
            .map(|(_, count)| count)
            .sum()
    }
}

impl RunState {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Parsing => "parsing",
            Self::Ended(ended) => match ended.outcome {
                Outcome::Findings { .. } => "findings",
                Outcome::Clean => "clean",
                Outcome::NotApplicable { .. } => "not_applicable",
                Outcome::Failed(_) => "failed",
                Outcome::Cancelled => "cancelled",
            },
        }
    }

    const fn is_whole(&self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Parsing => false,
            Self::Ended(ended) => match ended.outcome {
                Outcome::NotApplicable { .. } => true,
                Outcome::Findings { .. } | Outcome::Clean => !ended.coverage.is_degraded(),
                Outcome::Failed(_) | Outcome::Cancelled => false,
            },
        }
    }

    const fn has_looked(&self) -> bool {
        matches!(self, Self::Ended(Ended { outcome: Outcome::Findings { .. } | Outcome::Clean, .. }))
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
