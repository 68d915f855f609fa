//! What becomes of jobs that nobody holds: ended, handed back, or found where nobody looked for them.

use std::time::Duration;

use tokio::time::Instant;

use super::live::{Live, Stage};
use super::{Jobs, JobsMessage};
use crate::actors::server::Context;
use crate::actors::{clock, random};
use crate::domain::ids::JobId;
use crate::domain::job::{HandBack, JobEvent, JobState, JobView};
use crate::domain::lease::Fence;
use crate::domain::rescue::{Fate, ended, fate};
use crate::store::StoreError;

/// Until the store is asked again to take what became of a job.
const SETTLE_RETRY: Duration = Duration::from_secs(1);
/// How often deadlines and leases are looked at.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// How often the store is asked whether it has open jobs that nobody knows of. There should be none.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

impl Jobs {
    /// Looks after every state that could last for ever, if nobody did.
    pub(super) async fn tick(&mut self, context: &Context<JobsMessage>) {
        context.send_after(TICK, JobsMessage::Tick);
        let now = Instant::now();
        self.expire(now, context);
        self.take_from_silent_holders(context);
        if now.duration_since(self.swept_at) >= SWEEP_EVERY {
            self.swept_at = now;
            let (store, address) = (self.shop.store.clone(), context.address().clone());
            context.spawn(async move {
                match store.open_jobs().await {
                    Ok(open) => drop(address.post(JobsMessage::Swept { open })),
                    Err(error) => tracing::warn!(%error, "open jobs were not looked for; they will be"),
                }
            });
        }
        self.start_jobs(context).await;
    }

    fn expire(&mut self, now: Instant, context: &Context<JobsMessage>) {
        let too_late =
            |live: &Live| live.deadline <= now && matches!(live.stage, Stage::Waiting | Stage::Resting);
        let expired: Vec<JobId> =
            self.live.iter().filter(|(_, live)| too_late(live)).map(|(job, _)| *job).collect();
        for job in expired {
            self.admission.withdraw(job);
            let error = "its deadline passed while it waited for its turn".to_owned();
            self.settle(job, ended(JobState::Expired, Some(error), &clock::now()), context);
        }
    }

    fn take_from_silent_holders(&mut self, context: &Context<JobsMessage>) {
        let now = self.began.elapsed();
        let is_silent = |live: &Live| match &live.stage {
            Stage::UnderWay { lease, taken_down, .. } => taken_down.is_none() && lease.has_run_out(now),
            _ => false,
        };
        let silent: Vec<JobId> =
            self.live.iter().filter(|(_, live)| is_silent(live)).map(|(job, _)| *job).collect();
        for job in silent {
            tracing::error!(%job, "a job's actor is silent; the job is taken from it");
            self.take_down(job, HandBack::LeaseExpired, context);
        }
    }

    pub(super) fn renew(&mut self, job: JobId, attempt: u32) {
        let now = self.began.elapsed();
        if let Some(Live { stage: Stage::UnderWay { lease, .. }, .. }) = self.live.get_mut(&job) {
            lease.renew(attempt, now);
        }
    }

    /// Ends a job's subtree, to its last process; what becomes of the job is decided when nothing of it is left.
    pub(super) fn take_down(&mut self, job: JobId, why: HandBack, context: &Context<JobsMessage>) {
        let Some(Live { stage: Stage::UnderWay { taken_down, .. }, .. }) = self.live.get_mut(&job) else {
            return;
        };
        // The first word stands: that the actor is gone then is only the consequence.
        if taken_down.is_none() {
            *taken_down = Some(why);
            self.clear(job, context);
        }
    }

    /// The job's actor is gone. Whoever waits for the job has heard of its end, if it had one; its place is free when what
    /// is under it has been taken down.
    pub(super) fn job_gone(&mut self, job: JobId, context: &Context<JobsMessage>) {
        match self.live.get_mut(&job) {
            Some(live) if live.has_ended() => {
                if let Stage::UnderWay { since, .. } = live.stage {
                    self.pace.took(since.elapsed());
                }
                self.forget(job);
                self.clear(job, context);
            }
            Some(_) => self.take_down(job, HandBack::HolderLost, context),
            None => self.clear(job, context),
        }
    }

    fn clear(&self, job: JobId, context: &Context<JobsMessage>) {
        let (running, address) = (self.running.clone(), context.address().clone());
        context.spawn(async move {
            running.end(job).await;
            drop(address.post(JobsMessage::JobCleared { job }));
        });
    }

    /// Nothing is left of a job: neither an actor nor a process.
    pub(super) async fn job_cleared(&mut self, job: JobId, context: &Context<JobsMessage>) {
        match self.live.get(&job) {
            Some(Live { stage: Stage::UnderWay { taken_down: Some(why), .. }, .. }) => {
                let why = *why;
                self.lost(job, why, context);
            }
            _ => self.admission.ended(job),
        }
        self.start_jobs(context).await;
        self.answer_drain();
    }

    fn lost(&mut self, job: JobId, why: HandBack, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get(&job) else { return };
        if live.has_ended() {
            // It ended while it was taken down.
            self.admission.ended(job);
            return self.forget(job);
        }
        let decided = fate(&live.view.borrow(), why, self.tries, chance());
        tracing::warn!(%job, ?why, ?decided, "a job lost its holder");
        match decided {
            Fate::HandBack { pause } => self.settle_after(job, JobEvent::HandedBack { why }, pause, context),
            Fate::End { state, error } => self.settle(job, ended(state, error, &clock::now()), context),
        }
    }

    /// Gives a job that nobody holds its next state: stored first, shown after.
    pub(super) fn settle(&mut self, job: JobId, event: JobEvent, context: &Context<JobsMessage>) {
        self.settle_after(job, event, Duration::ZERO, context);
    }

    fn settle_after(&mut self, job: JobId, event: JobEvent, pause: Duration, context: &Context<JobsMessage>) {
        if let Some(live) = self.live.get_mut(&job) {
            live.stage = Stage::Settling { event, pause };
            self.store_settlement(job, context);
        }
    }

    pub(super) fn store_settlement(&self, job: JobId, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get(&job) else { return };
        let Stage::Settling { event, .. } = &live.stage else { return };
        let (event, fence, principal) = (event.clone(), Fence::Attempt(live.attempt()), live.principal());
        let (store, address) = (self.shop.store.clone(), context.address().clone());
        context.spawn(async move {
            let stored = match store.record(job, fence, event, Vec::new()).await {
                // Something else had reached the store before, and only the word of it was lost.
                Ok(false) => store.job(principal, job).await.map(|stored| stored.map(Box::new)),
                Ok(true) | Err(StoreError::NoSuchJob(_)) => Ok(None),
                Err(error) => Err(error),
            };
            drop(address.post(JobsMessage::Settled { job, stored }));
        });
    }

    /// `stored` is the job as the store has it, where that is not what was to be written.
    pub(super) async fn settled(
        &mut self,
        job: JobId,
        stored: Result<Option<Box<JobView>>, StoreError>,
        context: &Context<JobsMessage>,
    ) {
        match stored {
            Ok(stored) => self.show_settlement(job, stored, context),
            Err(error) => {
                tracing::warn!(%job, %error, "what became of a job was not stored; trying again");
                context.send_after(SETTLE_RETRY, JobsMessage::Settle { job });
            }
        }
        self.start_jobs(context).await;
        self.answer_drain();
    }

    fn show_settlement(&mut self, job: JobId, stored: Option<Box<JobView>>, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get_mut(&job) else { return };
        let Stage::Settling { event, pause } = std::mem::replace(&mut live.stage, Stage::Resting) else {
            return;
        };
        match stored {
            Some(stored) => drop(live.view.send_replace(std::sync::Arc::from(stored))),
            None => live.publish(event),
        }
        self.admission.ended(job);
        match (self.live.get(&job).is_some_and(Live::has_ended), pause) {
            (true, _) => self.forget(job),
            (false, Duration::ZERO) => self.requeue(job, context),
            (false, pause) => context.send_after(pause, JobsMessage::Requeue { job }),
        }
    }

    /// A job that was handed back waits for its turn again, before those that never had one.
    pub(super) fn requeue(&mut self, job: JobId, context: &Context<JobsMessage>) {
        if let Some(live) = self.live.get_mut(&job)
            && matches!(live.stage, Stage::Resting)
        {
            live.stage = Stage::Waiting;
            let principal = live.principal();
            self.admission.put_back(job, principal);
            self.settle_if_unwanted(job, context);
        }
    }

    /// A cancel may have come while the job was in nobody's hands.
    pub(super) fn settle_if_unwanted(&mut self, job: JobId, context: &Context<JobsMessage>) {
        let is_unwanted = self.live.get(&job).is_some_and(|live| live.cancel.is_cancelled());
        if is_unwanted && self.admission.withdraw(job) {
            self.settle(job, ended(JobState::Cancelled, None, &clock::now()), context);
        }
    }

    /// Open jobs of the store that nobody knows of are taken up. Whatever became of one since it was read: its fence keeps
    /// a stale look from changing anything.
    pub(super) async fn swept(&mut self, open: Vec<JobView>, context: &Context<JobsMessage>) {
        for job in open {
            let id = job.id;
            if self.live.contains_key(&id) {
                continue;
            }
            tracing::warn!(job = %id, state = job.state.word(), "an open job was known to nobody; it is taken up");
            let is_running = job.state == JobState::Running;
            self.adopt(job);
            if is_running {
                self.admission.withdraw(id);
                self.lost(id, HandBack::HolderLost, context);
            }
        }
        self.start_jobs(context).await;
    }

    /// Takes a job up that waits in the store.
    pub(super) fn adopt(&mut self, job: JobView) {
        let (id, principal) = (job.id, job.principal.clone());
        let plan = self.plan(&principal, &job.request);
        self.live.insert(id, Live::new(job, Some(plan.clone()), Stage::Waiting));
        self.plans.insert(plan, id);
        self.admission.enqueue(id, principal);
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    f64::from(u16::from_ne_bytes(random::bytes())) / f64::from(u16::MAX)
}
