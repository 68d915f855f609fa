//! `job_events`: what happened to a job, in order, from any number on; waits for the next one when asked to.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::actors::gateway::phase::{Phase, reached};
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::actors::session::calls::jobs::{self, Found};
use crate::actors::session::convert::json_bytes;
use crate::domain::ids::JobId;
use crate::domain::job::JobView;
use crate::domain::said::Said;
use crate::protocol::api::{PAGE_BYTES_MAX, WAIT_S_MAX};
use crate::protocol::history::{EVENTS_MAX, EventAnswer, EventsAnswer, EventsArguments};
use crate::store::events::StoredEvent;

/// Events of a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 100;
/// How often the store is asked while one waits: an event is stored before it is shown, but not every one is shown.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct JobEvents;

impl Call for JobEvents {
    const NAME: &'static str = "job_events";
    const TITLE: &'static str = "Events of a job";
    const DESCRIPTION: &'static str = "What happened to a job, in order and numbered without holes: its start, its plan, each run's steps and end, \
        its own end. Give `next` back as `from` to go on where you left, also after a restart of the daemon. With `wait_s` \
        (up to 45) it waits for the next event. `ended` is true when none will follow.";
    const HINTS: Hints = Hints::READ;
    type Arguments = EventsArguments;
    type Answer = EventsAnswer;

    async fn call(arguments: EventsArguments, context: CallContext) -> Result<EventsAnswer, CallError> {
        let job = jobs::parse_id(&arguments.job)?;
        let from = arguments.from.unwrap_or(1).max(1);
        let limit = arguments.limit.unwrap_or(LIMIT_DEFAULT).min(EVENTS_MAX);
        let patience = Duration::from_secs(arguments.wait_s.unwrap_or(0).min(WAIT_S_MAX).into());
        let until = Instant::now() + patience;
        loop {
            // Before the events: what happens after the look changes what is watched.
            let found = jobs::find(&context, job).await?;
            let answer = page(&context, job, &view(&found), from, limit).await?;
            if !answer.events.is_empty() || answer.ended || Instant::now() >= until {
                return Ok(answer);
            }
            let next_look = until.min(Instant::now() + LOOK_EVERY);
            tokio::select! {
                () = sleep_until(next_look) => {}
                () = changed(found) => {}
                // A daemon that drains answers before it closes.
                () = reached(&context.phase, Phase::Settling) => return Ok(answer),
            }
        }
    }
}

/// Until the job shows another state. One that is not live never does.
async fn changed(found: Found) {
    if let Found::Live(mut watch) = found
        && watch.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn view(found: &Found) -> JobView {
    match found {
        Found::Live(watch) => JobView::clone(&watch.borrow()),
        Found::Stored(view) => JobView::clone(view),
    }
}

async fn page(
    context: &CallContext,
    job: JobId,
    view: &JobView,
    from: u64,
    limit: u32,
) -> Result<EventsAnswer, CallError> {
    let read = context.handles.store.events(context.principal.clone(), job, from).await;
    let read = read.map_err(|error| jobs::unreadable(&error))?;
    let stored = read.ok_or_else(|| jobs::no_such_job(job))?;
    let mut used = 0;
    let fits = |event: &EventAnswer| {
        used += json_bytes(event) + 1;
        used <= PAGE_BYTES_MAX
    };
    let events: Vec<_> =
        stored.iter().take(limit as usize).map(|event| told(event, view)).take_while(fits).collect();
    let next = events.last().map_or(from, |event| event.number + 1);
    // The end of a job is its last event.
    let last = stored.last().is_none_or(|event| event.sequence < next);
    Ok(EventsAnswer {
        next,
        ended: view.state.is_terminal() && last && stored.len() < EVENTS_MAX as usize,
        events,
    })
}

fn told(stored: &StoredEvent, view: &JobView) -> EventAnswer {
    let Said { event, run, state, detail } = Said::of(&stored.event);
    let tool = run.and_then(|run| view.runs.iter().find(|known| known.id == run));
    EventAnswer {
        number: stored.sequence,
        at: stored.at.clone(),
        event,
        tool: tool.map(|run| run.tool.0.clone()),
        state,
        detail,
    }
}
