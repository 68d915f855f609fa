//! Asking a ZAP in the midst of a scan: a call that gets no answer is made again until ZAP is taken for dead. Whether its
//! container ended is watched elsewhere, so this is for a ZAP that is there and says nothing.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::actors::zap::client::{Client, ZapError};
use crate::actors::zap::instance::Instance;
use crate::domain::outcome::FailureReason;
use crate::domain::zap::trouble::Trouble;
use crate::domain::zap::watch::SilenceWatch;

/// A ZAP that answers nothing for this long is dead, or frozen: three calls in a row.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// Before a call is made again: a ZAP that hangs up does so at once.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Until the engine has told of a death.
const HEARD_AFTER: Duration = Duration::from_secs(5);

/// See the module's header.
pub(super) struct Link<'a> {
    instance: &'a Instance,
    asking: Asking,
}

/// Calls one after the other, and how long none had an answer.
struct Asking {
    began: Instant,
    silence: SilenceWatch,
}

impl Asking {
    fn new() -> Self {
        Self { began: Instant::now(), silence: SilenceWatch::new(DEAD_AFTER) }
    }

    /// Makes `call` until it has an answer of ZAP's; the outer error is that ZAP is dead. A call that waits for the target may
    /// be silent for longer than a ZAP that lives: `is_there` asks it for something that it knows itself, and if it answers
    /// that, only this call has failed.
    async fn until_answered<T, F, G>(
        &mut self,
        call: impl Fn() -> F,
        is_there: impl Fn() -> G,
    ) -> Result<Result<T, ZapError>, ZapError>
    where
        F: Future<Output = Result<T, ZapError>>,
        G: Future<Output = bool>,
    {
        loop {
            let asked = self.began.elapsed();
            let error = match call().await {
                Err(error) if error.is_of_the_wire() => error,
                answer => return Ok(self.answered(answer)),
            };
            if !self.silence.is_dead(asked, self.began.elapsed()) {
                sleep(AGAIN_AFTER).await;
            } else if matches!(error, ZapError::Silent { .. }) && is_there().await {
                return Ok(self.answered(Err(error)));
            } else {
                return Err(error);
            }
        }
    }

    fn answered<T>(&mut self, answer: T) -> T {
        self.silence.answered();
        answer
    }
}

impl<'a> Link<'a> {
    pub(super) fn new(instance: &'a Instance) -> Self {
        Self { instance, asking: Asking::new() }
    }

    /// Since the scan began: what the watches are told.
    pub(super) fn age(&self) -> Duration {
        self.asking.began.elapsed()
    }

    /// Makes a call until it has an answer of ZAP's, whatever that says. For calls that may be made twice.
    pub(super) async fn try_ask<T, F>(
        &mut self,
        call: impl Fn(Client) -> F,
    ) -> Result<Result<T, ZapError>, Trouble>
    where
        F: Future<Output = Result<T, ZapError>> + Send,
    {
        let client = self.client();
        let is_there = || {
            let client = client.clone();
            async move { client.version().await.is_ok() }
        };
        let asked = self.asking.until_answered(|| call(client.clone()), is_there);
        match asked.await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.dead(error).await),
        }
    }

    /// The same for a call that must succeed: one that is busy with something else has a second chance.
    pub(super) async fn ask<T, F>(&mut self, call: impl Fn(Client) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, ZapError>> + Send,
    {
        let answer = match self.try_ask(&call).await? {
            Err(ZapError::Silent { .. }) => self.try_ask(call).await?,
            answer => answer,
        };
        answer.map_err(of_zap)
    }

    /// Makes a call once: what it begins would run twice.
    pub(super) async fn once<T>(
        &self,
        call: impl Future<Output = Result<T, ZapError>> + Send,
    ) -> Result<Result<T, ZapError>, Trouble> {
        match call.await {
            Err(error) if error.is_of_the_wire() => Err(self.dead(error).await),
            answer => Ok(answer),
        }
    }

    pub(super) fn client(&self) -> Client {
        self.instance.client().clone()
    }

    /// The end of a container is heard a moment after that of its connections, and says more: it is given that moment.
    async fn dead(&self, error: ZapError) -> Trouble {
        sleep(HEARD_AFTER).await;
        let died = Trouble::new(FailureReason::ZapDied, error.to_string());
        match error {
            ZapError::Refused { .. } => self.instance.refusal().await.unwrap_or(died),
            _ => died,
        }
    }
}

/// What an answer that is no success means for the scan.
pub(super) fn of_zap(error: ZapError) -> Trouble {
    let detail = error.to_string();
    let reason = match error {
        // It forgot a scan of ours: another life of ZAP, or another session.
        ZapError::DoesNotExist { .. }
        | ZapError::Absent(_)
        | ZapError::Silent { .. }
        | ZapError::Cut { .. } => FailureReason::ZapDied,
        ZapError::Refused { .. } => FailureReason::ZapRefused,
        ZapError::UrlNotFound { .. } => FailureReason::TargetUnreachable,
        ZapError::Unreadable { .. } | ZapError::TooLong { .. } => FailureReason::UnreadableReport,
        ZapError::NoImplementor { .. } | ZapError::Internal { .. } | ZapError::Complains { .. } => {
            FailureReason::ServiceUnavailable
        }
    };
    Trouble::new(reason, detail)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const CALL: &str = "core/action/accessUrl";

    /// A call that is silent for as long as it may be.
    async fn silent(patience: Duration) -> Result<(), ZapError> {
        sleep(patience).await;
        Err(ZapError::Silent { call: CALL, after: patience })
    }

    const SLOW: Duration = Duration::from_secs(60);
    const QUICK: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_call_that_waits_for_the_target_costs_itself_and_not_the_zap() {
        let mut asking = Asking::new();
        for _ in 0..3 {
            let answer = asking.until_answered(|| silent(SLOW), || ready(true)).await;
            assert!(matches!(answer, Ok(Err(ZapError::Silent { .. }))), "{answer:?}");
        }
        assert_eq!(asking.began.elapsed(), 3 * SLOW, "it is not made twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_zap_that_answers_nothing_at_all_is_dead_whatever_was_asked() {
        for (patience, most) in [(QUICK, DEAD_AFTER + 3 * AGAIN_AFTER), (SLOW, SLOW)] {
            let mut asking = Asking::new();
            let answer = asking.until_answered(|| silent(patience), || ready(false)).await;
            assert!(matches!(answer, Err(ZapError::Silent { .. })), "{answer:?}");
            assert!(asking.began.elapsed() <= most, "{:?}", asking.began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_up_is_not_asked_whether_it_is_there() {
        let mut asking = Asking::new();
        let hang_up = || ready(Err::<(), _>(ZapError::Refused { call: CALL }));
        let is_there = || async { unreachable!("a refusal says who it is") };
        let answer = asking.until_answered(hang_up, is_there).await;
        assert!(matches!(answer, Err(ZapError::Refused { .. })), "{answer:?}");
        assert_eq!(asking.began.elapsed(), DEAD_AFTER);
    }
}
