//! What others hold: the door to ZAP. A scan runs in the task of whoever asks for it, and everything it has is held by guards
//! there: dropped, nothing of it is left. The actor behind the door says how many scans there may be, and keeps spares.
//!
//! ```text
//! asked ─▶ target answers? ─▶ login ─▶ seat ─▶ breaker ─▶ a ZAP (a spare, or started) ─▶ scan ─▶ the ZAP is removed
//!   └ down   └ target_unreachable  └ login_failed  └ down          └────── lost: once more, with the time that is left
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
use crate::actors::docker::{Docker, EngineState};
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
        let began = Instant::now();
        let mut losses = Losses::new(matches!(*self.docker.state().borrow(), EngineState::Ready(_)));
        loop {
            // On the heap: in a build without optimisation each caller up to the actor would keep a copy of it on its stack, which
            // are more than a worker thread has.
            let trouble = match Box::pin(self.one(&order)).await {
                Attempted::Done(evidence) => return evidence,
                Attempted::Cancelled => return WebEvidence::nothing(WebEnding::Cancelled),
                Attempted::Failed(trouble) => trouble,
            };
            let again = if losses.any() { ", and so it was with the one before it" } else { "" };
            if let Some(patience) = losses.patience(trouble.reason, began.elapsed())
                && self.may_try_again(&order, patience).await
            {
                let (reason, detail) = (trouble.reason.word(), trouble.detail);
                tracing::warn!(reason, detail, "the scan is tried once more");
                continue;
            }
            let Trouble { reason, detail, advice, log_tail } = trouble;
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

    /// One try, with what the breaker learns of it. A breaker that is open keeps nobody in line; whoever has a seat asks it
    /// anew, so that nobody in line tries what has failed meanwhile, and nobody who is to try for all waits there.
    async fn one(&self, order: &ZapOrder) -> Attempted {
        let down = self.breakers.down(&Dependency::Zap);
        if let Some(down) = down.filter(|down| down.is_certain(Instant::now())) {
            return Attempted::Failed(is_down(down));
        }
        let admitted = async {
            probe(order, FailureReason::TargetUnreachable).await?;
            let session = login::log_in(&order.site).await.map_err(|error| not_logged_in(&error))?;
            let seat = Seat::take(&self.slot, order.deadline).await?;
            let pass = self.breakers.enter(&Dependency::Zap).await.map_err(is_down)?;
            Ok((session, seat, pass))
        };
        let stages = stages(order.site.plan.phase, false);
        order.progress.send_replace(Some(Progress::of(&stages, Stage::Ready, 0)));
        let (session, mut seat, pass) = match unless_over(order, admitted).await {
            Ok(admitted) => admitted,
            Err(over) => return over,
        };
        let attempted = self.with_a_zap(order, session.as_ref(), seat.spare.take()).await;
        // Before the next in line has the seat.
        report(pass, &attempted);
        attempted
    }

    async fn with_a_zap(
        &self,
        order: &ZapOrder,
        session: Option<&Session>,
        spare: Option<Instance>,
    ) -> Attempted {
        let instance = match unless_over(order, self.instance(order, session, spare)).await {
            Ok(instance) => instance,
            Err(over) => return over,
        };
        let attempted = Box::pin(attempt(order, &self.settings, &instance, session)).await;
        // An error means that it takes longer: the guard's removal is under way.
        drop(timeout(REMOVAL, instance.remove()).await);
        attempted
    }

    /// A spare, where one will do: a ZAP learns of a login at its start only.
    async fn instance(
        &self,
        order: &ZapOrder,
        session: Option<&Session>,
        spare: Option<Instance>,
    ) -> Result<Instance, Trouble> {
        if let Some(spare) = spare.filter(|_| session.is_none())
            && spare.is_alive()
            && spare.client().version().await.is_ok()
        {
            return Ok(spare);
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
        Box::pin(Instance::start(&engine, &self.settings, &wish)).await
    }
}

/// What is to be done before a scan, unless it is cancelled or its time is over.
async fn unless_over<T>(
    order: &ZapOrder,
    prepare: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Attempted> {
    tokio::select! {
        biased;
        () = order.cancel.cancelled() => Err(Attempted::Cancelled),
        () = sleep_until(order.deadline) => {
            let detail = "the time of the scan was over before a ZAP was ready";
            Err(Attempted::Failed(Trouble::new(FailureReason::TimedOut, detail)))
        }
        prepared = prepare => prepared.map_err(Attempted::Failed),
    }
}

/// What is said of ZAP by the end of a scan.
fn report(pass: Pass, attempted: &Attempted) {
    let verdict = match attempted {
        Attempted::Done(_) => Verdict::Works,
        Attempted::Cancelled => Verdict::Unknown,
        Attempted::Failed(trouble) => trouble.verdict(),
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
