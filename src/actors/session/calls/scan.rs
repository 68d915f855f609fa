//! `scan`: examine a source tree, a running web application, or an app that is started for it.

use rmcp::model::ContentBlock;

use super::jobs;
use super::submit::{Wanted, submit};
use super::target::{allowed, target};
use crate::actors::jobs::site::permission;
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::domain::dedup::payload;
use crate::domain::ids::ToolName;
use crate::domain::job::JobRequest;
use crate::domain::target::Phase;
use crate::protocol::api::{JobAnswer, ScanArguments};
use crate::store::keys::Key;
use crate::tools::manifest::Intrusion;

/// Seconds a caller waits who does not say: a small tree is done by then, and no common client has given up.
const WAIT_S_DEFAULT: u32 = 20;

pub struct Scan;

impl Call for Scan {
    const NAME: &'static str = "scan";
    const TITLE: &'static str = "Scan a source tree, a URL or an app";
    const DESCRIPTION: &'static str = "Examines one target with every tool that applies (or those in `tools`) and returns findings, worst \
        first. `path`: a source tree, read from a copy; nothing in it is executed or changed. `url`: a running web application; \
        `app`: one that is built and started for the scan, and removed after it. Of what runs, only pages are asked for, unless \
        web.phase is `full` or `api`: these ATTACK it, may change or break it, and need the operator's leave (targets.active). Waits up to `wait_s` seconds; a scan that takes longer goes on, and its job id is returned: \
        then call job_status with that id. `conclusion` says what the result is worth: only `clean` means that \
        everything was looked at and nothing found; after `incomplete`, see `runs` for what failed. A request that equals \
        one under way, on the same content, shares its result.";
    const HINTS: Hints = Hints { read_only: false, destructive: true, idempotent: false, open_world: true };
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
    let target = target(arguments, context).await?;
    let deadlines = context.handles.deadlines;
    let deadline_s = arguments.deadline_s.unwrap_or(deadlines.default_s);
    if deadline_s > deadlines.max_s {
        return Err(CallError::argument(
            "deadline_s",
            format!("at most {} seconds are allowed here", deadlines.max_s),
        ));
    }
    let tools = tools(&arguments.tools, context)?;
    if let Some(plan) = target.plan() {
        check_phase(plan.phase, &tools, context)?;
    }
    let request = JobRequest { target, tools, deadline_s, attached: arguments.attached };
    allowed(&request.target, permission(&request, &context.handles.catalogue), context)?;
    Ok(request)
}

/// A tool that attacks is not run by the way.
fn check_phase(phase: Phase, tools: &[ToolName], context: &CallContext) -> Result<(), CallError> {
    let attacks = |name: &ToolName| {
        let does = context.handles.catalogue.get(name).and_then(|manifest| manifest.intrusion());
        does == Some(Intrusion::Active)
    };
    match tools.iter().position(attacks) {
        Some(attacker) if !phase.attacks() => {
            let problem = "attacks, which the phase `baseline` does not: set web.phase to `full`";
            Err(CallError::argument(format!("tools/{attacker}"), problem))
        }
        _ => Ok(()),
    }
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
