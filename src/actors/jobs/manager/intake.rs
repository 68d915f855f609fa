//! How a job comes in: shared with one that does the same, or given a place, stored, and queued.

use std::sync::Arc;

use super::live::{Live, Stage, Submitter};
use super::{JobWatch, Jobs, JobsMessage, Submit, SubmitError, Submitted};
use crate::actors::clock;
use crate::actors::jobs::wish::Wish;
use crate::actors::mailbox::Reply;
use crate::actors::random;
use crate::actors::server::Context;
use crate::domain::dedup;
use crate::domain::ids::{JobId, Principal};
use crate::domain::job::{JobRequest, JobState, JobView};
use crate::domain::rescue::ended;
use crate::faults;
use crate::store::StoreError;
use crate::store::record::{LetIn, Submission};

/// Wishes for one job that are watched. Past it they count as kept: a client that repeats its request for hours must not
/// pile up tasks, and the job runs on for those who came first.
const WISHES_WATCHED_MAX: u32 = 10_000;

impl Jobs {
    pub(super) fn submit(
        &mut self,
        submit: Submit,
        reply: Reply<Result<Submitted, SubmitError>>,
        context: &Context<JobsMessage>,
    ) {
        // A caller who has left was told to come back: a job of his would run for nobody.
        if reply.is_abandoned() {
            return;
        }
        let plan = submit.unlike.is_some().then(|| self.plan(&submit.principal, &submit.request));
        match self.twin(plan.as_deref(), submit.unlike.as_deref().unwrap_or_default()) {
            Some(twin) => self.share(twin, submit.wish, reply, context),
            None => self.let_in(submit, plan, reply, context),
        }
    }

    /// Equal for jobs that do the same.
    pub(super) fn plan(&self, principal: &Principal, request: &JobRequest) -> String {
        let tools = self.shop.catalogue.versions(&request.tools);
        dedup::plan(principal, request, &tools)
    }

    fn twin(&self, plan: Option<&str>, unlike: &[JobId]) -> Option<JobId> {
        let twin = *self.plans.get(plan?)?;
        let live = self.live.get(&twin).filter(|live| !live.cancel.is_cancelled() && !live.has_ended())?;
        let can_be_shared = !matches!(live.stage, Stage::Settling { .. });
        (can_be_shared && !unlike.contains(&twin)).then_some(twin)
    }

    /// A job that has not begun to copy its target will see what the caller sees. One that has begun may have read
    /// something older: the caller compares, and joins by its id or submits again.
    fn share(
        &mut self,
        twin: JobId,
        wish: Wish,
        reply: Reply<Result<Submitted, SubmitError>>,
        context: &Context<JobsMessage>,
    ) {
        let Some(live) = self.live.get_mut(&twin) else { return };
        match &mut live.stage {
            Stage::UnderWay { .. } | Stage::Settling { .. } => {
                return reply.send(Ok(Submitted::Begun(live.watch())));
            }
            Stage::Storing { submitters } => submitters.push(Submitter { reply, own: false }),
            Stage::Waiting | Stage::Resting => reply.send(Ok(Submitted::Shared(live.watch()))),
        }
        self.wanted_by(twin, wish, context);
    }

    /// One more who wants the job, and for how long.
    fn wanted_by(&mut self, job: JobId, wish: Wish, context: &Context<JobsMessage>) {
        let Some(live) = self.live.get_mut(&job) else { return };
        live.wanted = live.wanted.saturating_add(1);
        if live.wanted <= WISHES_WATCHED_MAX {
            watch_over(live.watch(), job, wish, context);
        }
    }

    fn let_in(
        &mut self,
        submit: Submit,
        plan: Option<String>,
        reply: Reply<Result<Submitted, SubmitError>>,
        context: &Context<JobsMessage>,
    ) {
        let Submit { principal, request, key, wish, .. } = submit;
        if let Err(no_room) = self.room.check() {
            return reply.send(Err(no_room.into()));
        }
        let pressure = *self.pressure.borrow();
        if !pressure.admits_jobs() {
            return reply.send(Err(SubmitError::LowMemory(pressure)));
        }
        let id = JobId::from_random(random::bytes());
        if let Err(refusal) = self.admission.expect(id, &principal) {
            let retry_after = self.pace.until_place(self.running_max);
            return reply.send(Err(SubmitError::Refused { refusal, retry_after }));
        }
        let job = JobView::queued(id, principal, request, clock::now());
        let submission = Submission { job: job.clone(), plan: plan.clone(), key };
        let stage = Stage::Storing { submitters: vec![Submitter { reply, own: true }] };
        let live = Live::new(job, plan.clone(), stage);
        watch_over(live.watch(), id, wish, context);
        self.live.insert(id, live);
        if let Some(plan) = plan {
            self.plans.insert(plan, id);
        }
        let (store, address) = (self.shop.store.clone(), context.address().clone());
        // Beside the handler: many submissions are one group, and one fsync, of the store.
        context.spawn(async move {
            let result = store.submit(submission).await;
            faults::point("jobs.after_submit");
            drop(address.post(JobsMessage::Stored { job: id, result }));
        });
    }

    /// A job is durable, or is not to be.
    pub(super) async fn stored(
        &mut self,
        job: JobId,
        result: Result<LetIn, StoreError>,
        context: &Context<JobsMessage>,
    ) {
        let Some(live) = self.live.get_mut(&job) else { return };
        let Stage::Storing { submitters } = std::mem::replace(&mut live.stage, Stage::Waiting) else {
            return;
        };
        let (watch, principal) = (live.watch(), live.principal());
        tell(submitters, &watch, &result);
        match result {
            Ok(LetIn::New) => {
                self.admission.enqueue(job, principal);
                self.settle_if_unwanted(job, context);
                self.start_jobs(context).await;
            }
            Err(error @ StoreError::Unknown { .. }) => {
                // It may be on the disk after all, and would look as if it waited there.
                self.admission.withdraw(job);
                let error = Some(format!("the job was never started: {error}"));
                self.settle(job, ended(JobState::Failed, error, &clock::now()), context);
            }
            Ok(LetIn::Same(_) | LetIn::Conflict(_)) | Err(_) => {
                self.admission.withdraw(job);
                self.forget(job);
            }
        }
        self.answer_drain();
    }

    /// Adds a caller to a job that is live; the job, unless it is not (any more).
    pub(super) fn join(
        &mut self,
        principal: &Principal,
        job: JobId,
        wish: Wish,
        context: &Context<JobsMessage>,
    ) -> Option<JobWatch> {
        let watch = self.watch(principal, job)?;
        self.wanted_by(job, wish, context);
        Some(watch)
    }
}

/// Hears when the caller no longer wants the job, unless the job ends before.
fn watch_over(mut watch: JobWatch, job: JobId, wish: Wish, context: &Context<JobsMessage>) {
    let address = context.address().clone();
    context.spawn(async move {
        tokio::select! {
            () = wish.ended() => drop(address.post(JobsMessage::Withdraw { job })),
            // An error means that the job is forgotten, which only ended ones are.
            _ = watch.wait_for(|view: &Arc<JobView>| view.state.is_terminal()) => {}
        }
    });
}

fn tell(submitters: Vec<Submitter>, watch: &JobWatch, result: &Result<LetIn, StoreError>) {
    for Submitter { reply, own } in submitters {
        reply.send(match (result, own) {
            (Ok(LetIn::New), true) => Ok(Submitted::New(watch.clone())),
            (Ok(LetIn::New), false) => Ok(Submitted::Shared(watch.clone())),
            (Ok(LetIn::Same(job)), true) => Ok(Submitted::Known(*job)),
            (Ok(LetIn::Conflict(job)), true) => Ok(Submitted::Conflict(*job)),
            // The key was another's: it says nothing about this caller's request.
            (Ok(LetIn::Same(_) | LetIn::Conflict(_)), false) => {
                Err(SubmitError::NotStored("the job it would have shared was not let in".to_owned()))
            }
            (Err(error), _) => Err(SubmitError::NotStored(error.to_string())),
        });
    }
}
