//! How a drain divides its one budget. Pure: every time is counted from the drain's start.
//!
//! ```text
//! 0 ──────── finish ──── hand_back ──── close ──── stop = budget
//!  running jobs │ the rest is  │ answers out,│ the tree ends,
//!  may end      │ handed back  │ sockets 1001│ the log is folded in
//! ```
//! The ends of stages are instants, not lengths: what one stage leaves unused, those after it have.

use std::time::Duration;

/// To hand back what still runs: a run's supervisor gives it and its tool 5 s, then its state is stored.
const HAND_BACK: Duration = Duration::from_secs(7);
/// To flush answers and close every socket: a peer has 2 s to answer our close frame, and a little on top.
const CLOSE: Duration = Duration::from_secs(3);
/// To stop the tree in reverse order and fold the write-ahead log into the database.
const STOP: Duration = Duration::from_secs(2);
/// What cannot be left out, together. The rest of a budget is for jobs to finish.
const NEEDED: Duration = HAND_BACK.saturating_add(CLOSE).saturating_add(STOP);

/// When each stage of a drain is over, at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// Running jobs may end by themselves until here.
    pub finish: Duration,
    /// What still ran then has been handed back.
    pub hand_back: Duration,
    /// Every waiting caller has its answer, every socket its close frame.
    pub close: Duration,
    /// The tree is gone: the whole budget.
    pub stop: Duration,
}

impl Stages {
    /// Divides `budget`. One that is too small for what is needed leaves nothing to finish in, and shrinks the rest in
    /// proportion.
    pub fn of(budget: Duration) -> Self {
        let needed = budget.min(NEEDED);
        let finish = budget - needed;
        let hand_back = finish + share(needed, HAND_BACK);
        Self { finish, hand_back, close: hand_back + share(needed, CLOSE), stop: budget }
    }
}

/// What a stage that wants `wanted` of [`NEEDED`] gets of `needed`.
fn share(needed: Duration, wanted: Duration) -> Duration {
    if needed == NEEDED { wanted } else { needed.mul_f64(wanted.as_secs_f64() / NEEDED.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_default_budget_gives_jobs_thirteen_seconds_of_twenty_five() {
        let stages = Stages { finish: s(13), hand_back: s(20), close: s(23), stop: s(25) };
        assert_eq!(Stages::of(s(25)), stages);
    }

    #[test]
    fn a_small_budget_is_shared_and_an_empty_one_is_over_at_once() {
        let stages = Stages { finish: s(0), hand_back: s(7) / 2, close: s(5), stop: s(6) };
        assert_eq!(Stages::of(s(6)), stages);
        assert_eq!(Stages::of(s(0)), Stages { finish: s(0), hand_back: s(0), close: s(0), stop: s(0) });
    }

    proptest! {
        #[test]
        fn stages_follow_one_another_and_end_with_the_budget(nanos: u64) {
            let budget = Duration::from_nanos(nanos);
            let Stages { finish, hand_back, close, stop } = Stages::of(budget);
            prop_assert!(finish <= hand_back && hand_back <= close && close <= stop);
            prop_assert_eq!(stop, budget);
            // Every stage that is needed gets a part of whatever there is.
            prop_assert!(budget < s(1) || (finish < hand_back && hand_back < close && close < stop));
            prop_assert_eq!(finish, budget.saturating_sub(NEEDED));
        }
    }
}
