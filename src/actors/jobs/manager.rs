//! The jobs manager: lets jobs in, starts them in turn, grants slots to runs, takes up what lost its holder, forgets
//! what is over.
//!
//! ```text
//!            ┌──────────── handed back, after a pause ◀─ resting ◀──┐
//!            ▼                                                      │
//! storing ─▶ waiting ──turn──▶ under way ──subtree gone, no end──▶ settling ─▶ forgotten (the store has its end)
//!            └───cancel, deadline──────────────────────────────────▶┘              ▲
//!                                   └──gone with an end───────────────────────────▶┘
//! ```
//! Owns: the admission queue, the slots, one entry per live job, their leases.
//! Who speaks to it: sessions (submit, join, watch, cancel), runs (slots), jobs (renew, gone), the daemon (drain). It
//! never waits for the store in a handler: what must be written is written beside it, and comes back as a message.
//! Its death: every job under way dies with it (one_for_all); its successor takes them up from the store. Sessions reach
//! the successor through the same slot.
//!
//! Reading order: [`message`] (what it is asked), [`live`] (what is known of a job), [`intake`] (how it comes in), this file
//! (turns, cancels, drain), [`held`] (who waits for what is down), [`grants`] (room for runs), [`rescue`] (what becomes of jobs
//! that nobody holds).

mod message;
mod live;
mod intake;
mod held;
mod grants;
mod rescue;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::job::{JobArguments, Shop};
use super::running::RunningJobs;
use crate::actors::clock;
use crate::actors::mailbox::Reply;
use crate::actors::pressure::Pressure;
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::space::Room;
use crate::domain::admission::{Admission, Limits};
use crate::domain::ids::{JobId, Principal};
use crate::domain::job::{HandBack, JobEvent, JobState};
use crate::domain::lease::{Fence, Lease};
use crate::domain::pace::Pace;
use crate::domain::rescue::{Tries, ended};
use crate::domain::slots::Weight;

pub use message::{Census, JobWatch, JobsMessage, Place, Submit, SubmitError, Submitted};

use grants::Grants;
use held::Held;
use live::{Live, Stage};

/// Requests that may wait here: every session's in-flight limit many times over.
const REQUESTS_LIMIT: usize = 1024;

/// What the manager needs to know, complete.
#[derive(Clone)]
pub struct JobsArguments {
    pub limits: Limits,
    pub tries: Tries,
    /// How long a job's actor may be silent.
    pub lease: Duration,
    pub capacity: Weight,
    pub shop: Arc<Shop>,
    pub running: RunningJobs,
    pub room: Room,
    pub pressure: watch::Receiver<Pressure>,
}

pub struct Jobs {
    admission: Admission,
    running_max: usize,
    tries: Tries,
    lease: Duration,
    pace: Pace,
    grants: Grants,
    live: HashMap<JobId, Live>,
    /// The newest live job of each plan.
    plans: HashMap<String, JobId>,
    drained: Vec<Reply<()>>,
    shop: Arc<Shop>,
    running: RunningJobs,
    room: Room,
    pressure: watch::Receiver<Pressure>,
    held: Held,
    /// What leases are measured from.
    began: Instant,
    swept_at: Instant,
}

impl Server for Jobs {
    const NAME: &'static str = "jobs";
    const MAILBOX_LIMIT: usize = REQUESTS_LIMIT;
    type Message = JobsMessage;
    type Arguments = JobsArguments;

    async fn init(arguments: JobsArguments, context: &Context<JobsMessage>) -> Result<Self, StartError> {
        let JobsArguments { limits, tries, lease, capacity, shop, running, room, pressure } = arguments;
        // Whatever ran in an earlier life is dead, and the store still shows it as running.
        let waiting = shop.store.recover(tries).await.map_err(|error| {
            StartError::Transient(format!("the store cannot be asked for old jobs: {error}"))
        })?;
        let held = Held::new(shop.breakers.clone(), Arc::clone(&shop.catalogue));
        let mut this = Self {
            admission: Admission::new(limits),
            running_max: limits.running,
            tries,
            lease,
            pace: Pace::default(),
            grants: Grants::new(capacity, context.address().clone()),
            live: HashMap::new(),
            plans: HashMap::new(),
            drained: Vec::new(),
            shop,
            running,
            room,
            pressure,
            held,
            began: Instant::now(),
            swept_at: Instant::now(),
        };
        waiting.into_iter().for_each(|job| this.adopt(job));
        // Starts them, and goes on for as long as this actor lives.
        context.post_first(JobsMessage::Tick)?;
        Ok(this)
    }

    async fn handle(&mut self, message: JobsMessage, context: &Context<JobsMessage>) -> Result<(), Stop> {
        match message {
            JobsMessage::Submit { submit, reply } => self.submit(*submit, reply, context),
            JobsMessage::Stored { job, result } => self.stored(job, result, context).await,
            JobsMessage::Join { principal, job, wish, reply } => {
                reply.send(self.join(&principal, job, wish, context));
            }
            JobsMessage::Withdraw { job } => self.withdraw(job, context),
            JobsMessage::Watch { principal, job, reply } => reply.send(self.watch(&principal, job)),
            JobsMessage::Place { principal, job, reply } => reply.send(self.place(&principal, job)),
            JobsMessage::Cancel { principal, job, reply } => self.cancel(&principal, job, reply, context),
            JobsMessage::AskSlot { run, tool, weight, cost, reply } => {
                self.grants.ask(run, tool, weight, cost, reply);
            }
            JobsMessage::GiveBack { run, strain } => self.grants.give_back(run, strain),
            JobsMessage::Renew { job, attempt } => self.renew(job, attempt),
            JobsMessage::JobGone { job } => self.job_gone(job, context),
            JobsMessage::JobCleared { job } => self.job_cleared(job, context).await,
            JobsMessage::Settle { job } => self.store_settlement(job, context),
            JobsMessage::Settled { job, stored } => self.settled(job, stored, context).await,
            JobsMessage::Requeue { job } => {
                self.requeue(job, context);
                self.start_jobs(context).await;
            }
            JobsMessage::Tick => self.tick(context).await,
            JobsMessage::Swept { open } => self.swept(open, context).await,
            JobsMessage::Drain { patience, reply } => self.drain(patience, reply, context),
            JobsMessage::Hurry => self.hurry(context),
            JobsMessage::Count { reply } => reply.send(self.census()),
        }
        Ok(())
    }
}

impl Jobs {
    fn watch(&self, principal: &Principal, job: JobId) -> Option<JobWatch> {
        self.live.get(&job).filter(|live| live.view.borrow().principal == *principal).map(Live::watch)
    }

    fn place(&self, principal: &Principal, job: JobId) -> Option<Place> {
        self.watch(principal, job)?;
        let ahead = self.admission.ahead_of(job)?;
        Some(Place { ahead, estimate: self.pace.until_start(ahead, self.running_max) })
    }

    fn withdraw(&mut self, job: JobId, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get_mut(&job) else { return };
        live.wanted = live.wanted.saturating_sub(1);
        if live.wanted == 0 {
            tracing::info!(%job, "nobody wants the job any more");
            self.stop(job, None, context);
        }
    }

    fn cancel(
        &mut self,
        principal: &Principal,
        job: JobId,
        reply: Reply<Option<JobWatch>>,
        context: &Context<JobsMessage>,
    ) {
        match self.watch(principal, job) {
            Some(_) => self.stop(job, Some(reply), context),
            None => reply.send(None),
        }
    }

    /// Ends what there is of a job at once, and sees to it that no later life takes it up again.
    fn stop(&mut self, job: JobId, reply: Option<Reply<Option<JobWatch>>>, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get_mut(&job) else { return };
        live.cancel.cancel();
        live.publish(JobEvent::CancelAsked);
        let watch = live.watch();
        let answer = move || {
            if let Some(reply) = reply {
                reply.send(Some(watch));
            }
        };
        match live.stage {
            Stage::Waiting | Stage::Resting => {
                self.admission.withdraw(job);
                self.settle(job, ended(JobState::Cancelled, None, &clock::now()), context);
                answer();
            }
            // It ends as soon as it is stored: see there.
            Stage::Storing { .. } => answer(),
            Stage::UnderWay { .. } | Stage::Settling { .. } => self.store_cancel(job, answer, context),
        }
    }

    fn store_cancel(
        &self,
        job: JobId,
        answer: impl FnOnce() + Send + 'static,
        context: &Context<JobsMessage>,
    ) {
        let store = self.shop.store.clone();
        context.spawn(async move {
            if let Err(error) = store.record(job, Fence::Any, JobEvent::CancelAsked, Vec::new()).await {
                tracing::warn!(%job, %error, "a cancel was not stored: it holds unless the daemon dies before the job ends");
            }
            answer();
        });
    }

    fn forget(&mut self, job: JobId) {
        let Some(live) = self.live.remove(&job) else { return };
        if let Some(plan) = live.plan
            && self.plans.get(&plan) == Some(&job)
        {
            self.plans.remove(&plan);
        }
    }

    /// A job that could do nothing now, because all it asks for is down, keeps its place; one goes ahead to try.
    fn start_next(&mut self) -> Option<JobId> {
        let Self { admission, live, held, .. } = self;
        let request = |job: JobId| live.get(&job).map(|live| live.view.borrow().request.clone());
        let now = Instant::now();
        let job = admission.start_next(|job| !request(job).is_some_and(|it| held.holds(&it.tools, now)))?;
        if let Some(request) = request(job) {
            held.started(&request.tools, now);
        }
        Some(job)
    }

    /// Short of memory it starts nothing; the next tick tries again.
    async fn start_jobs(&mut self, context: &Context<JobsMessage>) {
        if !self.pressure.borrow().admits_jobs() {
            return self.export();
        }
        while let Some(job) = self.start_next() {
            let Some(live) = self.live.get_mut(&job) else {
                continue;
            };
            let lease = Lease::granted(live.attempt() + 1, self.began.elapsed(), self.lease);
            live.stage = Stage::UnderWay { since: Instant::now(), lease, taken_down: None };
            let arguments = JobArguments {
                id: job,
                deadline: live.deadline,
                lease: self.lease,
                view: live.view.clone(),
                cancel: live.cancel.clone(),
                shop: Arc::clone(&self.shop),
                jobs: context.address().clone(),
            };
            if let Err(error) = self.running.start(arguments).await {
                tracing::error!(%job, %error, "a job could not be started");
                // Nobody else will say it: the job's actor never was.
                drop(context.address().post(JobsMessage::JobGone { job }));
            }
        }
        self.export();
    }

    fn drain(&mut self, patience: Duration, reply: Reply<()>, context: &Context<JobsMessage>) {
        self.admission.drain();
        self.drained.push(reply);
        context.send_after(patience, JobsMessage::Hurry);
        self.answer_drain();
    }

    /// What is still under way is taken down and handed back: the next life of the daemon takes it up.
    fn hurry(&mut self, context: &Context<JobsMessage>) {
        let under_way = |live: &Live| matches!(live.stage, Stage::UnderWay { .. }) && !live.has_ended();
        let jobs: Vec<JobId> =
            self.live.iter().filter(|(_, live)| under_way(live)).map(|(job, _)| *job).collect();
        for job in jobs {
            self.take_down(job, HandBack::Drain, context);
        }
    }

    fn answer_drain(&mut self) {
        let is_open = |live: &Live| !matches!(live.stage, Stage::Waiting | Stage::Resting);
        if !self.drained.is_empty() && self.admission.running() == 0 && !self.live.values().any(is_open) {
            self.drained.drain(..).for_each(|reply| reply.send(()));
        }
    }

    fn census(&self) -> Census {
        Census { running: self.admission.running(), waiting: self.admission.waiting() }
    }

    fn export(&self) {
        let gauge = |name: &'static str, value: usize| {
            metrics::gauge!(name).set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)))
        };
        gauge("proctor_jobs_running", self.admission.running());
        gauge("proctor_jobs_waiting", self.admission.waiting());
    }
}
