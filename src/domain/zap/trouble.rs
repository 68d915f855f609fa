//! Why a scan makes no statement about its target.

use crate::domain::outcome::FailureReason;

/// A scan that failed, or had better not be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub reason: FailureReason,
    pub detail: String,
    pub advice: Option<String>,
}

impl Trouble {
    pub fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), advice: None }
    }

    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Whether another ZAP may do better on the same target: this one was lost, or never came up.
    pub const fn is_worth_another_try(&self) -> bool {
        matches!(
            self.reason,
            FailureReason::ZapDied | FailureReason::ZapUnready | FailureReason::EngineUnavailable
        )
    }
}
