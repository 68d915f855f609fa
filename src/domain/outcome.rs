//! How a tool run ends: exactly one of four outcomes, or cancelled. "Failed" never looks like "clean".

use serde::{Deserialize, Serialize};

/// Files named one by one in a coverage report; the rest is only counted.
pub const GAPS_NAMED_MAX: usize = 200;

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The tool reported at least one finding.
    Findings { count: u32 },
    /// The tool examined something, proved it, and reported nothing.
    Clean,
    /// Nothing in the target is this tool's business.
    NotApplicable { why: String },
    /// No statement about the target can be made.
    Failed(Failure),
    /// Somebody asked for it to stop.
    Cancelled,
}

/// Why a run failed, with what a person needs to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub reason: FailureReason,
    /// One sentence: what was seen, on which input.
    pub detail: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The end of the tool's standard error, cleaned; the cause is at the end, not at the start.
    pub stderr_tail: String,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
}

impl Outcome {
    /// A failure with nothing but its reason and what was seen.
    pub fn failed(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self::Failed(Failure::new(reason, detail))
    }
}

impl Failure {
    /// A failure with nothing but its reason and what was seen.
    pub fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            advice: None,
            stderr_tail: String::new(),
            retryable: reason.retryable(),
        }
    }
}

/// The closed list of reasons. A new one is added here and in [`FailureReason::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The binary is not installed.
    ToolMissing,
    /// The binary is there and could not be started.
    SpawnFailed,
    /// The tool ended by a signal nobody here sent (crash, OOM killer, `kill -9`).
    Signalled,
    /// It needed more memory than it may have, and the kernel ended it.
    MemoryExceeded,
    /// The deadline passed; the whole process group is dead.
    TimedOut,
    /// More output than any report of this tool has; killed.
    OutputFlood,
    /// An exit code the manifest calls a failure, or does not know.
    UnexpectedExit,
    /// The report is empty or missing where the exit code promised one.
    EmptyReport,
    /// The report is there and is not what the format says.
    UnreadableReport,
    /// The report is well-formed and proves no work.
    NoProofOfWork,
    /// The tool needs a service it could not reach or that refused it.
    ServiceUnavailable,
    /// What the tool depends on has failed several times in a row, so nothing was started.
    DependencyOpen,
    /// The container engine cannot be reached.
    EngineUnavailable,
    /// The image is not here and cannot be pulled.
    ImageMissing,
    /// The app under test could not be built or did not come up.
    AppFailed,
    /// The target could not be read into a snapshot.
    TargetUnreadable,
    /// The target is no longer what the job began with, before it was interrupted.
    TargetChanged,
    /// Nothing answers at the target's address.
    TargetUnreachable,
    /// The target answered, and stopped doing so while it was looked at.
    TargetLost,
    /// The configuration does not allow this address to be touched.
    TargetRefused,
    /// The login did not work: what only a user sees was not looked at.
    LoginFailed,
    /// The web scanner did not come up in its time.
    ZapUnready,
    /// The web scanner ended in the midst of the scan, and its successor, too.
    ZapDied,
    /// The web scanner hangs up on its own client: wrong key, or an address it does not permit.
    ZapRefused,
    /// The web scanner has no rule to apply.
    NoRules,
    /// Pages waited to be looked at, and nothing looked at them.
    PassiveQueueStuck,
    /// An attack neither went on nor could be stopped.
    ScanStuck,
    /// It needed more room on the disk than it may have.
    DiskLimit,
    /// The daemon or its job engine died while the run was under way.
    DaemonRestarted,
    /// A defect of proctor: a panic in a parser or an actor.
    Internal,
}

impl FailureReason {
    /// The word on the wire, in metrics and in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ToolMissing => "tool_missing",
            Self::SpawnFailed => "spawn_failed",
            Self::Signalled => "signalled",
            Self::MemoryExceeded => "memory_exceeded",
            Self::TimedOut => "timed_out",
            Self::OutputFlood => "output_flood",
            Self::UnexpectedExit => "unexpected_exit",
            Self::EmptyReport => "empty_report",
            Self::UnreadableReport => "unreadable_report",
            Self::NoProofOfWork => "no_proof_of_work",
            Self::ServiceUnavailable => "service_unavailable",
            Self::DependencyOpen => "dependency_open",
            Self::EngineUnavailable => "engine_unavailable",
            Self::ImageMissing => "image_missing",
            Self::AppFailed => "app_failed",
            Self::TargetUnreadable => "target_unreadable",
            Self::TargetChanged => "target_changed",
            Self::TargetUnreachable => "target_unreachable",
            Self::TargetLost => "target_lost",
            Self::TargetRefused => "target_refused",
            Self::LoginFailed => "login_failed",
            Self::ZapUnready => "zap_unready",
            Self::ZapDied => "zap_died",
            Self::ZapRefused => "zap_refused",
            Self::NoRules => "no_rules",
            Self::PassiveQueueStuck => "passive_queue_stuck",
            Self::ScanStuck => "scan_stuck",
            Self::DiskLimit => "disk_limit",
            Self::DaemonRestarted => "daemon_restarted",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later, unchanged.
    pub const fn retryable(self) -> bool {
        match self {
            Self::Signalled
            | Self::TimedOut
            | Self::ServiceUnavailable
            | Self::DependencyOpen
            | Self::EngineUnavailable
            | Self::TargetChanged
            | Self::TargetUnreachable
            | Self::TargetLost
            | Self::ZapUnready
            | Self::ZapDied
            | Self::DaemonRestarted => true,
            Self::ToolMissing
            | Self::SpawnFailed
            | Self::MemoryExceeded
            | Self::OutputFlood
            | Self::UnexpectedExit
            | Self::EmptyReport
            | Self::UnreadableReport
            | Self::NoProofOfWork
            | Self::ImageMissing
            | Self::AppFailed
            | Self::TargetUnreadable
            | Self::TargetRefused
            | Self::LoginFailed
            | Self::ZapRefused
            | Self::NoRules
            | Self::PassiveQueueStuck
            | Self::ScanStuck
            | Self::DiskLimit
            | Self::Internal => false,
        }
    }
}

/// How much of what the tool should have looked at it did look at. Of a tree: its files, counted against the snapshot's
/// list, never against the tool's own idea of the target. Of a running target: the URLs that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// Files of the snapshot that are this tool's business; URLs that were asked for.
    pub expected: u32,
    /// Of those, files the tool proved to have read; URLs that answered.
    pub examined: u32,
    /// The rest, counted; `examined + missed == expected`.
    pub missed: u32,
    /// The first [`GAPS_NAMED_MAX`] of the missed, by path.
    pub gaps: Vec<Gap>,
    /// What was done to a running target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// What did not work as it should, though the run came to its end (a rule that threw, a part that is absent): in the
    /// order in which it was seen, at most [`GAPS_NAMED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
}

/// What was done to a running target: its proof of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Work {
    /// URLs that answered.
    pub urls: u32,
    /// Requests sent.
    pub requests: u32,
    /// Rules applied; 0 for a tool that has none.
    pub rules: u32,
}

impl Coverage {
    /// A degraded run made a statement about a part of the target only.
    pub const fn is_degraded(&self) -> bool {
        self.missed > 0 || !self.degraded.is_empty()
    }
}

/// A file or URL that was not examined, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Relative to the target's root; absolute for a URL.
    pub path: String,
    /// The tool's own words where it has any ("syntax error while parsing AST"), else ours.
    pub why: String,
}
