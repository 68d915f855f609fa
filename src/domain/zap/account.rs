//! What a scan did, and what that proves. A ZAP that comes to its end says 100 % also when it had no rules, when nobody
//! read its queue, and when the target was dead: here it is told apart.

use super::answer::{RuleProgress, RuleState};
use super::log::LogReading;
use super::trouble::Trouble;
use crate::domain::outcome::{FailureReason, GAPS_NAMED_MAX, Work};
use crate::domain::target::Phase;

/// Rules named in one sentence.
const NAMED_MAX: usize = 5;

/// What became of passive scanning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passive {
    /// There is none in this ZAP.
    #[default]
    Absent,
    /// All that was seen was looked at.
    Done { rules: u32 },
    /// Of what was seen this much was thrown away, because nothing moved any more, and this much still waited when the time
    /// was over; `any`: something was looked at.
    Short { rules: u32, lost: u32, waiting: u32, any: bool },
}

impl Passive {
    /// What a look at the queue comes to.
    pub const fn of(rules: u32, lost: u32, waiting: u32, any: bool) -> Self {
        match (lost, waiting) {
            (0, 0) => Self::Done { rules },
            _ => Self::Short { rules, lost, waiting, any },
        }
    }

    /// Rules that looked at something.
    const fn rules(self) -> u32 {
        match self {
            Self::Absent | Self::Short { any: false, .. } => 0,
            Self::Done { rules } | Self::Short { rules, .. } => rules,
        }
    }

    /// What is to be said of two looks at the one queue: what was thrown away is lost for good, what waited was the later
    /// look's to see.
    #[must_use]
    pub const fn and(self, later: Self) -> Self {
        match (self, later) {
            (earlier, Self::Absent) => earlier,
            (Self::Absent, later) => later,
            (Self::Done { .. }, Self::Short { rules, lost, waiting, .. }) => {
                Self::of(rules, lost, waiting, true)
            }
            (Self::Short { lost, .. }, Self::Done { rules }) => Self::of(rules, lost, 0, true),
            (Self::Short { lost, any, .. }, Self::Short { rules, lost: more, waiting, any: later_any }) => {
                Self::of(rules, lost.saturating_add(more), waiting, any || later_any)
            }
            (Self::Done { .. }, later @ Self::Done { .. }) => later,
        }
    }
}

/// What became of the attack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// Rules that were switched on.
    pub enabled: u32,
    pub rules: Vec<RuleProgress>,
    pub requests: u32,
    /// How it came to its end, if not by itself.
    pub cut: Option<Cut>,
}

/// Why an attack was not let go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its time was over.
    Late,
    /// Nothing moved any more.
    Stuck,
}

/// All that is known of a scan that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    pub phase: Phase,
    /// URLs of the target that answered.
    pub urls: u32,
    /// Requests that reached the target.
    pub requests: u32,
    pub passive: Passive,
    /// `None` when none was ordered.
    pub active: Option<Active>,
    pub log: LogReading,
    /// What else did not work as it should.
    pub degraded: Vec<String>,
}

const ADD_RULES: &str =
    "install ZAP's rules in the image: the add-ons ascanrules and pscanrules (`zap.image`)";

impl Account {
    /// What was done, and what did not work; or why it is no look at the target at all.
    pub fn conclude(mut self) -> Result<(Work, Vec<String>), Trouble> {
        self.proves_something()?;
        let rules = self.passive.rules().saturating_add(self.active.as_ref().map_or(0, Active::applied));
        let work = Work { urls: self.urls, requests: self.requests, rules };
        self.tell_passive();
        self.tell_active();
        for (rule, times) in &self.log.threw {
            self.degraded.push(format!("rule_threw: {rule} failed {times} times"));
        }
        let unread =
            self.log.unread.map(|why| format!("log_unread: of ZAP's log something is missing: {why}"));
        self.degraded.truncate(GAPS_NAMED_MAX - 1);
        self.degraded.extend(unread);
        Ok((work, self.degraded))
    }

    fn proves_something(&self) -> Result<(), Trouble> {
        if self.urls == 0 {
            let detail = format!("none of the {} requests to the target was answered", self.requests);
            return Err(Trouble::new(FailureReason::TargetUnreachable, detail));
        }
        match &self.active {
            Some(active) => active.proves_something(),
            None => self.passive.proves_something(),
        }
    }

    fn tell_passive(&mut self) {
        match self.passive {
            Passive::Done { .. } => {}
            Passive::Absent => self.degraded.push("passive_absent: this ZAP has no passive rules".to_owned()),
            Passive::Short { lost, waiting, .. } => {
                let stuck =
                    || format!("passive_queue_stuck: {lost} pages were not looked at by the passive rules");
                let late = || format!("passive_late: its time was over with {waiting} pages not looked at");
                self.degraded.extend((lost > 0).then(stuck));
                self.degraded.extend((waiting > 0).then(late));
            }
        }
    }

    fn tell_active(&mut self) {
        let Some(active) = &self.active else { return };
        let cut = active.cut.map(|cut| match cut {
            Cut::Late => "scan_late: the attack was stopped when its time was over".to_owned(),
            Cut::Stuck => "scan_stuck: the attack did not go on and was stopped".to_owned(),
        });
        let named = |what: &str, is: fn(&RuleState) -> bool| {
            let names: Vec<&str> =
                active.rules.iter().filter(|rule| is(&rule.state)).map(|rule| rule.name.as_str()).collect();
            let more = if names.len() > NAMED_MAX { ", …" } else { "" };
            let first = names[..names.len().min(NAMED_MAX)].join(", ");
            (!names.is_empty()).then(|| format!("{what}: {} ({first}{more})", names.len()))
        };
        let skipped = named("rules_skipped", |state| *state == RuleState::Skipped);
        let undone = named("rules_not_run_to_their_end", |state| {
            matches!(state, RuleState::Pending | RuleState::Running { .. })
        });
        self.degraded.extend([cut, skipped, undone].into_iter().flatten());
    }
}

impl Passive {
    fn proves_something(self) -> Result<(), Trouble> {
        match self {
            Self::Absent => Err(no_passive_rules()),
            Self::Short { lost, waiting, any: false, .. } => {
                let pages = lost.saturating_add(waiting);
                let detail = format!("{pages} pages were seen, and none was ever looked at");
                Err(Trouble::new(FailureReason::PassiveQueueStuck, detail))
            }
            Self::Done { .. } | Self::Short { .. } => Ok(()),
        }
    }
}

/// Why a baseline with this ZAP need not even begin.
pub fn no_passive_rules() -> Trouble {
    let detail = "this ZAP has no passive rules, and a baseline has no others";
    Trouble::new(FailureReason::NoRules, detail).advise(ADD_RULES)
}

/// Why an attack with this ZAP need not even begin.
pub fn no_active_rules() -> Trouble {
    let detail = "this ZAP has no active rule switched on: it would end at once at 100 %";
    Trouble::new(FailureReason::NoRules, detail).advise(ADD_RULES)
}

impl Active {
    fn applied(&self) -> u32 {
        let complete = self.rules.iter().filter(|rule| rule.state == RuleState::Complete);
        u32::try_from(complete.count()).unwrap_or(u32::MAX)
    }

    fn proves_something(&self) -> Result<(), Trouble> {
        if self.enabled == 0 {
            return Err(no_active_rules());
        }
        if self.applied() == 0 {
            let detail = format!("of {} active rules none came to its end", self.enabled);
            return Err(Trouble::new(FailureReason::ScanStuck, detail));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
