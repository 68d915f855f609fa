//! A circuit breaker: after failures in a row of something that many depend on, nobody waits for it any more; from time
//! to time one caller tries it for all.
//!
//! ```text
//!           failures in a row                 reset is over, somebody asks
//! closed ──────────────────────▶ open{until} ─────────────────────────────▶ probing ──success──▶ closed
//!                                   ▲ ▲──────────── failure, reset doubled ────┘ │
//!                                   └──────────── given back unused ─────────────┘ the next one may try at once
//! ```
//! It counts failures of the dependency only: never what a target or a caller did, never a cancel. Time is passed in, as
//! the age of whoever holds it.

use std::time::Duration;

use super::ids::ToolName;
use super::outcome::{FailureReason, Outcome};

/// What many depend on. Closed: a new one is added here and in [`Dependency::word`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    /// The program of a tool, and the service that it cannot work without.
    Tool(ToolName),
    /// The web scanner's containers.
    Zap,
}

impl Dependency {
    /// The word in metrics and in failures.
    pub fn word(&self) -> String {
        match self {
            Self::Tool(name) => format!("tool {name}"),
            Self::Zap => "zap".to_owned(),
        }
    }
}

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Failures in a row.
    pub failures_max: u32,
    /// Until the first probe; doubled with each one that fails.
    pub reset: Duration,
    pub reset_max: Duration,
}

/// What came of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The dependency did its part.
    Works,
    /// It did not.
    Fails,
    /// Nothing is known of it: the use was cancelled, or failed for another's reason.
    Unknown,
}

/// A right to use the dependency. What comes of it counts only for the state in which it was given: a use that began
/// before an outage says nothing of the time after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    epoch: u64,
}

/// The answer to somebody who wants to use the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Go(Ticket),
    /// It is known to be down; it will be tried again at this age.
    Down {
        until: Duration,
    },
    /// Somebody is trying it.
    Trying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, reset: Duration },
    Probing { reset: Duration },
}

/// The breaker of one dependency.
#[derive(Debug)]
pub struct Breaker {
    rules: Rules,
    state: State,
    /// Of the present state.
    epoch: u64,
}

impl Breaker {
    pub const fn new(rules: Rules) -> Self {
        Self { rules, state: State::Closed { failures: 0 }, epoch: 0 }
    }

    /// Somebody wants to use it. Of all who ask of a dependency that may be back, one goes.
    pub fn ask(&mut self, now: Duration) -> Answer {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until, .. } if now < until => return Answer::Down { until },
            State::Open { reset, .. } => self.enter(State::Probing { reset }),
            State::Probing { .. } => return Answer::Trying,
        }
        Answer::Go(Ticket { epoch: self.epoch })
    }

    /// What came of a use.
    pub fn report(&mut self, ticket: Ticket, verdict: Verdict, now: Duration) {
        if ticket.epoch != self.epoch {
            return;
        }
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Works) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, Verdict::Fails) if failures + 1 < self.rules.failures_max => {
                self.state = State::Closed { failures: failures + 1 };
            }
            (State::Closed { .. }, Verdict::Fails) => self.open(self.rules.reset, now),
            (State::Probing { .. }, Verdict::Works) => self.enter(State::Closed { failures: 0 }),
            (State::Probing { reset }, Verdict::Fails) => self.open(reset.saturating_mul(2), now),
            (State::Probing { reset }, Verdict::Unknown) => self.enter(State::Open { until: now, reset }),
            (State::Closed { .. }, Verdict::Unknown) | (State::Open { .. }, _) => {}
        }
    }

    fn open(&mut self, reset: Duration, now: Duration) {
        let reset = reset.min(self.rules.reset_max);
        self.enter(State::Open { until: now.saturating_add(reset), reset });
    }

    fn enter(&mut self, state: State) {
        self.epoch += 1;
        self.state = state;
    }

    /// Whether nobody but a probe gets through.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// The age from which somebody may try it; `None` while it is closed or being tried.
    pub const fn opens_at(&self) -> Option<Duration> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed { .. } | State::Probing { .. } => None,
        }
    }
}

/// What a run says of its tool as a dependency: a program that cannot be started and a service that is not there are
/// failures of it. What the tool thinks of its files is none, nor is a missing program: that one is installed, and works.
pub const fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Findings { .. } | Outcome::Clean => Verdict::Works,
        Outcome::Failed(failure) => match failure.reason {
            FailureReason::SpawnFailed | FailureReason::ServiceUnavailable => Verdict::Fails,
            _ => Verdict::Unknown,
        },
        Outcome::NotApplicable { .. } | Outcome::Cancelled => Verdict::Unknown,
    }
}

/// Whether a job that asks for `tools` (none: for all that there are) had better wait: none of them can do anything now.
pub fn is_held(tools: &[ToolName], is_down: impl Fn(&ToolName) -> bool) -> bool {
    !tools.is_empty() && tools.iter().all(is_down)
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
