//! `job_status`: how far a job is, and its result once it has ended.

use rmcp::model::ContentBlock;

use super::jobs;
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::protocol::api::{JobAnswer, JobArguments};

pub struct JobStatus;

impl Call for JobStatus {
    const NAME: &'static str = "job_status";
    const TITLE: &'static str = "State of a job";
    const DESCRIPTION: &'static str = "State of a job by the id that scan returned: each tool's run, findings so far, and the result once it \
        has ended. With `wait_s` (up to 45) it answers when the job ends or the patience does, whichever is first.";
    const HINTS: Hints = Hints::READ;
    type Arguments = JobArguments;
    type Answer = JobAnswer;

    async fn call(arguments: JobArguments, context: CallContext) -> Result<JobAnswer, CallError> {
        let found = jobs::find(&context, jobs::parse_id(&arguments.job)?).await?;
        let view = found.wait(&context, arguments.wait_s).await;
        jobs::answer(&context, &view).await
    }

    fn links(answer: &JobAnswer) -> Vec<ContentBlock> {
        jobs::links(answer)
    }
}
