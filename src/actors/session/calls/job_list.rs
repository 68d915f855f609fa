//! `jobs`: the caller's jobs, newest first, in pages.

use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::actors::session::calls::jobs;
use crate::actors::session::convert::{job_answer, json_bytes};
use crate::domain::job::{JobState, JobView};
use crate::protocol::api::{JobAnswer, PAGE_BYTES_MAX};
use crate::protocol::history::{JOBS_MAX, JobLineAnswer, JobsAnswer, JobsArguments};
use crate::store::jobs::{JobsCursor, JobsPage, JobsQuery};

/// Jobs of a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

pub struct JobList;

impl Call for JobList {
    const NAME: &'static str = "jobs";
    const TITLE: &'static str = "List jobs";
    const DESCRIPTION: &'static str = "Your jobs, newest first, in pages: target, state, conclusion and counts of each. Give `next_cursor` back as \
        `cursor` for the next page. For one job in full call job_status.";
    const HINTS: Hints = Hints::READ;
    type Arguments = JobsArguments;
    type Answer = JobsAnswer;

    async fn call(arguments: JobsArguments, context: CallContext) -> Result<JobsAnswer, CallError> {
        let state = arguments.state.as_deref().map(state).transpose()?;
        let query = JobsQuery { principal: context.principal.clone(), state };
        let cursor = arguments.cursor.map(|text| text.parse()).transpose();
        let cursor =
            cursor.map_err(|_| CallError::argument("cursor", "is not a `next_cursor` of this call"))?;
        let limit = arguments.limit.unwrap_or(LIMIT_DEFAULT).min(JOBS_MAX);
        let page = read(&context, &query, cursor, limit).await?;
        let shown = fitting(&page);
        if shown.len() == page.jobs.len() {
            return Ok(answer(&page, shown));
        }
        // Cut by bytes: the page that ends where the room does has the cursor that goes on from there.
        let room = u32::try_from(shown.len()).unwrap_or(1).max(1);
        let page = read(&context, &query, cursor, room).await?;
        let shown = page.jobs.iter().map(line).collect();
        Ok(answer(&page, shown))
    }
}

async fn read(
    context: &CallContext,
    query: &JobsQuery,
    cursor: Option<JobsCursor>,
    limit: u32,
) -> Result<JobsPage, CallError> {
    let read = context.handles.store.jobs(query.clone(), cursor, limit).await;
    read.map_err(|error| jobs::unreadable(&error))
}

fn answer(page: &JobsPage, jobs: Vec<JobLineAnswer>) -> JobsAnswer {
    JobsAnswer { jobs, next_cursor: page.next.map(|cursor| cursor.to_string()) }
}

fn fitting(page: &JobsPage) -> Vec<JobLineAnswer> {
    let mut used = 0;
    let fits = |line: &JobLineAnswer| {
        used += json_bytes(line) + 1;
        used <= PAGE_BYTES_MAX
    };
    page.jobs.iter().map(line).take_while(fits).collect()
}

fn line(view: &JobView) -> JobLineAnswer {
    let JobAnswer { job, state, conclusion, error, target, submitted_at, ended_at, counts, .. } =
        job_answer(view);
    JobLineAnswer { job, state, conclusion, target, submitted_at, ended_at, counts, error }
}

fn state(word: &str) -> Result<JobState, CallError> {
    JobState::ALL.into_iter().find(|state| state.word() == word).ok_or_else(|| {
        let words = JobState::ALL.map(JobState::word).join(", ");
        CallError::argument("state", format!("is no state of a job; there are {words}"))
    })
}
