//! The result of one job as SARIF 2.1.0: whole where one message can carry it, else in parts to be joined.

use std::sync::{Arc, Mutex, PoisonError};

use super::call::{CallContext, CallError};
use super::calls::jobs::{self, Found};
use crate::domain::ids::JobId;
use crate::protocol::errors::WireError;
use crate::report::sarif;

/// Bytes of one part. JSON doubles a quote or a backslash at worst, and nothing else in a document that is JSON already;
/// so a message with one part stays under 1 MiB.
pub const PART_BYTES: usize = 448 * 1024;

/// The document rendered last: reading one in parts renders it once, not once per part.
#[derive(Debug, Default)]
pub struct LastExport {
    last: Mutex<Option<(JobId, Arc<str>)>>,
}

impl LastExport {
    fn get(&self, job: JobId) -> Option<Arc<str>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(id, _)| *id == job).map(|(_, text)| Arc::clone(text))
    }

    fn put(&self, job: JobId, text: &Arc<str>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((job, Arc::clone(text)));
    }
}

/// The whole document.
pub async fn whole(job: &str, context: &CallContext) -> Result<String, CallError> {
    let text = document(job, context).await?;
    if text.len() <= PART_BYTES {
        return Ok(text.to_string());
    }
    Err(CallError::Wire(WireError::AnswerTooLarge { bytes: text.len(), limit: PART_BYTES }))
}

/// Part `number` of the document, from 0; not found past the last.
pub async fn part(job: &str, number: &str, context: &CallContext) -> Result<String, CallError> {
    let text = document(job, context).await?;
    let parts = parts(&text);
    let part = number.parse::<usize>().ok().and_then(|number| parts.get(number));
    part.map(|part| (*part).to_owned()).ok_or_else(|| CallError::NotFound {
        what: format!("there is no part {number}"),
        advice: format!("The document has {} parts, from 0", parts.len()),
    })
}

async fn document(job: &str, context: &CallContext) -> Result<Arc<str>, CallError> {
    let id = jobs::parse_id(job)?;
    // Asked first, whatever is remembered: only its principal may read a job.
    let is_over = match jobs::find(context, id).await? {
        Found::Live(watch) => watch.borrow().state.is_terminal(),
        Found::Stored(_) => true,
    };
    if let Some(text) = context.handles.exports.get(id).filter(|_| is_over) {
        return Ok(text);
    }
    let read = context.handles.store.export(context.principal.clone(), id).await;
    let read = read.map_err(|error| jobs::unreadable(&error))?;
    let (view, findings) = read.ok_or_else(|| jobs::no_such_job(id))?;
    let rendered = tokio::task::spawn_blocking(move || sarif::log(&view, &findings).to_json()).await;
    let text: Arc<str> = rendered.map_err(|_| CallError::Wire(WireError::Internal))?.into();
    if is_over {
        context.handles.exports.put(id, &text);
    }
    Ok(text)
}

/// Cut on character boundaries.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(PART_BYTES);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_to_the_whole_and_none_is_too_large() {
        let text = "ä\"".repeat(PART_BYTES);
        let parts = parts(&text);
        assert!(parts.len() > 2 && parts.iter().all(|part| !part.is_empty() && part.len() <= PART_BYTES));
        assert_eq!(parts.concat(), text);
    }
}
