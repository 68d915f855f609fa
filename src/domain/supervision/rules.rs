//! What a supervisor is told about itself and its children. Data: no code runs here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::restart::Backoff;

/// After a kill: how long a child may take to die before it is abandoned. A kill ends a handler at its next await
/// point, so only blocking code gets here.
pub const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// OTP's default for a worker.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A child's name, unique within its supervisor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChildId(Arc<str>);

impl ChildId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for ChildId {
    fn from(name: T) -> Self {
        Self(name.as_ref().into())
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Numbers every life and every timer of a supervisor's children. What carries an old one is ignored, so a late timer
/// cannot raise a dead child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// What else goes down with a child, and in what order children live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Nothing: one child's crash is no other's business.
    OneForOne,
    /// All children after it: each depends on those before.
    RestForOne,
    /// All others: they depend on each other.
    OneForAll,
    /// Nothing; children come and go by request, at most `cap` at once, in no order.
    Dynamic { cap: usize },
}

/// Whether a child is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// After an abnormal end only.
    Transient,
    /// Never, not even when a sibling's crash takes it down; its row goes with it.
    Temporary,
}

/// How a child is stopped. Each rung that does not end it in time leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// OTP's `brutal_kill`.
    Kill,
    /// Finish the message in hand, drop the rest; then kill.
    Stop(Duration),
    /// Take nothing new, finish what waits; then stop, then kill.
    Drain { drain: Duration, stop: Duration },
    /// Stop and wait without an end: for supervisors, whose children have deadlines of their own.
    Infinity,
}

/// What a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Worker,
    Supervisor,
}

/// A child's row as data, all but its name and its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub restart: Restart,
    pub shutdown: Shutdown,
    pub kind: Kind,
    pub backoff: Backoff,
    /// A permanent failure of this child is one of its supervisor, too.
    pub essential: bool,
}

impl Rules {
    /// OTP's defaults: permanent, 5 s to stop; the restart comes at once.
    pub const WORKER: Self = Self {
        restart: Restart::Permanent,
        shutdown: Shutdown::Stop(STOP_PATIENCE),
        kind: Kind::Worker,
        backoff: Backoff::NONE,
        essential: false,
    };

    pub const SUPERVISOR: Self =
        Self { shutdown: Shutdown::Infinity, kind: Kind::Supervisor, ..Self::WORKER };
}
