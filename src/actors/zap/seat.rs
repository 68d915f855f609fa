//! A right to have one ZAP: there are as many as the configuration allows, and who waits for one waits in line.

use tokio::time::Instant;

use super::instance::Instance;
use super::server::ZapMessage;
use crate::actors::mailbox::{Address, CallError, Slot};
use crate::domain::outcome::FailureReason;
use crate::domain::zap::trouble::Trouble;

/// A seat, and a ZAP that is ready where there was one. Dropped, the next in line has it.
#[derive(Debug)]
pub struct Seat {
    /// Before the place: whoever comes next finds its memory free.
    pub(super) spare: Option<Instance>,
    _place: Place,
}

/// The place that a seat takes.
#[derive(Debug)]
pub(super) struct Place {
    manager: Address<ZapMessage>,
}

impl Drop for Place {
    fn drop(&mut self) {
        // A manager that is gone counts anew.
        drop(self.manager.post(ZapMessage::Leave));
    }
}

impl Seat {
    pub(super) const fn new(manager: Address<ZapMessage>, spare: Option<Instance>) -> Self {
        Self { spare, _place: Place { manager } }
    }

    /// Waits in line until the deadline.
    pub(super) async fn take(slot: &Slot<ZapMessage>, deadline: Instant) -> Result<Self, Trouble> {
        let patience = deadline.saturating_duration_since(Instant::now());
        let asked = slot.ready().await.call(|reply| ZapMessage::Ask { reply }, patience).await;
        asked.map_err(no_seat)
    }
}

fn no_seat(error: CallError) -> Trouble {
    match error {
        CallError::Timeout { .. } => {
            let detail = "the time of the scan was over before there was room for another ZAP";
            Trouble::new(FailureReason::TimedOut, detail).advise("allow more at once (`zap.at_once`)")
        }
        // Ours, not ZAP's: neither its breaker nor another try has anything to do with it.
        CallError::Full { .. } | CallError::Closed { .. } => {
            Trouble::new(FailureReason::Internal, format!("no ZAP could be asked for: {error}"))
                .advise("scan again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::breaker::Verdict;

    #[test]
    fn a_line_that_is_full_and_an_actor_that_ends_are_held_against_no_zap() {
        for error in [CallError::Full { actor: "zap" }, CallError::Closed { actor: "zap" }] {
            let trouble = no_seat(error);
            assert_eq!((trouble.reason, trouble.verdict()), (FailureReason::Internal, Verdict::Unknown));
        }
    }
}
