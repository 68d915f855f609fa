//! Who holds a running job, and for how long. Pure: time is passed in, as what a steady clock shows.
//!
//! A lease lives in memory, next to the one manager that grants it: within one life of the daemon a steady clock measures
//! it, which no wall clock can (it jumps), and no renewal costs a write. Across lives it is void by construction: the
//! store knows which boot a job was started in (`docs/decisions/0011-leases.md`).

use std::time::Duration;

/// Renewals in the time of one lease: two may be late.
const RENEWALS: u32 = 3;

/// How often a holder says that it is there.
pub fn renew_every(lease: Duration) -> Duration {
    lease / RENEWALS
}

/// Who may change a job: the holder of one attempt, or somebody who speaks for the job as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// Only while this attempt is the present one.
    Attempt(u32),
    /// Whatever attempt it is: a cancel.
    Any,
}

impl Fence {
    pub fn admits(self, present: u32) -> bool {
        match self {
            Self::Attempt(attempt) => attempt == present,
            Self::Any => true,
        }
    }
}

/// The right to work on a job, until it runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The attempt it is for: an earlier holder cannot renew the lease of a later one.
    attempt: u32,
    length: Duration,
    until: Duration,
}

impl Lease {
    pub fn granted(attempt: u32, now: Duration, length: Duration) -> Self {
        Self { attempt, length, until: now.saturating_add(length) }
    }

    pub fn renew(&mut self, attempt: u32, now: Duration) {
        if attempt == self.attempt {
            self.until = now.saturating_add(self.length);
        }
    }

    pub fn has_run_out(&self, now: Duration) -> bool {
        now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_holder_that_renews_keeps_it_and_one_that_is_silent_loses_it() {
        let mut lease = Lease::granted(1, 5 * S, 30 * S);
        lease.renew(1, 20 * S);
        assert!(!lease.has_run_out(49 * S));
        assert!(lease.has_run_out(50 * S));
    }

    #[test]
    fn an_earlier_attempt_renews_nothing() {
        let mut lease = Lease::granted(2, Duration::ZERO, 30 * S);
        lease.renew(1, 20 * S);
        assert!(lease.has_run_out(30 * S));
    }
}
