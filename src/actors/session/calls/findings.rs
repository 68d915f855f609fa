//! `job_results` and `findings`: findings, page by page.

use super::jobs::{self, Found};
use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::actors::session::convert;
use crate::domain::ids::ToolName;
use crate::domain::job::Conclusion;
use crate::protocol::api::{FindingsAnswer, FindingsArguments, PAGE_ITEMS_MAX};
use crate::store::StoreError;
use crate::store::findings::{FindingsPage, FindingsQuery, Scope};

/// Findings of a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 50;

/// Findings of one job.
pub struct JobResults;

impl Call for JobResults {
    const NAME: &'static str = "job_results";
    const TITLE: &'static str = "Findings of a job";
    const DESCRIPTION: &'static str = "Findings of one job, worst first, in pages. Give `next_cursor` back as `cursor` for the next page. \
        `complete` is false while a run is under way, failed or read only a part: an absent finding proves nothing then.";
    const HINTS: Hints = Hints::READ;
    type Arguments = FindingsArguments;
    type Answer = FindingsAnswer;

    async fn call(arguments: FindingsArguments, context: CallContext) -> Result<FindingsAnswer, CallError> {
        if arguments.job.is_none() {
            return Err(CallError::argument("job", "is required; without it, use findings"));
        }
        page(arguments, &context).await
    }
}

/// Findings of the newest job of each target.
pub struct Findings;

impl Call for Findings {
    const NAME: &'static str = "findings";
    const TITLE: &'static str = "Search findings";
    const DESCRIPTION: &'static str = "Findings of the newest ended job of each target of yours (or of `job`), worst first, filtered by severity, \
        tool and path, in pages.";
    const HINTS: Hints = Hints::READ;
    type Arguments = FindingsArguments;
    type Answer = FindingsAnswer;

    async fn call(arguments: FindingsArguments, context: CallContext) -> Result<FindingsAnswer, CallError> {
        page(arguments, &context).await
    }
}

async fn page(arguments: FindingsArguments, context: &CallContext) -> Result<FindingsAnswer, CallError> {
    let job = arguments.job.as_deref().map(jobs::parse_id).transpose()?;
    let job_is_complete = match job {
        None => None,
        Some(job) => {
            let view = match jobs::find(context, job).await? {
                Found::Live(watch) => std::sync::Arc::clone(&watch.borrow()),
                Found::Stored(view) => std::sync::Arc::new(*view),
            };
            Some(matches!(view.conclusion(), Conclusion::Clean | Conclusion::Findings))
        }
    };
    let query = FindingsQuery {
        principal: context.principal.clone(),
        scope: job.map_or(Scope::Newest, Scope::Job),
        min_severity: arguments.min_severity.map(convert::severity),
        tool: arguments.tool.map(ToolName),
        path_prefix: arguments.path_prefix,
    };
    let limit = arguments.limit.unwrap_or(LIMIT_DEFAULT).min(PAGE_ITEMS_MAX);
    let page = read(context, query.clone(), arguments.cursor.clone(), limit).await?;
    let answer = answer(&page, job_is_complete);
    match u32::try_from(answer.findings.len()) {
        // Cut by bytes: the page that ends where the room does has the cursor that goes on from there.
        Ok(shown) if answer.findings.len() < page.findings.len() && shown > 0 => {
            let page = read(context, query, arguments.cursor, shown).await?;
            Ok(self::answer(&page, job_is_complete))
        }
        _ => Ok(answer),
    }
}

async fn read(
    context: &CallContext,
    query: FindingsQuery,
    cursor: Option<String>,
    limit: u32,
) -> Result<FindingsPage, CallError> {
    let read = context.handles.store.findings(query, cursor, limit).await;
    read.map_err(|error| match error {
        StoreError::BadCursor => CallError::argument("cursor", error.to_string()),
        error => jobs::unreadable(&error),
    })
}

fn answer(page: &FindingsPage, job_is_complete: Option<bool>) -> FindingsAnswer {
    let empty = FindingsAnswer {
        total: page.total,
        findings: Vec::new(),
        next_cursor: page.next.clone(),
        complete: job_is_complete.unwrap_or(page.complete),
    };
    let findings = convert::fitting(&page.findings, convert::json_bytes(&empty));
    FindingsAnswer { findings, ..empty }
}
