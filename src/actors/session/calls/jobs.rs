//! What the calls about jobs share: finding one, waiting for it, answering with it.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ContentBlock, Resource};
use tokio::time::{Instant, timeout_at};

use crate::actors::gateway::phase::{Phase, reached};
use crate::actors::jobs::{JobWatch, JobsMessage};
use crate::actors::mailbox::{Address, CallError as AddressError};
use crate::actors::session::call::{CallContext, CallError};
use crate::actors::session::convert;
use crate::domain::ids::JobId;
use crate::domain::job::{JobState, JobView, RunState, RunView};
use crate::protocol::api::{JobAnswer, PAGE_ITEMS_MAX, QueueAnswer, WAIT_S_MAX};
use crate::store::StoreError;
use crate::store::findings::{FindingsQuery, Scope};

/// How long the jobs manager may take to answer. It only does bookkeeping and one short write; past this it is in
/// trouble, and the caller is told to come back.
const MANAGER_PATIENCE: Duration = Duration::from_secs(10);
/// When to come back after a part of the daemon was down: managers restart within a second or two.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What a caller is told whose job has not ended when the daemon does.
const KEPT: &str = "the daemon is shutting down; the job is kept and will be taken up after the restart: connect again, then call job_status";

/// A job, wherever it is.
pub enum Found {
    /// Under way, to be watched.
    Live(JobWatch),
    /// Over.
    Stored(Box<JobView>),
}

impl Found {
    /// The job when it has ended, or as it is when the patience does.
    pub async fn wait(self, context: &CallContext, wait_s: Option<u32>) -> Arc<JobView> {
        match self {
            Self::Stored(view) => Arc::new(*view),
            Self::Live(watch) => wait(watch, context, wait_s).await,
        }
    }
}

pub fn parse_id(text: &str) -> Result<JobId, CallError> {
    text.parse().map_err(|error| CallError::argument("job", format!("{error}")))
}

/// The job of this principal; whether it never was or is another's is not told apart.
pub async fn find(context: &CallContext, id: JobId) -> Result<Found, CallError> {
    let principal = context.principal.clone();
    // Live first: a job that ends in between is in the store by then, because it is stored before it is let go.
    let live = ask(context, |reply| JobsMessage::Watch { principal, job: id, reply }).await?;
    if let Some(watch) = live {
        return Ok(Found::Live(watch));
    }
    let stored = context.handles.store.job(context.principal.clone(), id).await;
    stored
        .map_err(|error| unreadable(&error))?
        .map(|view| Found::Stored(Box::new(view)))
        .ok_or_else(|| no_such_job(id))
}

pub fn no_such_job(id: JobId) -> CallError {
    CallError::NotFound {
        what: format!("there is no job {id} of yours"),
        advice: "Use the id that scan returned to this token".to_owned(),
    }
}

/// Asks the jobs manager of now.
pub async fn ask<R: Send>(
    context: &CallContext,
    request: impl FnOnce(crate::actors::mailbox::Reply<R>) -> JobsMessage,
) -> Result<R, CallError> {
    let manager: Address<JobsMessage> =
        context.handles.jobs.get().ok_or_else(|| unavailable("the job engine is restarting"))?;
    manager.call(request, MANAGER_PATIENCE).await.map_err(|error| match error {
        AddressError::Full { .. } => unavailable("the job engine is busy"),
        AddressError::Closed { .. } => unavailable(
            "the job engine went down while it handled this; look for the job before you submit again",
        ),
        AddressError::Timeout { .. } => {
            unavailable("the job engine did not answer in time; look for the job before you submit again")
        }
    })
}

fn unavailable(what: &str) -> CallError {
    CallError::Unavailable { what: what.to_owned(), retry_after: RETRY_AFTER }
}

pub fn unreadable(error: &StoreError) -> CallError {
    CallError::Unavailable { what: format!("the store cannot be read: {error}"), retry_after: RETRY_AFTER }
}

/// Waits for the end of a job, telling the client how far it is; also over a restart of the job engine, which goes on with
/// the job. A daemon that drains answers before it closes: with the job as it is then.
pub async fn wait(mut watch: JobWatch, context: &CallContext, wait_s: Option<u32>) -> Arc<JobView> {
    let patience = Duration::from_secs(wait_s.unwrap_or(0).min(WAIT_S_MAX).into());
    let until = Instant::now() + patience;
    loop {
        let view = Arc::clone(&watch.borrow_and_update());
        let (done, total, message) = progress(&view);
        context.progress.report(done, total, message);
        // No patience at all must not cost a tick of the timer, which is a millisecond or two.
        if view.state.is_terminal() || patience.is_zero() {
            return view;
        }
        match timeout_at(until, next(&mut watch, context, &view)).await {
            Ok(Next::State) => {}
            Ok(Next::Leaving) => return Arc::clone(&watch.borrow()),
            Err(_patience_is_over) => return view,
            Ok(Next::EngineGone) => match timeout_at(until, after_the_restart(context, view.id)).await {
                Ok(Some(Found::Live(newer))) => watch = newer,
                Ok(Some(Found::Stored(view))) => return Arc::new(*view),
                Ok(None) | Err(_) => return view,
            },
        }
    }
}

enum Next {
    State,
    /// The daemon stops; the job goes on after its restart, and cannot be waited for here.
    Leaving,
    EngineGone,
}

async fn next(watch: &mut JobWatch, context: &CallContext, view: &JobView) -> Next {
    // What waits for its turn, or is handed back, is not started any more.
    let is_queued = view.state == JobState::Queued;
    tokio::select! {
        biased;
        changed = watch.changed() => changed.map_or(Next::EngineGone, |()| Next::State),
        () = reached(&context.phase, Phase::Draining), if is_queued => Next::Leaving,
        () = reached(&context.phase, Phase::Settling) => Next::Leaving,
    }
}

/// The job as the next life of the jobs manager has it: that takes up every job of the last one before it answers anybody.
async fn after_the_restart(context: &CallContext, id: JobId) -> Option<Found> {
    loop {
        let manager = context.handles.jobs.ready().await;
        let principal = context.principal.clone();
        let request = |reply| JobsMessage::Watch { principal, job: id, reply };
        match manager.call(request, MANAGER_PATIENCE).await {
            // Still the last one, in its last moments.
            Err(AddressError::Closed { .. }) => {}
            Err(AddressError::Full { .. } | AddressError::Timeout { .. }) => return None,
            Ok(Some(watch)) => return Some(Found::Live(watch)),
            Ok(None) => break,
        }
    }
    let stored = context.handles.store.job(context.principal.clone(), id).await;
    stored.ok().flatten().map(|view| Found::Stored(Box::new(view)))
}

/// Runs ended of runs planned, and a sentence.
fn progress(view: &JobView) -> (f64, Option<f64>, String) {
    let ended = view.runs.len() - view.open_runs().count();
    let tools = view.runs.iter().filter(|run| matches!(run.state, RunState::Running | RunState::Parsing));
    let running: Vec<String> = tools.map(running).collect();
    let found: u32 = view.counts.iter().sum();
    let message = match (view.runs.is_empty(), running.is_empty()) {
        (true, _) => format!(
            "{}: {}",
            view.state.word(),
            view.doing.as_deref().unwrap_or("the target is being prepared")
        ),
        (false, true) => format!("{ended} of {} tools done, {found} findings so far", view.runs.len()),
        (false, false) => {
            let running = running.join(", ");
            format!("{ended} of {} tools done, {found} findings so far; running: {running}", view.runs.len())
        }
    };
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    (count(ended), (!view.runs.is_empty()).then(|| count(view.runs.len())), message)
}

fn running(run: &RunView) -> String {
    match &run.doing {
        Some(doing) => format!("{} ({doing})", run.tool),
        None => run.tool.to_string(),
    }
}

/// The job with its worst findings, as many as fit into one answer.
pub async fn answer(context: &CallContext, view: &JobView) -> Result<JobAnswer, CallError> {
    let mut answer = convert::job_answer(view);
    if !view.state.is_terminal() && *context.phase.borrow() != Phase::Serving {
        answer.hint = KEPT.to_owned();
    }
    if view.state == JobState::Queued {
        answer.queue = place(context, view.id).await;
    }
    if view.counts.iter().any(|count| *count > 0) {
        let query = FindingsQuery {
            principal: context.principal.clone(),
            scope: Scope::Job(view.id),
            min_severity: None,
            tool: None,
            path_prefix: None,
        };
        let page = context
            .handles
            .store
            .findings(query, None, PAGE_ITEMS_MAX)
            .await
            .map_err(|error| unreadable(&error))?;
        answer.findings = convert::fitting(&page.findings, convert::json_bytes(&answer));
    }
    Ok(answer)
}

/// A manager that cannot say so now is no reason to say nothing.
async fn place(context: &CallContext, job: JobId) -> Option<QueueAnswer> {
    let principal = context.principal.clone();
    let place = ask(context, |reply| JobsMessage::Place { principal, job, reply }).await.ok()??;
    Some(QueueAnswer {
        ahead: u32::try_from(place.ahead).unwrap_or(u32::MAX),
        estimate_s: u32::try_from(place.estimate.as_secs()).unwrap_or(u32::MAX),
    })
}

/// A link to the whole result.
pub fn links(answer: &JobAnswer) -> Vec<ContentBlock> {
    let resource = Resource::new(answer.sarif.clone(), "sarif")
        .with_description("The whole result as SARIF 2.1.0")
        .with_mime_type("application/sarif+json");
    vec![ContentBlock::resource_link(resource)]
}
