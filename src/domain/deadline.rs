//! One deadline: request → job → run → stages of its process. Each is handed what is left of its parent's time and
//! cannot make more of it: a [`Remainder`] is made from a parent's only by taking something away.
//!
//! ```text
//! |◄───────────────────── what is left of the run ─────────────────────►|
//! |  run: the tool works  | grace: SIGTERM to SIGKILL | closing: verdict |
//! ```
//! Time is passed in: whoever asks looks at the clock.

use std::time::Duration;

/// Of what is left, the share kept for closing, and the most that the grace may take: a tool that ignores SIGTERM to the
/// end of a short budget must not make the answer late.
const SHARE: u32 = 10;

/// Longest time kept for closing: to see a killed group empty takes milliseconds, to read the largest report seen took
/// 3 s on a busy machine. What is not needed is given back by ending early.
pub const CLOSING_MAX: Duration = Duration::from_secs(5);

/// What is left of somebody's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remainder(Duration);

/// What a run's process may take, in the order of its life. The sum is never more than the remainder it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// Until SIGTERM.
    pub run: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// For the verdict: the group verified empty, the report read.
    pub closing: Duration,
    pub ended_by: EndedBy,
}

/// Whose time is over when a tool is still running at the end of its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The tool's own limit: others of its job still have time.
    OwnLimit,
    /// The job's deadline.
    Deadline,
}

impl Remainder {
    pub const fn of(left: Duration) -> Self {
        Self(left)
    }

    pub const fn left(self) -> Duration {
        self.0
    }

    /// What a child gets that wishes for `wish`.
    pub fn child(self, wish: Duration) -> Self {
        Self(self.0.min(wish))
    }

    /// What is left after a part of it is gone.
    pub const fn after(self, spent: Duration) -> Self {
        Self(self.0.saturating_sub(spent))
    }

    /// Divides it for a tool that may take `limit` of its own, and is given `grace` where there is time for it.
    pub fn divide(self, limit: Duration, grace: Duration) -> Stages {
        let closing = (self.0 / SHARE).min(CLOSING_MAX);
        let grace = grace.min(self.0 / SHARE);
        let most = self.after(closing + grace).left();
        let ended_by = if limit < most { EndedBy::OwnLimit } else { EndedBy::Deadline };
        Stages { run: most.min(limit), grace, closing, ended_by }
    }
}

impl Stages {
    /// All of it.
    pub fn whole(self) -> Duration {
        self.run + self.grace + self.closing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_long_budget_keeps_the_full_grace() {
        let stages = Remainder::of(seconds(600)).divide(seconds(1800), seconds(5));
        assert_eq!((stages.run, stages.grace, stages.closing), (seconds(590), seconds(5), seconds(5)));
        assert_eq!(stages.ended_by, EndedBy::Deadline);
    }

    #[test]
    fn a_short_budget_shortens_the_grace_and_leaves_the_tool_most_of_it() {
        let stages = Remainder::of(seconds(10)).divide(seconds(1800), seconds(5));
        assert_eq!((stages.run, stages.grace, stages.closing), (seconds(8), seconds(1), seconds(1)));
    }

    #[test]
    fn a_tool_with_a_limit_of_its_own_has_its_full_grace() {
        let stages = Remainder::of(seconds(600)).divide(seconds(2), seconds(5));
        assert_eq!((stages.run, stages.grace), (seconds(2), seconds(5)));
        assert_eq!(stages.ended_by, EndedBy::OwnLimit);
    }

    fn duration() -> impl Strategy<Value = Duration> {
        // From nothing to more than a year, small ones often.
        prop_oneof![0..2_000_u64, 0..40_000_000_000_u64].prop_map(Duration::from_millis)
    }

    proptest! {
        /// No division makes time: the stages together never exceed what they were made from, nor any wish its own.
        #[test]
        fn stages_never_exceed_their_parent(left in duration(), limit in duration(), grace in duration()) {
            let remainder = Remainder::of(left);
            let stages = remainder.divide(limit, grace);
            prop_assert!(stages.whole() <= left);
            prop_assert!(stages.run <= limit && stages.grace <= grace);
            // And the tool is not the one who pays: four fifths of the time are its own if it wants them.
            prop_assert!(stages.run >= limit.min(left * 4 / 5));
        }

        /// However deep the tree, a child's time is within its parent's, and what one stage spends the next one lacks.
        #[test]
        fn a_child_never_outlives_its_parents(
            left in duration(),
            steps in prop::collection::vec((duration(), duration()), 0..8),
        ) {
            let mut parent = Remainder::of(left);
            let mut spent_in_all = Duration::ZERO;
            for (wish, spent) in steps {
                let child = parent.child(wish);
                prop_assert!(child <= parent && child.left() <= wish);
                let spent = spent.min(child.left());
                spent_in_all += spent;
                parent = child.after(spent);
                prop_assert!(spent_in_all + parent.left() <= left);
            }
        }
    }
}
