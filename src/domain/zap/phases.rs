//! What is done to a target, in which order, and how much of the time each stage may have: so that a spider that finds
//! ever more pages leaves time for the attack, and everything leaves time to fetch what was found.

use std::fmt;
use std::time::Duration;

use crate::domain::target::Phase;

/// Kept free at the end: a page of alerts takes ZAP a second when there are thousands.
const HARVEST: Duration = Duration::from_secs(10);

/// A stage of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// A ZAP of its own is had, and answers.
    Ready,
    /// What may be touched is said, and who one is.
    Scope,
    /// The target and the seeds are asked for.
    Seeds,
    /// Links are followed.
    Spider,
    /// Links are followed by a browser, for pages that scripts make.
    Browser,
    /// What was seen is looked at.
    Passive,
    /// What was found is attacked.
    Active,
    /// What the attack saw is looked at.
    PassiveAgain,
    /// The last alerts are fetched.
    Harvest,
}

impl Stage {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "starting",
            Self::Scope => "scope",
            Self::Seeds => "seeds",
            Self::Spider => "spider",
            Self::Browser => "browser",
            Self::Passive | Self::PassiveAgain => "passive",
            Self::Active => "active",
            Self::Harvest => "harvest",
        }
    }

    /// Its part of the whole, in what it usually takes: only people look at it.
    const fn weight(self) -> u32 {
        match self {
            Self::Ready | Self::Seeds | Self::Passive | Self::PassiveAgain => 5,
            Self::Scope | Self::Harvest => 1,
            Self::Spider | Self::Browser => 15,
            Self::Active => 50,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The stages of a scan, in order. `browser`: ZAP has one.
pub fn stages(phase: Phase, browser: bool) -> Vec<Stage> {
    let mut stages = vec![Stage::Ready, Stage::Scope, Stage::Seeds];
    if phase != Phase::Api {
        stages.push(Stage::Spider);
        stages.extend(browser.then_some(Stage::Browser));
    }
    stages.push(Stage::Passive);
    if phase.attacks() {
        stages.extend([Stage::Active, Stage::PassiveAgain]);
    }
    stages.push(Stage::Harvest);
    stages
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    /// Of this stage.
    pub percent: u8,
    /// Of the whole.
    pub overall: u8,
}

impl Progress {
    /// `percent` of `stage`, one of `stages`.
    pub fn of(stages: &[Stage], stage: Stage, percent: u8) -> Self {
        let percent = percent.min(100);
        let weight = |stages: &[Stage]| stages.iter().map(|stage| stage.weight()).sum::<u32>();
        let before = stages.iter().position(|other| *other == stage).unwrap_or(0);
        let done = weight(&stages[..before]) * 100 + stage.weight() * u32::from(percent);
        let overall = done / weight(stages).max(1);
        Self { stage, percent, overall: u8::try_from(overall).unwrap_or(100).min(100) }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} %", self.stage, self.percent)
    }
}

/// The most that stages may take, whatever time there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub spider: Duration,
    pub passive: Duration,
    pub active: Duration,
}

impl Limits {
    /// What `stage` may take when `left` is left for it and all that follow.
    pub fn of(&self, stage: Stage, phase: Phase, left: Duration) -> Duration {
        let left = left.saturating_sub(HARVEST);
        // What follows a spider takes as long again; an attack takes what there is, but for the look at what it saw.
        let share = |tenths: u32| left.saturating_mul(tenths) / 10;
        match (stage, phase.attacks()) {
            (Stage::Spider | Stage::Browser, false) => self.spider.min(share(5)),
            (Stage::Spider | Stage::Browser, true) => self.spider.min(share(3)),
            (Stage::Passive, true) => self.passive.min(share(3)),
            (Stage::Active, _) => self.active.min(share(8)),
            (Stage::Passive | Stage::PassiveAgain, _) => self.passive.min(left),
            (Stage::Ready | Stage::Scope | Stage::Seeds, _) => left,
            (Stage::Harvest, _) => HARVEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        spider: Duration::from_secs(300),
        passive: Duration::from_secs(300),
        active: Duration::from_secs(3600),
    };

    #[test]
    fn a_baseline_sends_no_attack_and_an_api_scan_follows_no_link() {
        let has = |phase, stage| stages(phase, true).contains(&stage);
        assert!(!has(Phase::Baseline, Stage::Active) && has(Phase::Baseline, Stage::Spider));
        assert!(has(Phase::Full, Stage::Active) && has(Phase::Full, Stage::Browser));
        assert!(has(Phase::Api, Stage::Active));
        assert!(!has(Phase::Api, Stage::Spider) && !has(Phase::Api, Stage::Browser));
        assert!(!stages(Phase::Full, false).contains(&Stage::Browser));
    }

    #[test]
    fn progress_only_grows_and_ends_at_100() {
        for phase in Phase::ALL {
            let stages = stages(phase, true);
            let steps = stages.iter().flat_map(|stage| [0, 50, 100].map(|percent| (*stage, percent)));
            let overall: Vec<u8> =
                steps.map(|(stage, percent)| Progress::of(&stages, stage, percent).overall).collect();
            assert!(overall.is_sorted(), "{overall:?}");
            assert_eq!((overall.first(), overall.last()), (Some(&0), Some(&100)));
        }
    }

    #[test]
    fn every_stage_leaves_time_for_those_after_it() {
        for phase in Phase::ALL {
            for seconds in [0, 11, 60, 600, 100_000] {
                let mut left = Duration::from_secs(seconds);
                for stage in stages(phase, true) {
                    if matches!(stage, Stage::Ready | Stage::Scope | Stage::Seeds | Stage::Harvest) {
                        continue;
                    }
                    let limit = LIMITS.of(stage, phase, left);
                    assert!(limit <= left.saturating_sub(HARVEST), "{stage} takes {limit:?} of {left:?}");
                    left -= limit;
                }
                assert!(left >= HARVEST.min(Duration::from_secs(seconds)));
            }
        }
    }

    #[test]
    fn no_stage_takes_more_than_its_own_limit() {
        let day = Duration::from_secs(86_400);
        assert_eq!(LIMITS.of(Stage::Spider, Phase::Full, day), LIMITS.spider);
        assert_eq!(LIMITS.of(Stage::Active, Phase::Full, day), LIMITS.active);
    }
}
