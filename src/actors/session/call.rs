//! What an MCP tool of ours is: a file under `calls/` that implements [`Call`], and one row in `calls/table.rs`.

use std::future::Future;
use std::time::Duration;

use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use crate::actors::gateway::phase::Phase;
use crate::actors::handles::Handles;
use crate::domain::ids::Principal;
use crate::protocol::errors::WireError;

/// A tool of ours.
pub trait Call: Send + 'static {
    const NAME: &'static str;
    /// For people.
    const TITLE: &'static str;
    /// For the model that decides whether to call: what it does, what it answers, what to do next.
    const DESCRIPTION: &'static str;
    const HINTS: Hints;
    /// Checked against its own schema before [`Call::call`] sees it.
    type Arguments: DeserializeOwned + JsonSchema + Send;
    /// Sent as structured content, and as text for clients that know no structure.
    type Answer: Serialize + Send;

    /// Does it. Dropped at an await point when the client cancels or leaves, or when it takes too long.
    fn call(
        arguments: Self::Arguments,
        context: CallContext,
    ) -> impl Future<Output = Result<Self::Answer, CallError>> + Send;

    /// Further content beside the answer, such as links to resources.
    fn links(_answer: &Self::Answer) -> Vec<ContentBlock> {
        Vec::new()
    }
}

/// MCP's annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    /// Reaches beyond this daemon's machine.
    pub open_world: bool,
}

impl Hints {
    /// Looks and changes nothing.
    pub const READ: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    /// Changes the daemon's own state only, the same however often it is repeated.
    pub const CHANGE: Self =
        Self { read_only: false, destructive: false, idempotent: true, open_world: false };
}

/// What a call may touch.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Who asks.
    pub principal: Principal,
    /// Cancelled when the client cancels or leaves; to hand to work that must not outlive the call.
    pub cancel: CancellationToken,
    /// Cancelled when the session ends, however it does.
    pub connection: CancellationToken,
    pub progress: Progress,
    pub handles: Handles,
    /// How far the daemon is on its way out: who waits must not outwait it.
    pub phase: watch::Receiver<Phase>,
    #[cfg(feature = "fault-injection")]
    pub session: crate::actors::mailbox::Address<super::SessionMessage>,
}

/// Why a call has no answer. All but [`CallError::Wire`] are results with `isError`, which a model can read and mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The arguments do not fit; every problem is named.
    Arguments(Vec<Problem>),
    /// What was named is not there, or is not the caller's.
    NotFound { what: String, advice: String },
    /// It contradicts an earlier request.
    Conflict { what: String, advice: String },
    /// Not now: a queue is full, a part of the daemon is down.
    Unavailable { what: String, retry_after: Duration },
    /// Not at all.
    Refused { what: String, advice: String },
    /// A fault of the request's handling, not of its content: a JSON-RPC error.
    Wire(WireError),
}

/// One field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `wait_s`, `tools/0`.
    pub field: String,
    pub problem: String,
}

impl CallError {
    /// A single bad argument, for what a schema cannot say.
    pub fn argument(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Arguments(vec![Problem { field: field.into(), problem: problem.into() }])
    }

    /// The result to send, or the error.
    pub fn into_result(self) -> Result<CallToolResult, WireError> {
        let (text, structure) = match self {
            Self::Wire(error) => return Err(error),
            Self::Arguments(problems) => {
                let said: Vec<String> = problems
                    .iter()
                    .map(|problem| format!("{}: {}", problem.field, problem.problem))
                    .collect();
                let text = format!("Arguments do not fit: {}. Mend them and call again.", said.join("; "));
                (text, json!({"error": "invalid_arguments", "fields": problems}))
            }
            Self::NotFound { what, advice } => explained("not_found", &what, &advice),
            Self::Conflict { what, advice } => explained("conflict", &what, &advice),
            Self::Refused { what, advice } => explained("refused", &what, &advice),
            Self::Unavailable { what, retry_after } => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                let text = format!("{what}. Try again in {millis} ms.");
                (text, json!({"error": "unavailable", "message": what, "retryAfterMs": millis}))
            }
        };
        let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
        result.structured_content = Some(structure);
        result.result_type = None;
        Ok(result)
    }
}

fn explained(word: &str, what: &str, advice: &str) -> (String, Value) {
    (format!("{what}. {advice}"), json!({"error": word, "message": what, "advice": advice}))
}

impl From<WireError> for CallError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}
