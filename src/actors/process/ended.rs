//! How a run ended, and what is left of it: its output, its cost, no process.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::sandbox::Built;

/// The end of one run. When it is returned, no process of the run is alive (but see `stuck`).
#[derive(Debug)]
pub struct Ended {
    pub how: How,
    pub stdout: Captured,
    pub stderr: Captured,
    /// From the call of `run` to the last process's end.
    pub elapsed: Duration,
    /// `None` when nothing was started or it is `stuck`.
    pub usage: Option<Usage>,
    pub memory_limit: MemoryLimit,
    /// The walls of its sandbox; none when it wanted none or did not start.
    pub walls: Built,
    /// Something survived SIGKILL for ten seconds, as only a process that hangs in the kernel does (a dead disk or network
    /// mount). It is waited for in the background.
    pub stuck: bool,
}

impl Ended {
    /// The end of a run that others held (a container's).
    pub fn elsewhere(how: How, began: Instant) -> Self {
        Self::without_a_start(how, began)
    }

    /// The end of a run that never began.
    pub(super) fn without_a_start(how: How, began: Instant) -> Self {
        Self {
            how,
            stdout: Captured::default(),
            stderr: Captured::default(),
            elapsed: began.elapsed(),
            usage: None,
            memory_limit: MemoryLimit::NotAsked,
            walls: Built::default(),
            stuck: false,
        }
    }
}

/// Why a run is over. What we did to it wins over what it did because of that: a tool that exits 0 on our SIGTERM after
/// the deadline has `TimedOut`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with this exit code (0 to 255).
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// It was still running at the end of `limits.wall`.
    TimedOut,
    /// A stream grew over `limits.output_bytes`.
    Flooded,
    /// It wrote more to the disk than it may: of what runs elsewhere.
    Filled,
    /// The caller's token was cancelled.
    Cancelled,
    /// It never ran, or nobody can say what it did.
    NotStarted { obstacle: Obstacle, detail: String },
}

/// What keeps a tool from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no such program, or no interpreter for it.
    Missing,
    /// A sandbox is required, and this machine has no wall for it.
    NoSandbox,
    Other,
}

impl How {
    /// Whether it ended without our doing.
    pub(super) const fn is_by_itself(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::Signalled(_))
    }
}

/// What the run cost: the leader and every descendant it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub cpu: Duration,
    /// The largest resident set of any one process, in bytes.
    pub max_rss_bytes: u64,
}

/// What became of `limits.memory_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    NotAsked,
    /// Held by a cgroup; nobody was killed for it.
    Kept,
    /// Held by a cgroup; the kernel killed at least one process of the run.
    Exceeded,
    /// This machine gives us no memory cgroup: the run was not limited.
    NotEnforced,
}

/// One stream of a run.
#[derive(Debug, Default)]
pub struct Captured {
    /// The stream in a file, up to `limits.output_bytes`; see `spill` for whether it is all of it.
    pub path: PathBuf,
    /// The first 64 KiB.
    pub head: Vec<u8>,
    /// The last 256 KiB. Overlaps `head` while the whole stream is shorter than both.
    pub tail: Vec<u8>,
    /// Bytes the tool wrote, whether kept or not.
    pub total_bytes: u64,
    pub spill: Spill,
}

impl Captured {
    /// More was said than came here.
    pub fn breaks_off(&mut self, why: &str) {
        if self.spill == Spill::Whole {
            self.spill = Spill::Broken(format!("{}: broke off: {why}", self.path.display()));
        }
    }
}

/// How much of a stream is in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Spill {
    #[default]
    Whole,
    /// The stream went on after the quota; the file ends there.
    OverQuota,
    /// Writing or reading failed (a full disk, a pipe nobody closes): the file is a part of the stream.
    Broken(String),
}
