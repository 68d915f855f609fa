//! When to restart and when to give up: the intensity window and the backoff. Arithmetic only; the time and the jitter
//! come from outside.

use std::collections::VecDeque;
use std::time::Duration;

/// More than `restarts` within `period`, and a supervisor gives up. The bounds of nested supervisors multiply, so the
/// outer ones stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    pub restarts: u32,
    pub period: Duration,
}

impl Default for Intensity {
    /// OTP's guidance for a burst that a sustained failure still exceeds.
    fn default() -> Self {
        Self { restarts: 5, period: Duration::from_secs(30) }
    }
}

/// The restarts of the last period. Times are monotonic, counted from any fixed moment.
#[derive(Debug, Clone)]
pub struct Window {
    intensity: Intensity,
    times: VecDeque<Duration>,
}

impl Window {
    pub fn new(intensity: Intensity) -> Self {
        Self { intensity, times: VecDeque::new() }
    }

    pub fn intensity(&self) -> Intensity {
        self.intensity
    }

    /// Counts a restart at `now`; false when it is one too many. Keeps at most `restarts` + 1 times.
    pub fn record(&mut self, now: Duration) -> bool {
        let oldest = now.saturating_sub(self.intensity.period);
        while self.times.front().is_some_and(|&time| time < oldest) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.times.len() <= self.intensity.restarts as usize
    }
}

/// How long to wait before the n-th restart in a row: `first`, doubling up to `cap`, less a random part so that many
/// children of one failed resource do not return at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub cap: Duration,
    /// A child that ran this long has recovered: its next failure starts from `first` again.
    pub steady: Duration,
}

/// Where in the jitter's range a delay lies: 0 gives half of the full delay, 255 nearly all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Jitter(pub u8);

impl Backoff {
    /// Restart at once, as OTP does; only the intensity bounds it.
    pub const NONE: Self = Self { first: Duration::ZERO, cap: Duration::ZERO, steady: Duration::ZERO };

    /// For what owns something slow to recover: 1 s doubling to 60 s, forgotten after 10 minutes.
    pub const MANAGER: Self = Self {
        first: Duration::from_secs(1),
        cap: Duration::from_secs(60),
        steady: Duration::from_secs(600),
    };

    /// The wait after `failures` earlier failures in a row: at least half of the doubled delay, at most all of it.
    pub fn delay(&self, failures: u32, jitter: Jitter) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures)).min(self.cap);
        let half = doubled / 2;
        half + half * u32::from(jitter.0) / 256
    }
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
