//! What others hold: the door to ZAP. A scan runs in the task of whoever asks for it, and everything it has is held by guards
//! there: dropped, nothing of it is left. The actor behind the door says how many scans there may be, and keeps spares.
//!
//! ```text
//! asked ─▶ breaker ─▶ target answers? ─▶ login ─▶ seat ─▶ a ZAP (a spare, or started) ─▶ scan ─▶ the ZAP is removed
//!            └ down      └ target_unreachable   └ login_failed       └────── lost: once more, with the time that is left
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::instance::{Instance, Wish};
use super::order::ZapOrder;
use super::scan::attempt::{Attempted, attempt};
use super::scan::probe;
use super::seat::Seat;
use super::server::ZapMessage;
use super::settings::Settings;
use crate::actors::breakers::{Breakers, Down, Pass};
use crate::actors::docker::Docker;
use crate::actors::egress::login::{self, NotLoggedIn, Session};
use crate::actors::mailbox::Slot;
use crate::domain::breaker::{Dependency, Verdict};
use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{WebEnding, WebEvidence};
use crate::domain::zap::phases::{Progress, Stage, stages};
use crate::domain::zap::trouble::{Losses, Trouble};

/// Less time than this is not enough for another ZAP to find anything.
const TRY_MIN: Duration = Duration::from_secs(20);
/// Before each question whether it is back.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// For the removal of a ZAP before the scan is told as over; then it goes on unseen.
const REMOVAL: Duration = Duration::from_secs(15);

/// The door to ZAP. Survives the actor's restart; cheap to clone.
#[derive(Clone)]
pub struct Zap {
    slot: Slot<ZapMessage>,
    settings: Arc<Settings>,
    docker: Docker,
    breakers: Breakers,
    spares: watch::Sender<usize>,
}

impl Zap {
    pub fn new(settings: Settings, docker: Docker, breakers: Breakers) -> Self {
        let spares = watch::Sender::new(0);
        Self { slot: Slot::new(), settings: Arc::new(settings), docker, breakers, spares }
    }

    /// Where the actor is put, by the table of children.
    pub const fn slot(&self) -> &Slot<ZapMessage> {
        &self.slot
    }

    /// ZAPs that are ready and nobody's.
    pub fn spares(&self) -> watch::Receiver<usize> {
        self.spares.subscribe()
    }

    pub(super) fn publish(&self, spares: usize) {
        metrics::gauge!("proctor_zap_spares").set(spares as f64);
        self.spares.send_replace(spares);
    }

    pub(super) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Scans. Over by the order's deadline, whatever hangs. Dropping the future ends the scan and leaves nothing.
    pub async fn scan(&self, order: ZapOrder) -> WebEvidence {
        let (mut losses, began) = (Losses::default(), Instant::now());
        loop {
            let (trouble, log_tail) = match self.one(&order).await {
                Attempted::Done(evidence) => return evidence,
                Attempted::Cancelled => return WebEvidence::nothing(WebEnding::Cancelled),
                Attempted::Failed { trouble, log_tail } => (trouble, log_tail),
            };
            let again = if losses.any() { ", and so it was with the one before it" } else { "" };
            if let Some(patience) = losses.patience(trouble.reason, began.elapsed())
                && self.may_try_again(&order, patience).await
            {
                let (reason, detail) = (trouble.reason.word(), trouble.detail);
                tracing::warn!(reason, detail, "the scan is tried once more");
                continue;
            }
            let Trouble { reason, detail, advice } = trouble;
            let detail = format!("{detail}{again}");
            return WebEvidence::nothing(WebEnding::Failed { reason, detail, advice, log_tail });
        }
    }

    /// Whether there is time for another ZAP, and an engine for it within `patience`.
    async fn may_try_again(&self, order: &ZapOrder, patience: Duration) -> bool {
        let left = order.deadline.saturating_duration_since(Instant::now());
        let Some(spare) = left.checked_sub(TRY_MIN) else { return false };
        tokio::select! {
            biased;
            () = order.cancel.cancelled() => false,
            back = timeout(spare.min(patience), self.engine_is_back()) => back.is_ok(),
        }
    }

    /// Asks the engine itself: its state is as old as the last ping, and a ZAP may be lost because it went away just now.
    async fn engine_is_back(&self) {
        loop {
            sleep(ASK_EVERY).await;
            if let Ok(engine) = self.docker.engine().await {
                let looked = engine.find_image(&self.settings.image).await;
                if !looked.is_err_and(|error| error.is_passing()) {
                    return;
                }
            }
        }
    }

    /// One try, with what the breaker learns of it.
    async fn one(&self, order: &ZapOrder) -> Attempted {
        let dependency = Dependency::Zap;
        let pass = tokio::select! {
            biased;
            () = order.cancel.cancelled() => return Attempted::Cancelled,
            pass = self.breakers.enter(&dependency) => match pass {
                Ok(pass) => pass,
                Err(down) => return Attempted::failed(is_down(down)),
            },
        };
        let attempted = self.with_a_seat(order).await;
        report(pass, &attempted);
        attempted
    }

    async fn with_a_seat(&self, order: &ZapOrder) -> Attempted {
        let stages = stages(order.site.plan.phase, false);
        order.progress.send_replace(Some(Progress::of(&stages, Stage::Ready, 0)));
        let prepared = async {
            probe(order, FailureReason::TargetUnreachable).await?;
            let session = login::log_in(&order.site).await.map_err(|error| not_logged_in(&error))?;
            let seat = Seat::take(&self.slot, order.deadline).await?;
            let (instance, seat) = self.instance(order, session.as_ref(), seat).await?;
            Ok((instance, seat, session))
        };
        let prepared = tokio::select! {
            biased;
            () = order.cancel.cancelled() => return Attempted::Cancelled,
            () = sleep_until(order.deadline) => {
                Err(Trouble::new(FailureReason::TimedOut, "the time of the scan was over before a ZAP was ready"))
            }
            prepared = prepared => prepared,
        };
        let (instance, _seat, session) = match prepared {
            Ok(prepared) => prepared,
            Err(trouble) => return Attempted::failed(trouble),
        };
        let attempted = attempt(order, &self.settings, &instance, session.as_ref()).await;
        // An error means that it takes longer: the guard's removal is under way.
        drop(timeout(REMOVAL, instance.remove()).await);
        attempted
    }

    /// A spare, where one will do: a ZAP learns of a login at its start only.
    async fn instance(
        &self,
        order: &ZapOrder,
        session: Option<&Session>,
        mut seat: Seat,
    ) -> Result<(Instance, Seat), Trouble> {
        let spare = seat.spare.take().filter(|_| session.is_none());
        if let Some(spare) = spare
            && spare.is_alive()
            && spare.client().version().await.is_ok()
        {
            return Ok((spare, seat));
        }
        let engine = self.docker.engine().await.map_err(|unavailable| {
            Trouble::new(FailureReason::EngineUnavailable, unavailable.why).advise(unavailable.advice)
        })?;
        let host = order.site.place.authority.host().to_owned();
        let header = session.map(|session| {
            let (name, value) = session.header(&order.site);
            (host, name, value)
        });
        let wish = Wish { owner: order.owner, header };
        Ok((Instance::start(&engine, &self.settings, &wish).await?, seat))
    }
}

/// What is said of ZAP by the end of a scan. What the target did, or the engine, or a person, is not ZAP's doing.
fn report(pass: Pass, attempted: &Attempted) {
    let verdict = match attempted {
        Attempted::Done(_) => Verdict::Works,
        Attempted::Cancelled => Verdict::Unknown,
        Attempted::Failed { trouble, .. } => match trouble.reason {
            FailureReason::ZapDied
            | FailureReason::ZapUnready
            | FailureReason::ZapRefused
            | FailureReason::ImageMissing
            | FailureReason::NoRules => Verdict::Fails,
            _ => Verdict::Unknown,
        },
    };
    pass.report(verdict);
}

fn not_logged_in(error: &NotLoggedIn) -> Trouble {
    Trouble::new(FailureReason::LoginFailed, error.to_string()).advise(login::ADVICE)
}

fn is_down(down: Down) -> Trouble {
    let detail = format!("ZAP failed {} times in a row, so none was started", down.failures);
    Trouble::new(FailureReason::DependencyOpen, detail).advise(down.advice(Instant::now()))
}
