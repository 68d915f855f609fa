//! The resources we publish: a table of URIs, and how each is read. A new one is one row in [`TABLE`].

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rmcp::model::{
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate,
};

use super::call::{CallContext, CallError};
use super::sarif;
use crate::actors::gateway::token::OWNER;
use crate::protocol::errors::WireError;

/// One resource, or a family of them: a URI with `{parameters}`, each of which stands for one path segment.
struct Row {
    uri: &'static str,
    name: &'static str,
    description: &'static str,
    mime_type: &'static str,
    read: Read,
}

type Read = fn(Parameters, CallContext) -> BoxFuture<'static, Result<String, CallError>>;

const TABLE: &[Row] = &[
    Row {
        uri: "proctor://tree",
        name: "tree",
        description: "The live supervision tree: every actor, its state, restarts, mailbox depth and limit.",
        mime_type: "application/json",
        read: |_, context| async move { as_json(&(context.handles.tree)()) }.boxed(),
    },
    Row {
        uri: "proctor://journal",
        name: "journal",
        description: "What the daemon did lately, to all jobs and to itself: for its owner.",
        mime_type: "application/json",
        read: |_, context| async move { journal(&context) }.boxed(),
    },
    Row {
        uri: "proctor://jobs/{job}/sarif",
        name: "sarif",
        description: "The result of a job as SARIF 2.1.0, one run per tool. Too large for one message: read sarif/0, sarif/1, ... and join them.",
        mime_type: "application/sarif+json",
        read: |parameters, context| async move { sarif::whole(parameters.get(0), &context).await }.boxed(),
    },
    Row {
        uri: "proctor://jobs/{job}/sarif/{part}",
        name: "sarif-part",
        description: "Part of a job's SARIF, from 0 until not found; joined, the parts are the document.",
        mime_type: "text/plain",
        read: |parameters, context| {
            async move { sarif::part(parameters.get(0), parameters.get(1), &context).await }.boxed()
        },
    },
];

/// It names everybody's jobs and targets.
fn journal(context: &CallContext) -> Result<String, CallError> {
    if context.principal.0 != OWNER {
        let what = "the journal is for the daemon's owner".to_owned();
        return Err(CallError::Refused { what, advice: "Use job_events for a job of yours".to_owned() });
    }
    as_json(&context.handles.journal.entries())
}

fn as_json(value: &impl serde::Serialize) -> Result<String, CallError> {
    serde_json::to_string(value).map_err(|_| WireError::Internal.into())
}

/// What a URI's `{parameters}` stand for, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameters(Vec<String>);

impl Parameters {
    /// The `index`th parameter of the row's URI.
    pub fn get(&self, index: usize) -> &str {
        &self.0[index]
    }
}

impl Row {
    fn is_template(&self) -> bool {
        self.uri.contains('{')
    }
}

/// The answer to `resources/list`.
pub fn list() -> ListResourcesResult {
    let plain = TABLE.iter().filter(|row| !row.is_template());
    let listed = plain.map(|row| {
        Resource::new(row.uri, row.name).with_description(row.description).with_mime_type(row.mime_type)
    });
    let mut list = ListResourcesResult::with_all_items(listed.collect());
    list.result_type = None;
    list
}

/// The answer to `resources/templates/list`.
pub fn templates() -> ListResourceTemplatesResult {
    let families = TABLE.iter().filter(|row| row.is_template());
    let listed = families.map(|row| {
        ResourceTemplate::new(row.uri, row.name)
            .with_description(row.description)
            .with_mime_type(row.mime_type)
    });
    let mut list = ListResourceTemplatesResult::with_all_items(listed.collect());
    list.result_type = None;
    list
}

/// The answer to `resources/read`.
pub async fn read(uri: String, context: CallContext) -> Result<ReadResourceResult, WireError> {
    let found = TABLE.iter().find_map(|row| Some((row, matched(row.uri, &uri)?)));
    let Some((row, parameters)) = found else {
        return Err(not_found(
            uri,
            "resources/list and resources/templates/list name what there is".to_owned(),
        ));
    };
    let text = (row.read)(parameters, context).await.map_err(|error| refused(error, &uri))?;
    let contents = ResourceContents::text(text, uri).with_mime_type(row.mime_type);
    let mut result = ReadResourceResult::new(vec![contents]);
    result.result_type = None;
    Ok(result)
}

/// A resource has no `isError`: what a call would explain becomes an error's message.
fn refused(error: CallError, uri: &str) -> WireError {
    match error {
        CallError::Wire(error) => error,
        CallError::NotFound { what, advice } => not_found(uri.to_owned(), format!("{what}. {advice}")),
        CallError::Refused { what, advice } | CallError::Conflict { what, advice } => {
            WireError::InvalidParams(format!("{what}. {advice}"))
        }
        CallError::Unavailable { retry_after, .. } => {
            WireError::Overloaded { what: "the resource cannot be read now", retry_after }
        }
        CallError::Arguments(problems) => {
            let said: Vec<String> =
                problems.into_iter().map(|found| format!("{}: {}", found.field, found.problem)).collect();
            WireError::InvalidParams(said.join("; "))
        }
    }
}

fn not_found(uri: String, advice: String) -> WireError {
    WireError::ResourceNotFound { uri: uri.chars().take(200).collect(), advice }
}

/// Matches `uri` with a row's pattern, segment by segment.
fn matched(pattern: &str, uri: &str) -> Option<Parameters> {
    let (mut expected, mut given) = (pattern.split('/'), uri.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(Parameters(parameters)),
            (Some(name), Some(value)) if name.starts_with('{') && !value.is_empty() => {
                parameters.push(value.to_owned())
            }
            (Some(word), Some(same)) if word == same => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_for_one_segment_each() {
        let pattern = "proctor://jobs/{job}/{view}";
        let found = matched(pattern, "proctor://jobs/ab/sarif").expect("matches");
        assert_eq!((found.get(0), found.get(1)), ("ab", "sarif"));
        for other in
            ["proctor://jobs/ab", "proctor://jobs//sarif", "proctor://jobs/a/b/c", "proctor://tree", ""]
        {
            assert_eq!(matched(pattern, other), None, "{other}");
        }
        assert_eq!(matched("proctor://tree", "proctor://tree"), Some(Parameters(vec![])));
    }

    #[test]
    fn what_has_parameters_is_listed_as_a_template() {
        assert_eq!(list().resources.len() + templates().resource_templates.len(), TABLE.len());
        assert!(list().resources.iter().any(|resource| resource.uri == "proctor://tree"));
    }
}
