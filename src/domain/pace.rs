//! How fast jobs come to their end, and what that means for one that waits. Pure.

use std::time::Duration;

/// Weight of the newest job in the mean: about the last ten count.
const NEWEST: f64 = 0.2;
/// Before any job has ended: what a small tree takes.
const ASSUMED: Duration = Duration::from_secs(10);
/// Longest pause that a refused caller is asked to make: a queue that stands still may move any moment.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Shortest one: below it a refused caller costs more than he gains.
const RETRY_MIN: Duration = Duration::from_millis(200);

/// The mean time of the last jobs, from start to end.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    mean: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { mean: ASSUMED }
    }
}

impl Pace {
    pub fn took(&mut self, elapsed: Duration) {
        self.mean = self.mean.mul_f64(1.0 - NEWEST) + elapsed.mul_f64(NEWEST);
    }

    /// How long until a job starts that has `ahead` others before it, where `at_once` run at the same time.
    pub fn until_start(&self, ahead: usize, at_once: usize) -> Duration {
        let rounds = (ahead + 1).div_ceil(at_once.max(1));
        self.mean.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    /// When a caller who met a full queue may find a place: when the next job has ended.
    pub fn until_place(&self, at_once: usize) -> Duration {
        let one = self.mean / u32::try_from(at_once.max(1)).unwrap_or(u32::MAX);
        one.clamp(RETRY_MIN, RETRY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_queue_moves_as_fast_as_its_jobs() {
        let mut pace = Pace::default();
        (0..200).for_each(|_| pace.took(4 * S));
        assert!(pace.until_start(0, 2).abs_diff(4 * S) < S / 100);
        assert!(pace.until_start(3, 2).abs_diff(8 * S) < S / 100);
        assert!(pace.until_place(2).abs_diff(2 * S) < S / 100);
    }

    #[test]
    fn a_pause_is_neither_nothing_nor_for_ever() {
        let mut pace = Pace::default();
        (0..200).for_each(|_| pace.took(Duration::ZERO));
        assert_eq!(pace.until_place(8), RETRY_MIN);
        (0..200).for_each(|_| pace.took(86_400 * S));
        assert_eq!(pace.until_place(1), RETRY_MAX);
    }
}
