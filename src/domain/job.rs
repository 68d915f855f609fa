//! A job: a target and a plan, and one run per tool.
//!
//! ```text
//! job:  queued → running → done | failed | cancelled
//! run:  waiting → running → parsing → ended(outcome)
//! ```
//! `done` means that every run came to an outcome of its own; what the job says about the target is [`Conclusion`].

use serde::{Deserialize, Serialize};

use super::ids::{JobId, Principal, RunId, ToolName};
use super::outcome::{Coverage, Outcome};
use super::severity::Severity;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// The canonical path of the source tree.
    pub target: String,
    /// The tools asked for; empty means every tool that applies.
    pub tools: Vec<ToolName>,
    /// Seconds the whole job may take.
    pub deadline_s: u32,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Queued,
    Running,
    /// Every run has ended.
    Done,
    /// The job ended before its runs could: the target was unreadable, or the daemon died.
    Failed,
    Cancelled,
}

impl JobState {
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
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
}

/// A job, as its principal may see it. Cheap to clone while it has no findings: those are read page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    pub id: JobId,
    pub principal: Principal,
    pub request: JobRequest,
    pub state: JobState,
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

impl JobView {
    /// What the job says about its target now.
    pub fn conclusion(&self) -> Conclusion {
        match self.state {
            JobState::Queued | JobState::Running => return Conclusion::Pending,
            JobState::Failed | JobState::Cancelled => return Conclusion::Incomplete,
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
        matches!(
            self,
            Self::Ended(Ended {
                outcome: Outcome::Findings { .. } | Outcome::Clean,
                ..
            })
        )
    }
}
