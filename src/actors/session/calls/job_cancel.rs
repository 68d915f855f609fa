//! `job_cancel`: stop a job.

use super::jobs::{self, Found};
use crate::actors::jobs::JobsMessage;
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::protocol::api::{JobAnswer, JobArguments};

/// Seconds a cancel waits for the job's end: the grace of a tool that does not obey, and a second.
const CANCEL_WAIT_S: u32 = 6;

pub struct JobCancel;

impl Call for JobCancel {
    const NAME: &'static str = "job_cancel";
    const TITLE: &'static str = "Cancel a job";
    const DESCRIPTION: &'static str = "Stops a job: every process of it is ended, results that are there already are kept. \
        Harmless for a job that has ended.";
    const HINTS: Hints = Hints { destructive: true, ..Hints::CHANGE };
    type Arguments = JobArguments;
    type Answer = JobAnswer;

    async fn call(arguments: JobArguments, context: CallContext) -> Result<JobAnswer, CallError> {
        let job = jobs::parse_id(&arguments.job)?;
        let principal = context.principal.clone();
        let cancelled = jobs::ask(&context, |reply| JobsMessage::Cancel { principal, job, reply }).await?;
        let found = match cancelled {
            Some(watch) => Found::Live(watch),
            None => jobs::find(&context, job).await?,
        };
        let view = found.wait(&context, Some(arguments.wait_s.unwrap_or(CANCEL_WAIT_S))).await;
        jobs::answer(&context, &view).await
    }
}
