//! How a request becomes a job: the one its key stands for, one that does the same on the same content, or one of its own.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::jobs::{self, Found};
use crate::actors::jobs::looks::LooksMessage;
use crate::actors::jobs::wish::{Caller, wish};
use crate::actors::jobs::{JobWatch, JobsMessage, Submit, SubmitError, Submitted};
use crate::actors::journal::What;
use crate::actors::session::call::{CallContext, CallError};
use crate::domain::admission::Refusal;
use crate::domain::ids::JobId;
use crate::domain::job::{JobRequest, JobState, JobView};
use crate::domain::target::{AppTarget, Target};
use crate::protocol::errors::WireError;
use crate::store::keys::{Key, Known};

/// Equal jobs that are compared before one of its own is let in. Each was made for a content that differed from the one
/// before, within one job's time.
const COMPARED_MAX: usize = 3;
/// Longest comparison: to read the target, and to wait until the other job has read it. Past it, a job of its own is the
/// quicker answer.
const COMPARE_PATIENCE: Duration = Duration::from_secs(30);
/// When to come back after the store did not take a job: it recovers within seconds, or not by itself.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// What is asked for.
pub struct Wanted {
    pub request: JobRequest,
    pub key: Option<Key>,
    /// Never to be shared.
    pub fresh: bool,
}

/// A job for the request, and what stands for the caller's interest in it: to be kept until he is answered.
pub async fn submit(context: &CallContext, wanted: Wanted) -> Result<(Found, Option<Caller>), CallError> {
    if let Some(key) = &wanted.key {
        let known = context.handles.store.look_up(context.principal.clone(), key.clone()).await;
        if let Some(known) = known.map_err(|error| jobs::unreadable(&error))? {
            return Ok((of_key(context, known).await?, None));
        }
    }
    let mut unlike = (!wanted.fresh).then(Vec::new);
    loop {
        let (caller, answer) = ask(context, &wanted, unlike.clone()).await?;
        match answer {
            Submitted::New(watch) => return Ok((Found::Live(watch), Some(caller))),
            Submitted::Shared(watch) => {
                let id = watch.borrow().id;
                bind(context, wanted.key, id).await?;
                return Ok((Found::Live(watch), Some(caller)));
            }
            Submitted::Known(job) => return Ok((jobs::find(context, job).await?, Some(caller))),
            Submitted::Conflict(job) => return Err(conflict(job)),
            Submitted::Begun(other) => {
                let id = other.borrow().id;
                if read_the_same(context, &wanted.request, other).await {
                    let joined = join(context, &wanted.request, id).await?;
                    bind(context, wanted.key, id).await?;
                    return Ok(joined);
                }
                unlike = unlike.filter(|unlike| unlike.len() < COMPARED_MAX);
                unlike.iter_mut().for_each(|unlike| unlike.push(id));
            }
        }
    }
}

async fn ask(
    context: &CallContext,
    wanted: &Wanted,
    unlike: Option<Vec<JobId>>,
) -> Result<(Caller, Submitted), CallError> {
    let (caller, wish) = wish(context.cancel.clone(), connection(context, &wanted.request));
    let submit = Box::new(Submit {
        principal: context.principal.clone(),
        request: wanted.request.clone(),
        key: wanted.key.clone(),
        unlike,
        wish,
    });
    let answer = jobs::ask(context, |reply| JobsMessage::Submit { submit, reply }).await?;
    Ok((caller, answer.map_err(|error| told(error, context)).map_err(refused)?))
}

fn connection(context: &CallContext, request: &JobRequest) -> Option<tokio_util::sync::CancellationToken> {
    request.attached.then(|| context.connection.clone())
}

/// Whether a job that has begun to read its target read what is there now: then its result is this caller's result. A site
/// of somebody's has no content to compare: a look at it that is under way sees it as it is now, and a second one beside it
/// would double what it must bear.
async fn read_the_same(context: &CallContext, request: &JobRequest, mut other: JobWatch) -> bool {
    if matches!(request.target, Target::Web(_)) {
        return !other.borrow().state.is_terminal();
    }
    let now = content(context, &request.target);
    let then = timeout(COMPARE_PATIENCE, other.wait_for(|job| has_read(job)));
    let then = async { then.await.ok()?.ok().map(|job| std::sync::Arc::clone(&job)) };
    match tokio::join!(now, then) {
        (Some(now), Some(job)) => {
            let answers = matches!(job.state, JobState::Queued | JobState::Running | JobState::Done);
            answers && job.content_digest == Some(now)
        }
        _ => false,
    }
}

/// What is there now, as the digest that a job on it would note; `None` if that cannot be told soon.
async fn content(context: &CallContext, target: &Target) -> Option<String> {
    match target {
        Target::Tree(path) => {
            let target = PathBuf::from(path);
            let look = |reply| LooksMessage::Look { target, reply };
            context.handles.looks.get()?.call(look, COMPARE_PATIENCE).await.ok()?.ok()
        }
        Target::App(AppTarget { app, .. }) => {
            timeout(COMPARE_PATIENCE, context.handles.apps.content(app)).await.ok()?.ok()
        }
        Target::Web(_) => None,
    }
}

fn has_read(job: &JobView) -> bool {
    job.content_digest.is_some() || job.state.is_terminal()
}

/// The job may have ended since: then its result is there.
async fn join(
    context: &CallContext,
    request: &JobRequest,
    job: JobId,
) -> Result<(Found, Option<Caller>), CallError> {
    let (caller, wish) = wish(context.cancel.clone(), connection(context, request));
    let principal = context.principal.clone();
    let joined = jobs::ask(context, |reply| JobsMessage::Join { principal, job, wish, reply }).await?;
    match joined {
        Some(watch) => Ok((Found::Live(watch), Some(caller))),
        None => Ok((jobs::find(context, job).await?, None)),
    }
}

async fn bind(context: &CallContext, key: Option<Key>, job: JobId) -> Result<(), CallError> {
    let Some(key) = key else { return Ok(()) };
    let bound = context.handles.store.bind(context.principal.clone(), key, job).await;
    match bound.map_err(|error| jobs::unreadable(&error))? {
        Known::Same(_) => Ok(()),
        Known::Other(other) => Err(conflict(other)),
    }
}

async fn of_key(context: &CallContext, known: Known) -> Result<Found, CallError> {
    match known {
        Known::Same(job) => jobs::find(context, job).await,
        Known::Other(job) => Err(conflict(job)),
    }
}

fn conflict(job: JobId) -> CallError {
    CallError::Conflict {
        what: format!("this idempotency_key stands for job {job}, which was asked for with other arguments"),
        advice: "Use a new key for a new request, or repeat the first one as it was".to_owned(),
    }
}

/// The journal hears of what was not taken in, too.
fn told(error: SubmitError, context: &CallContext) -> SubmitError {
    context.handles.journal.say(What::daemon("refused", format!("{}: {error}", context.principal.0)));
    error
}

fn refused(error: SubmitError) -> CallError {
    match error {
        SubmitError::Refused { refusal: Refusal::Draining, .. } => CallError::Wire(WireError::Draining),
        SubmitError::Refused { refusal, retry_after } => {
            CallError::Unavailable { what: refusal.to_string(), retry_after }
        }
        SubmitError::NoRoom(_) | SubmitError::LowMemory(_) | SubmitError::NotStored(_) => {
            CallError::Unavailable { what: error.to_string(), retry_after: STORE_RETRY }
        }
    }
}
