//! How short memory is, and what may still begin then. Pure: readings are passed in.
//!
//! ```text
//!  calm ──80 %──▶ no jobs ──90 %──▶ no connections ──95 %──▶ shedding
//!    ◀───75 %─────   ◀────85 %─────────   ◀─────90 %───────────
//! ```
//! A level is left five points below where it began: a load that hovers at a mark does not flap.

use std::fmt;

/// Points below its mark at which a level ends.
const HYSTERESIS: u64 = 5;

/// What is still taken on, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    #[default]
    Calm,
    /// No job is taken or started; what runs goes on.
    NoJobs,
    /// Nobody new is let in, either.
    NoConnections,
    /// The newest idle sessions are sent away.
    Shedding,
}

impl Level {
    const ABOVE_CALM: [Self; 3] = [Self::NoJobs, Self::NoConnections, Self::Shedding];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calm => "calm",
            Self::NoJobs => "no new jobs",
            Self::NoConnections => "no new connections",
            Self::Shedding => "sending sessions away",
        })
    }
}

/// Memory in use that cannot be taken back at once, and what there is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    pub used: u64,
    pub limit: u64,
}

impl Reading {
    /// Whole percent, rounded down. No limit, no use.
    pub fn percent(self) -> u64 {
        let percent = (u128::from(self.used) * 100).checked_div(u128::from(self.limit)).unwrap_or(0);
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

/// Where each level begins, in percent, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    pub jobs: u64,
    pub connections: u64,
    pub shed: u64,
}

impl Watermarks {
    /// The level after `now`, given a reading.
    pub fn next(&self, now: Level, reading: Reading) -> Level {
        let percent = reading.percent();
        let holds = |level: Level| {
            let slack = if level <= now { HYSTERESIS } else { 0 };
            percent >= self.mark(level).saturating_sub(slack)
        };
        Level::ABOVE_CALM.into_iter().rev().find(|level| holds(*level)).unwrap_or(Level::Calm)
    }

    const fn mark(&self, level: Level) -> u64 {
        match level {
            Level::Calm => 0,
            Level::NoJobs => self.jobs,
            Level::NoConnections => self.connections,
            Level::Shedding => self.shed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARKS: Watermarks = Watermarks { jobs: 80, connections: 90, shed: 95 };

    fn after(now: Level, percent: u64) -> Level {
        MARKS.next(now, Reading { used: percent, limit: 100 })
    }

    #[test]
    fn levels_begin_at_their_marks_and_end_five_points_below() {
        use Level::*;
        let walk = [
            (79, Calm),
            (80, NoJobs),
            (75, NoJobs),
            (74, Calm),
            (95, Shedding),
            (90, Shedding),
            (89, NoConnections),
            (85, NoConnections),
            (84, NoJobs),
            (0, Calm),
        ];
        let mut level = Calm;
        for (percent, expected) in walk {
            level = after(level, percent);
            assert_eq!(level, expected, "at {percent} %");
        }
    }

    #[test]
    fn a_limit_of_nothing_is_no_limit() {
        assert_eq!(Reading { used: 5, limit: 0 }.percent(), 0);
        assert_eq!(Reading { used: u64::MAX, limit: 1 }.percent(), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_reading_that_stays_changes_the_level_once(first in 0u64..120, second in 0u64..120) {
            let level = after(after(Level::Calm, first), second);
            prop_assert_eq!(after(level, second), level);
        }

        #[test]
        fn more_memory_in_use_never_means_a_milder_level(now in 0usize..4, percent in 0u64..120) {
            let now = [Level::Calm, Level::NoJobs, Level::NoConnections, Level::Shedding][now];
            prop_assert!(after(now, percent) <= after(now, percent + 1));
            // Whatever came before, a mark that is reached is obeyed, and one that is far away is not.
            prop_assert_eq!(after(now, percent) == Level::Calm, percent < 80 - HYSTERESIS * u64::from(now >= Level::NoJobs));
        }
    }
}
