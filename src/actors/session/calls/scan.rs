//! `scan`: examine a source tree.

use rmcp::model::ContentBlock;

use super::jobs;
use super::submit::{Wanted, submit};
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::domain::dedup::payload;
use crate::domain::ids::ToolName;
use crate::domain::job::JobRequest;
use crate::protocol::api::{JobAnswer, ScanArguments};
use crate::protocol::errors::WireError;
use crate::store::keys::Key;

/// Seconds a caller waits who does not say: a small tree is done by then, and no common client has given up.
const WAIT_S_DEFAULT: u32 = 20;

pub struct Scan;

impl Call for Scan {
    const NAME: &'static str = "scan";
    const TITLE: &'static str = "Scan a source tree";
    const DESCRIPTION: &'static str = "Examines a source tree with every static analyser that applies (or those in `tools`) and returns \
        findings, worst first. Waits up to `wait_s` seconds; a scan that takes longer goes on, and its job id is returned: \
        then call job_status with that id. `conclusion` says what the result is worth: only `clean` means that \
        everything was looked at and nothing found; after `incomplete`, see `runs` for what failed. A request that equals \
        one under way, on the same content, shares its result. The tree is read from a copy; nothing in it is executed or \
        changed.";
    const HINTS: Hints = Hints { read_only: true, destructive: false, idempotent: false, open_world: false };
    type Arguments = ScanArguments;
    type Answer = JobAnswer;

    async fn call(arguments: ScanArguments, context: CallContext) -> Result<JobAnswer, CallError> {
        let request = request(&arguments, &context).await?;
        let key = arguments.idempotency_key.map(|name| Key { name, payload: payload(&request) });
        let wanted = Wanted { request, key, fresh: arguments.fresh };
        // The caller's interest lasts until he is answered: a client that cancels the call wants no job either.
        let (found, _caller) = submit(&context, wanted).await?;
        let view = found.wait(&context, Some(arguments.wait_s.unwrap_or(WAIT_S_DEFAULT))).await;
        jobs::answer(&context, &view).await
    }

    fn links(answer: &JobAnswer) -> Vec<ContentBlock> {
        jobs::links(answer)
    }
}

async fn request(arguments: &ScanArguments, context: &CallContext) -> Result<JobRequest, CallError> {
    let targets = context.handles.targets.clone();
    let path = arguments.path.clone().ok_or_else(|| CallError::argument("path", "is missing"))?;
    let resolved = tokio::task::spawn_blocking(move || targets.resolve(&path)).await;
    let target = resolved.map_err(|_| CallError::Wire(WireError::Internal))?;
    let target = target.map_err(|error| CallError::argument("path", error.to_string()))?;
    // A path that is not UTF-8 cannot have come in as JSON, but a link may lead to one.
    let target = target
        .path()
        .to_str()
        .ok_or_else(|| CallError::argument("path", "leads to a name that is not UTF-8"))?;
    let deadlines = context.handles.deadlines;
    let deadline_s = arguments.deadline_s.unwrap_or(deadlines.default_s);
    if deadline_s > deadlines.max_s {
        return Err(CallError::argument(
            "deadline_s",
            format!("at most {} seconds are allowed here", deadlines.max_s),
        ));
    }
    Ok(JobRequest {
        target: target.into(),
        tools: tools(&arguments.tools, context)?,
        deadline_s,
        attached: arguments.attached,
    })
}

fn tools(asked: &[String], context: &CallContext) -> Result<Vec<ToolName>, CallError> {
    let catalogue = &context.handles.catalogue;
    let unknown = asked.iter().position(|name| catalogue.get(&ToolName(name.clone())).is_none());
    match unknown {
        None => Ok(asked.iter().cloned().map(ToolName).collect()),
        Some(index) => {
            let known: Vec<&str> = catalogue.iter().map(|manifest| manifest.name.0.as_str()).collect();
            let problem = format!("there is no tool of that name; there are {}", known.join(", "));
            Err(CallError::argument(format!("tools/{index}"), problem))
        }
    }
}
