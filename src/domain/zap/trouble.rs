//! Why a scan makes no statement about its target, and whether another ZAP may do better.

use std::time::Duration;

use crate::domain::breaker::Verdict;
use crate::domain::outcome::FailureReason;

/// A ZAP that was lost is replaced once: what kills two of them is the target, or the machine.
const ZAPS_MAX: u32 = 2;
/// For an engine to come back: one that is restarted takes the ZAP with it and is there again in seconds, in which it may
/// answer and yet start nothing.
const ENGINE_BACK: Duration = Duration::from_secs(60);

/// A scan that failed, or had better not be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub reason: FailureReason,
    pub detail: String,
    pub advice: Option<String>,
    /// What is left of it: what was lost with it, and the end of ZAP's log.
    pub log_tail: String,
}

impl Trouble {
    pub fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), advice: None, log_tail: String::new() }
    }

    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    #[must_use]
    pub fn leaving(self, log_tail: impl Into<String>) -> Self {
        Self { log_tail: log_tail.into(), ..self }
    }

    /// What it says of ZAP. What the target did, the engine, a person, or we ourselves, is not ZAP's doing.
    pub const fn verdict(&self) -> Verdict {
        match self.reason {
            FailureReason::ZapDied
            | FailureReason::ZapUnready
            | FailureReason::ZapRefused
            | FailureReason::ImageMissing
            | FailureReason::NoRules => Verdict::Fails,
            _ => Verdict::Unknown,
        }
    }

    /// With something else that was seen, and may have been the cause.
    #[must_use]
    pub fn and(mut self, seen: Option<String>) -> Self {
        self.detail.extend(seen.map(|seen| format!("; {seen}")));
        self
    }
}

/// What a scan has lost so far, and whether it may have more.
#[derive(Debug)]
pub struct Losses {
    /// Whether there was one when the scan began: one that never was is not waited for.
    had_engine: bool,
    zaps: u32,
    /// When the engine was first missed.
    engine_since: Option<Duration>,
}

impl Losses {
    pub const fn new(had_engine: bool) -> Self {
        Self { had_engine, zaps: 0, engine_since: None }
    }

    pub const fn any(&self) -> bool {
        self.zaps > 0 || self.engine_since.is_some()
    }

    /// Counts a failure at this age of the scan. How long an engine for another try may be waited for, if there may be one.
    pub fn patience(&mut self, reason: FailureReason, now: Duration) -> Option<Duration> {
        match reason {
            FailureReason::ZapDied | FailureReason::ZapUnready => {
                self.zaps += 1;
                (self.zaps < ZAPS_MAX).then_some(ENGINE_BACK)
            }
            FailureReason::EngineUnavailable if self.had_engine => {
                let since = *self.engine_since.get_or_insert(now);
                ENGINE_BACK.checked_sub(now.saturating_sub(since)).filter(|left| !left.is_zero())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_zap_may_be_lost_and_what_is_no_loss_of_a_zap_is_final() {
        let mut losses = Losses::new(true);
        assert_eq!(losses.patience(FailureReason::ZapRefused, SECOND), None);
        assert!(!losses.any());
        assert_eq!(losses.patience(FailureReason::ZapDied, SECOND), Some(ENGINE_BACK));
        assert!(losses.any());
        assert_eq!(losses.patience(FailureReason::ZapUnready, SECOND), None);
    }

    #[test]
    fn an_engine_may_be_away_for_a_minute_in_all_beside_a_lost_zap() {
        let mut losses = Losses::new(true);
        let mut away = |now| losses.patience(FailureReason::EngineUnavailable, now);
        assert_eq!(away(SECOND), Some(ENGINE_BACK));
        assert_eq!(away(ENGINE_BACK), Some(SECOND));
        assert_eq!(away(ENGINE_BACK + SECOND), None);
        assert_eq!(losses.patience(FailureReason::ZapDied, ENGINE_BACK), Some(ENGINE_BACK));
    }
    #[test]
    fn an_engine_that_never_was_is_not_waited_for() {
        let mut losses = Losses::new(false);
        assert_eq!(losses.patience(FailureReason::EngineUnavailable, SECOND), None);
    }

    #[test]
    fn what_is_our_own_fault_is_neither_a_loss_of_a_zap_nor_one_of_its_failures() {
        assert_eq!(Losses::new(true).patience(FailureReason::Internal, SECOND), None);
        assert_eq!(Trouble::new(FailureReason::Internal, "ours").verdict(), Verdict::Unknown);
        assert_eq!(Trouble::new(FailureReason::ZapUnready, "its own").verdict(), Verdict::Fails);
    }
}
