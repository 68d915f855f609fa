//! The jobs manager: lets jobs in, starts them in turn, grants slots to runs, forgets what is over.
//!
//! ```text
//! a job here:   waiting ──turn──► under way ──JobGone──► forgotten (the store has its end)
//!                  └──cancel──┐        └──JobGone without an end──┐      ▲
//!                             └────────────► over ◄───────────────┘──────┘ its end is stored
//! ```
//! Owns: the admission queue, the slots, one entry per live job.
//! Who speaks to it: sessions (submit, watch, cancel), runs (slots), jobs (gone), the daemon (drain).
//! Its death: every job under way dies with it (one_for_all); its successor gives them a truthful end in the store.
//! Sessions reach the successor through the same slot.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::{JobArguments, Shop};
use super::run::failed;
use super::run_slot::RunSlot;
use super::running::RunningJobs;
use crate::actors::clock;
use crate::actors::mailbox::{Lane, Message, Reply};
use crate::actors::random;
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::space::{NoRoom, Room};
use crate::domain::admission::{Admission, Limits, Refusal};
use crate::domain::ids::{JobId, Principal, RunId};
use crate::domain::job::{JobEvent, JobRequest, JobState, JobView};
use crate::domain::outcome::{FailureReason, Outcome};
use crate::domain::slots::{Slots, Weight};
use crate::faults;
use crate::store::StoreError;

/// Requests that may wait here: every session's in-flight limit many times over.
const REQUESTS_LIMIT: usize = 1024;

/// Until the store is asked again to take a job's end.
const END_RETRY: Duration = Duration::from_secs(1);

/// A job's newest state, to be looked at and waited on.
pub type JobWatch = watch::Receiver<Arc<JobView>>;

/// What the manager needs to know, complete.
#[derive(Clone)]
pub struct JobsArguments {
    pub limits: Limits,
    pub capacity: Weight,
    pub shop: Arc<Shop>,
    pub running: RunningJobs,
    pub room: Room,
}

/// Why a job was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("the job could not be stored, so it was not taken in: {0}")]
    NotStored(String),
}

pub enum JobsMessage {
    /// Store a job and take it in. Answered once it is durable.
    Submit { principal: Principal, request: JobRequest, reply: Reply<Result<JobWatch, SubmitError>> },
    /// The newest state of a live job of this principal; `None` when it is not live (any more).
    Watch { principal: Principal, job: JobId, reply: Reply<Option<JobWatch>> },
    /// Stop a live job of this principal. `None` when it is not live (any more).
    Cancel { principal: Principal, job: JobId, reply: Reply<Option<JobWatch>> },
    /// A run needs room on the host. Answered when there is some.
    AskSlot { run: RunId, weight: Weight, cost: u32, reply: Reply<RunSlot> },
    /// A run no longer needs its room.
    GiveBack { run: RunId },
    /// A job's actor is gone, whether or not the job had come to an end.
    JobGone { job: JobId },
    /// Nothing is left of a job: neither a process nor its place among the running ones.
    JobCleared { job: JobId },
    /// Try again to store the end of a job.
    StoreEnd { job: JobId },
    /// Take nothing in any more; cancel what is still under way after `patience`; answer when nothing is.
    Drain { patience: Duration, reply: Reply<()> },
    /// The patience of a drain is over.
    Hurry,
}

impl Message for JobsMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Submit { .. } | Self::Watch { .. } => Lane::Data,
            // A cancel must not stand behind a thousand submits, and what frees room must not stand behind what asks.
            Self::Cancel { .. }
            | Self::AskSlot { .. }
            | Self::GiveBack { .. }
            | Self::JobGone { .. }
            | Self::JobCleared { .. }
            | Self::StoreEnd { .. }
            | Self::Drain { .. }
            | Self::Hurry => Lane::Control,
        }
    }
}

pub struct Jobs {
    admission: Admission,
    slots: Slots,
    asking: HashMap<RunId, Reply<RunSlot>>,
    live: HashMap<JobId, Live>,
    drained: Vec<Reply<()>>,
    shop: Arc<Shop>,
    running: RunningJobs,
    room: Room,
}

struct Live {
    principal: Principal,
    /// Shared with the job's actor, so that whoever waits hears of an end that the actor could not give.
    view: watch::Sender<Arc<JobView>>,
    cancel: CancellationToken,
    stage: Stage,
}

enum Stage {
    Waiting {
        request: JobRequest,
        deadline: Instant,
    },
    UnderWay,
    /// It has no actor (any more); this is its end, as soon as the store has taken it.
    Over(JobEvent),
}

impl Server for Jobs {
    const NAME: &'static str = "jobs";
    const MAILBOX_LIMIT: usize = REQUESTS_LIMIT;
    type Message = JobsMessage;
    type Arguments = JobsArguments;

    async fn init(arguments: JobsArguments, _: &Context<JobsMessage>) -> Result<Self, StartError> {
        let JobsArguments { limits, capacity, shop, running, room } = arguments;
        // After a crash of the predecessor, its jobs are dead and the store still shows them as live.
        let ended = shop.store.recover().await;
        ended.map_err(|error| {
            StartError::Transient(format!("the store cannot be asked for old jobs: {error}"))
        })?;
        Ok(Self {
            admission: Admission::new(limits),
            slots: Slots::new(capacity),
            asking: HashMap::new(),
            live: HashMap::new(),
            drained: Vec::new(),
            shop,
            running,
            room,
        })
    }

    async fn handle(&mut self, message: JobsMessage, context: &Context<JobsMessage>) -> Result<(), Stop> {
        match message {
            JobsMessage::Submit { principal, request, reply } => {
                self.submit(principal, request, reply, context).await
            }
            JobsMessage::Watch { principal, job, reply } => reply.send(self.watch(&principal, job)),
            JobsMessage::Cancel { principal, job, reply } => {
                reply.send(self.cancel(&principal, job, context).await)
            }
            JobsMessage::AskSlot { run, weight, cost, reply } => {
                self.ask_slot(run, weight, cost, reply, context)
            }
            JobsMessage::GiveBack { run } => self.give_back(run, context),
            JobsMessage::JobGone { job } => self.job_gone(job, context).await,
            JobsMessage::JobCleared { job } => self.job_cleared(job, context).await,
            JobsMessage::StoreEnd { job } => self.store_end(job, context).await,
            JobsMessage::Drain { patience, reply } => self.drain(patience, reply, context).await,
            JobsMessage::Hurry => self.hurry(),
        }
        Ok(())
    }
}

impl Jobs {
    async fn submit(
        &mut self,
        principal: Principal,
        request: JobRequest,
        reply: Reply<Result<JobWatch, SubmitError>>,
        context: &Context<JobsMessage>,
    ) {
        // A caller who has left was told to come back: a job of his would run for nobody.
        if reply.is_abandoned() {
            return;
        }
        let taken = self.take_in(principal, request, context).await;
        reply.send(taken);
        self.start_jobs(context).await;
    }

    async fn take_in(
        &mut self,
        principal: Principal,
        request: JobRequest,
        context: &Context<JobsMessage>,
    ) -> Result<JobWatch, SubmitError> {
        self.admission.check(&principal)?;
        self.room.check()?;
        let id = JobId::from_random(random::bytes());
        let deadline = Instant::now() + Duration::from_secs(request.deadline_s.into());
        let job = JobView::queued(id, principal.clone(), request.clone(), clock::now());
        let stored = self.shop.store.submit(job.clone()).await;
        faults::point("jobs.after_submit");
        let (view, watch) = watch::channel(Arc::new(job));
        let stage = Stage::Waiting { request, deadline };
        let live = Live { principal: principal.clone(), view, cancel: CancellationToken::new(), stage };
        match stored {
            Ok(()) => {
                self.live.insert(id, live);
                self.admission.enqueue(id, principal);
                Ok(watch)
            }
            Err(error) => {
                if matches!(error, StoreError::Unknown { .. }) {
                    // It may be on the disk after all, and would look as if it waited there.
                    let never_taken = format!("the job was never started: {error}");
                    self.live.insert(id, live);
                    self.end(id, JobState::Failed, Some(never_taken), context);
                }
                Err(SubmitError::NotStored(error.to_string()))
            }
        }
    }

    fn watch(&self, principal: &Principal, job: JobId) -> Option<JobWatch> {
        self.live.get(&job).filter(|live| live.principal == *principal).map(|live| live.view.subscribe())
    }

    async fn cancel(
        &mut self,
        principal: &Principal,
        job: JobId,
        context: &Context<JobsMessage>,
    ) -> Option<JobWatch> {
        let watch = self.watch(principal, job)?;
        if let Some(live) = self.live.get(&job) {
            live.cancel.cancel();
        }
        if self.admission.withdraw(job) {
            self.end(job, JobState::Cancelled, None, context);
        }
        Some(watch)
    }

    /// Gives a job that has no actor its end.
    fn end(&mut self, job: JobId, state: JobState, error: Option<String>, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get_mut(&job) else { return };
        let open_runs = match &error {
            Some(why) => failed(FailureReason::Internal, why),
            None => Outcome::Cancelled,
        };
        live.stage = Stage::Over(JobEvent::Ended { state, error, at: clock::now(), open_runs });
        drop(context.address().post(JobsMessage::StoreEnd { job }));
    }

    /// Stored first, shown after. A store that is busy or down is asked again: there, the job must not stay open.
    async fn store_end(&mut self, job: JobId, context: &Context<JobsMessage>) {
        let Some(Live { stage: Stage::Over(event), principal, .. }) = self.live.get(&job) else {
            return;
        };
        let store = &self.shop.store;
        let stored = match store.record(job, event.clone(), Vec::new()).await {
            // Its own end had reached the store, and only the answer was lost.
            Ok(false) => store.job(principal.clone(), job).await,
            Ok(true) | Err(StoreError::NoSuchJob(_)) => Ok(None),
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => self.show_end(job, stored),
            Err(error) => {
                tracing::warn!(%job, %error, "a job's end was not stored; trying again");
                context.send_after(END_RETRY, JobsMessage::StoreEnd { job });
            }
        }
    }

    /// Forgets the job, once whoever watches it has its end: as stored, or as decided here.
    fn show_end(&mut self, job: JobId, stored: Option<JobView>) {
        let Some(Live { stage: Stage::Over(event), view, .. }) = self.live.remove(&job) else {
            return;
        };
        match stored {
            Some(stored) => drop(view.send_replace(Arc::new(stored))),
            None => drop(view.send_if_modified(|view| Arc::make_mut(view).apply(event))),
        }
    }

    async fn start_jobs(&mut self, context: &Context<JobsMessage>) {
        while let Some(job) = self.admission.start_next() {
            let Some(live) = self.live.get_mut(&job) else {
                continue;
            };
            let stage = std::mem::replace(&mut live.stage, Stage::UnderWay);
            let Stage::Waiting { request, deadline } = stage else {
                continue;
            };
            let arguments = JobArguments {
                id: job,
                request,
                deadline,
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

    fn ask_slot(
        &mut self,
        run: RunId,
        weight: Weight,
        cost: u32,
        reply: Reply<RunSlot>,
        context: &Context<JobsMessage>,
    ) {
        self.asking.insert(run, reply);
        self.slots.ask(run, weight, cost);
        self.grant(context);
    }

    fn give_back(&mut self, run: RunId, context: &Context<JobsMessage>) {
        self.asking.remove(&run);
        self.slots.give_back(run);
        self.grant(context);
    }

    /// Those who left without their slot (a cancelled job's runs) are forgotten first, so that they do not pile up behind
    /// a long one. Who leaves after that gives the slot back by dropping the answer it cannot receive.
    fn grant(&mut self, context: &Context<JobsMessage>) {
        let Self { asking, slots, .. } = self;
        asking.extract_if(|_, reply| reply.is_abandoned()).for_each(|(run, _)| slots.give_back(run));
        for run in self.slots.grant() {
            if let Some(reply) = self.asking.remove(&run) {
                reply.send(RunSlot::new(run, context.address().clone()));
            }
        }
        self.export();
    }

    /// Whoever waits for the job hears of its end now; its place is free when what is under it has been taken down.
    async fn job_gone(&mut self, job: JobId, context: &Context<JobsMessage>) {
        let (running, address) = (self.running.clone(), context.address().clone());
        context.spawn(async move {
            running.end(job).await;
            drop(address.post(JobsMessage::JobCleared { job }));
        });
        let ended = self.live.get(&job).is_none_or(|live| live.view.borrow().state.is_terminal());
        if ended {
            self.live.remove(&job);
        } else {
            let error = "proctor's own actor for this job ended unexpectedly".to_owned();
            self.end(job, JobState::Failed, Some(error), context);
        }
    }

    async fn job_cleared(&mut self, job: JobId, context: &Context<JobsMessage>) {
        self.admission.ended(job);
        self.start_jobs(context).await;
        self.answer_drain();
    }

    async fn drain(&mut self, patience: Duration, reply: Reply<()>, context: &Context<JobsMessage>) {
        self.admission.drain();
        self.drained.push(reply);
        context.send_after(patience, JobsMessage::Hurry);
        self.answer_drain();
    }

    fn hurry(&mut self) {
        for live in self.live.values() {
            if matches!(live.stage, Stage::UnderWay) {
                live.cancel.cancel();
            }
        }
    }

    fn answer_drain(&mut self) {
        if self.admission.running() == 0 {
            self.drained.drain(..).for_each(|reply| reply.send(()));
        }
    }

    fn export(&self) {
        let (granted, waiting) = self.slots.counts();
        let gauge = |name: &'static str, value: usize| {
            metrics::gauge!(name).set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)))
        };
        gauge("proctor_jobs_running", self.admission.running());
        gauge("proctor_jobs_waiting", self.admission.waiting());
        gauge("proctor_runs_running", granted);
        gauge("proctor_runs_waiting", waiting);
    }
}
