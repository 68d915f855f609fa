//! When a part of ZAP hangs, and what helps. Each watch is told what was seen and when, and says what to do next; nothing
//! that hangs is waited for without an end.
//!
//! ```text
//! passive: draining ──unchanged──▶ rescued (queue cleared, rule off) ──unchanged──▶ given up
//! active:  running  ──unchanged──▶ skipping that rule ──unchanged──▶ stopping ──still there──▶ left to die with ZAP
//! ```

use std::time::Duration;

use super::answer::{RuleProgress, RuleState, Task};

/// How long a value has been what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still<T> {
    last: Option<(T, Duration)>,
}

impl<T> Default for Still<T> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<T: PartialEq> Still<T> {
    /// The value at `now`; how long it has been the same.
    pub fn saw(&mut self, now: Duration, value: T) -> Duration {
        match &self.last {
            Some((last, since)) if *last == value => now.saturating_sub(*since),
            _ => {
                self.last = Some((value, now));
                Duration::ZERO
            }
        }
    }
}

/// What to do about the passive queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassiveStep {
    /// Nothing waits any more.
    Empty,
    Wait,
    /// Clear the queue, and switch off the rules of these names, which hold it.
    Rescue {
        rules: Vec<String>,
        lost: u32,
    },
    /// It was cleared and is stuck again: go on without.
    GiveUp {
        lost: u32,
    },
}

/// Watches the queue of pages that wait for the passive rules.
#[derive(Debug)]
pub struct PassiveWatch {
    stuck_after: Duration,
    waiting: Still<u32>,
    previous: Option<u32>,
    /// Whether a page ever left the queue by being looked at.
    drained: bool,
    rescued: bool,
}

impl PassiveWatch {
    pub const fn new(stuck_after: Duration) -> Self {
        let waiting = Still { last: None };
        Self { stuck_after, waiting, previous: None, drained: false, rescued: false }
    }

    /// A look at the queue begins: what was seen in an earlier one is no measure of time.
    pub fn begin(&mut self) {
        self.waiting = Still::default();
        self.previous = None;
    }

    /// Pages that wait at `now`, and what the rules are at.
    pub fn step(&mut self, now: Duration, waiting: u32, tasks: &[Task]) -> PassiveStep {
        if self.previous.is_some_and(|previous| waiting < previous) {
            self.drained = true;
        }
        self.previous = Some(waiting);
        if waiting == 0 {
            // A queue that was emptied by us proves nothing.
            self.drained |= !self.rescued;
            self.waiting = Still::default();
            return PassiveStep::Empty;
        }
        if self.waiting.saw(now, waiting) < self.stuck_after {
            return PassiveStep::Wait;
        }
        if self.rescued {
            return PassiveStep::GiveUp { lost: waiting };
        }
        self.rescued = true;
        // What the clearing itself takes away is no sign of life, and the time begins anew.
        self.begin();
        let mut rules: Vec<String> = tasks.iter().map(|task| task.name.clone()).collect();
        rules.retain(|name| !name.is_empty());
        rules.sort_unstable();
        rules.dedup();
        PassiveStep::Rescue { rules, lost: waiting }
    }

    /// Whether the queue was ever seen to be worked off.
    pub const fn has_drained(&self) -> bool {
        self.drained
    }
}

/// What to do about an active scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActiveStep {
    Wait,
    /// This rule does nothing any more.
    Skip {
        id: String,
        name: String,
    },
    /// Skipping did not help, or its time is over.
    Stop,
    /// It is deaf to all: what it found is there, and it ends with its ZAP.
    Leave,
}

/// A host and rule, where the rule stands, its requests and alerts.
type RuleWork = (String, String, RuleState, u32, u32);

/// Watches an active scan by what its rules have done. Their own clocks run on while they hang.
#[derive(Debug)]
pub struct ActiveWatch {
    stuck_after: Duration,
    /// From a stop to its effect.
    stop_after: Duration,
    work: Still<Vec<RuleWork>>,
    skipped: Vec<String>,
    stopped_at: Option<Duration>,
}

impl ActiveWatch {
    pub fn new(stuck_after: Duration, stop_after: Duration) -> Self {
        Self { stuck_after, stop_after, work: Still::default(), skipped: Vec::new(), stopped_at: None }
    }

    /// The rules of a scan that is not over at `now`. `late`: its time is over.
    pub fn step(&mut self, now: Duration, rules: &[RuleProgress], late: bool) -> ActiveStep {
        if let Some(stopped_at) = self.stopped_at {
            let waited = now.saturating_sub(stopped_at);
            return if waited < self.stop_after { ActiveStep::Wait } else { ActiveStep::Leave };
        }
        let key = |rule: &RuleProgress| {
            (rule.host.clone(), rule.id.clone(), rule.state, rule.requests, rule.alerts)
        };
        let still = self.work.saw(now, rules.iter().map(key).collect());
        if late {
            return self.stop(now);
        }
        if still < self.stuck_after {
            return ActiveStep::Wait;
        }
        self.work = Still::default();
        let running = rules.iter().find(|rule| matches!(rule.state, RuleState::Running { .. }));
        match running {
            Some(rule) if !self.skipped.contains(&rule.id) => {
                self.skipped.push(rule.id.clone());
                ActiveStep::Skip { id: rule.id.clone(), name: rule.name.clone() }
            }
            _ => self.stop(now),
        }
    }

    const fn stop(&mut self, now: Duration) -> ActiveStep {
        self.stopped_at = Some(now);
        ActiveStep::Stop
    }
}

/// Counts calls in a row that had no answer.
#[derive(Debug)]
pub struct SilenceWatch {
    dead_after: Duration,
    since: Option<Duration>,
}

impl SilenceWatch {
    pub const fn new(dead_after: Duration) -> Self {
        Self { dead_after, since: None }
    }

    pub const fn answered(&mut self) {
        self.since = None;
    }

    /// A call that was made at `asked` had no answer by `now`. Whether nobody is there any more.
    pub fn is_dead(&mut self, asked: Duration, now: Duration) -> bool {
        let since = *self.since.get_or_insert(asked);
        now.saturating_sub(since) >= self.dead_after
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
