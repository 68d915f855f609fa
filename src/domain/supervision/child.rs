//! One row of the table: a child, the state of its present life, and its record.

use std::time::Duration;

use super::requests::Ticket;
use super::rules::{ChildId, Generation, Restart, Rules};

/// A child's row.
#[derive(Debug, Clone)]
pub struct Child {
    pub id: ChildId,
    pub rules: Rules,
    pub status: Status,
    /// Restarts over the supervisor's life.
    pub restarts: u32,
    /// Failures since it last ran steadily: what the backoff doubles by.
    pub(super) failures: u32,
    pub last_failure: Option<String>,
    /// It must be stopped with its group when its turn comes, and this follows.
    pub(super) doom: Option<Then>,
    /// Who waits for its start.
    pub(super) start_ticket: Option<Ticket>,
    /// Who waits for its end.
    pub(super) stop_tickets: Vec<Ticket>,
}

/// The state of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is to start when its turn comes.
    Pending(Origin),
    Starting {
        generation: Generation,
        origin: Origin,
    },
    Running {
        generation: Generation,
        since: Duration,
    },
    /// It failed and is restarted when its timer fires.
    Waiting {
        timer: Generation,
    },
    Stopping(Stopping),
    Down(Down),
}

/// Why it is started: who hears of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Boot,
    /// `start_child`: if the start fails, there is no such child.
    Added,
    /// `restart_child`: if the start fails, it stays down.
    Asked,
    Restart,
}

/// A life that is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopping {
    pub generation: Generation,
    pub(super) rung: Rung,
    /// The timer of the present rung.
    pub(super) timer: Generation,
    pub(super) then: Then,
}

/// How hard a child is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rung {
    Drain,
    Stop,
    Kill,
}

/// What follows a child's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Restart,
    Down,
    Remove,
}

/// Why nothing runs and nothing is going to, until somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// It ended and its restart rule asks for no more.
    Done,
    /// Its init said that there is nothing to do.
    Ignored,
    /// Somebody asked for it.
    Stopped,
    /// It cannot start; why.
    Unavailable(String),
}

impl Child {
    pub(super) fn new(id: ChildId, rules: Rules, origin: Origin, start_ticket: Option<Ticket>) -> Self {
        Self {
            id,
            rules,
            status: Status::Pending(origin),
            restarts: 0,
            failures: 0,
            last_failure: None,
            doom: None,
            start_ticket,
            stop_tickets: Vec::new(),
        }
    }

    /// The life that is starting, running or being ended.
    pub fn generation(&self) -> Option<Generation> {
        match &self.status {
            Status::Starting { generation, .. } | Status::Running { generation, .. } => Some(*generation),
            Status::Stopping(stopping) => Some(stopping.generation),
            Status::Pending(_) | Status::Waiting { .. } | Status::Down(_) => None,
        }
    }

    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running { .. })
    }

    /// What follows when its group is restarted.
    pub(super) fn after_group_stop(&self) -> Then {
        match self.rules.restart {
            Restart::Permanent | Restart::Transient => Then::Restart,
            Restart::Temporary => Then::Remove,
        }
    }

    /// The timer whose firing would change something.
    pub fn timer(&self) -> Option<Generation> {
        match &self.status {
            Status::Waiting { timer } => Some(*timer),
            Status::Stopping(stopping) => Some(stopping.timer),
            Status::Pending(_) | Status::Starting { .. } | Status::Running { .. } | Status::Down(_) => None,
        }
    }
}

impl Status {
    /// One word for the tree.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Pending(_) => "pending",
            Status::Starting { .. } => "starting",
            Status::Running { .. } => "running",
            Status::Waiting { .. } => "restarting",
            Status::Stopping(_) => "stopping",
            Status::Down(Down::Done) => "done",
            Status::Down(Down::Ignored) => "ignored",
            Status::Down(Down::Stopped) => "stopped",
            Status::Down(Down::Unavailable(_)) => "unavailable",
        }
    }
}
