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
    began: Instant,
    silence: SilenceWatch,
}

impl<'a> Link<'a> {
    pub(super) fn new(instance: &'a Instance) -> Self {
        Self { instance, began: Instant::now(), silence: SilenceWatch::new(DEAD_AFTER) }
    }

    /// Since the scan began: what the watches are told.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Makes a call until it has an answer of ZAP's, whatever that says. For calls that may be made twice.
    pub(super) async fn try_ask<T, F>(
        &mut self,
        call: impl Fn(Client) -> F,
    ) -> Result<Result<T, ZapError>, Trouble>
    where
        F: Future<Output = Result<T, ZapError>> + Send,
    {
        loop {
            let asked = self.age();
            match call(self.instance.client().clone()).await {
                Err(error) if error.is_of_the_wire() => {
                    if self.silence.is_dead(asked, self.age()) {
                        return Err(self.dead(error).await);
                    }
                    sleep(AGAIN_AFTER).await;
                }
                answer => {
                    self.silence.answered();
                    return Ok(answer);
                }
            }
        }
    }

    /// The same for a call that must succeed.
    pub(super) async fn ask<T, F>(&mut self, call: impl Fn(Client) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, ZapError>> + Send,
    {
        self.try_ask(call).await?.map_err(of_zap)
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
