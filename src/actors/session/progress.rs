//! Progress of one call: reported by the call as often as it likes, sent to the client neither too often nor too
//! rarely, always rising.

use std::sync::Arc;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::outbox::Outbox;
use crate::protocol::limits::{PROGRESS_INTERVAL_MAX, PROGRESS_INTERVAL_MIN};
use crate::protocol::{jsonrpc, mcp};

/// What a silent call adds to its last value: MCP wants values to rise, and nobody can see this much.
const HEARTBEAT_STEP: f64 = 0.0001;

/// How far a call is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reported {
    pub done: f64,
    pub total: Option<f64>,
    pub message: Option<String>,
}

/// Where a call reports. Costs nothing when the client did not ask.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    sender: Option<watch::Sender<Reported>>,
}

impl Progress {
    /// Reports: `done` of `total` (units of the call's choice), and a sentence for people.
    pub fn report(&self, done: f64, total: Option<f64>, message: impl Into<String>) {
        if let Some(sender) = &self.sender {
            sender.send_replace(Reported { done, total, message: Some(message.into()) });
        }
    }

    /// Whether anybody asked.
    pub const fn is_wanted(&self) -> bool {
        self.sender.is_some()
    }
}

/// The other end, which writes to the client.
pub struct Pump {
    wanted: Option<(ProgressToken, watch::Receiver<Reported>)>,
    outbox: Arc<Outbox>,
}

/// Both ends for a call whose client gave `token`, or gave none.
pub fn channel(token: Option<ProgressToken>, outbox: Arc<Outbox>) -> (Progress, Pump) {
    match token {
        None => (Progress::default(), Pump { wanted: None, outbox }),
        Some(token) => {
            let (sender, receiver) = watch::channel(Reported::default());
            (Progress { sender: Some(sender) }, Pump { wanted: Some((token, receiver)), outbox })
        }
    }
}

impl Pump {
    /// Runs beside the call, until the call's end drops it; so nothing can follow the answer.
    pub async fn run(self) {
        let Some((token, mut reports)) = self.wanted else {
            return std::future::pending().await;
        };
        let mut rising = Rising::default();
        loop {
            // An error means that the call let its reporter go: from then on it is only kept alive.
            if let Ok(Err(_gone)) = timeout(PROGRESS_INTERVAL_MAX, reports.changed()).await {
                sleep(PROGRESS_INTERVAL_MAX).await;
            }
            let reported = reports.borrow_and_update().clone();
            let params = shape(&token, rising.next(reported.done), reported);
            self.outbox.progress(jsonrpc::notification(mcp::PROGRESS, &params));
            sleep(PROGRESS_INTERVAL_MIN).await;
        }
    }
}

fn shape(token: &ProgressToken, value: f64, reported: Reported) -> ProgressNotificationParam {
    let mut params = ProgressNotificationParam::new(token.clone(), value);
    params.total = reported.total;
    params.message = reported.message;
    params
}

/// Values that rise strictly, whatever is reported.
#[derive(Debug, Default)]
struct Rising {
    last: Option<f64>,
}

impl Rising {
    fn next(&mut self, reported: f64) -> f64 {
        let reported = if reported.is_finite() { reported } else { 0.0 };
        let next = match self.last {
            Some(last) if reported <= last => last + HEARTBEAT_STEP,
            _ => reported,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::session::outbox::Batch;
    use crate::protocol::limits::Limits;
    use proptest::prelude::*;
    use rmcp::model::NumberOrString;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_silent_call_is_heard_of_and_a_talkative_one_is_thinned() {
        let outbox = Outbox::new(&Limits::default());
        let (progress, pump) = channel(Some(ProgressToken(NumberOrString::Number(0))), Arc::clone(&outbox));
        let began = Instant::now();
        let mut pump = Box::pin(pump.run());
        let silent = tokio::select! { () = &mut pump => panic!(), batch = outbox.next() => batch };
        assert_eq!(began.elapsed(), PROGRESS_INTERVAL_MAX);
        let Batch::Messages { texts, .. } = silent else { panic!() };
        assert!(texts[0].contains(r#""progressToken":0"#), "{texts:?}");
        for done in 0..100 {
            progress.report(f64::from(done), Some(100.0), "going");
            assert!(tokio::time::timeout(Duration::from_millis(10), &mut pump).await.is_err());
        }
        let Batch::Messages { texts, .. } = outbox.next().await else { panic!() };
        assert!((3..=5).contains(&texts.len()), "{}", texts.len());
    }

    proptest! {
        #[test]
        fn values_rise_whatever_is_reported(reported in prop::collection::vec(any::<f64>(), 1..50)) {
            let mut rising = Rising::default();
            let sent: Vec<f64> = reported.iter().filter(|value| value.abs() < 1e9).map(|value| rising.next(*value)).collect();
            prop_assert!(sent.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", sent);
        }
    }
}
