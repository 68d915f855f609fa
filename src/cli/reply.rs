//! What a daemon sends, read from the client's side. Pure.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::ClientError;

/// One message, as far as a client of ours cares.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    Result {
        id: u64,
        result: Value,
    },
    /// Without an id when the daemon could not read ours.
    Error {
        id: Option<u64>,
        refusal: Refusal,
    },
    Progress {
        token: u64,
        message: String,
    },
    Other,
}

/// A daemon's "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// JSON-RPC code; absent where a tool said no.
    pub code: Option<i64>,
    pub message: String,
    /// When the same request may succeed.
    pub retry_after_ms: Option<u64>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.retry_after_ms {
            Some(wait) => write!(f, " (it may work again in {wait} ms)"),
            None => Ok(()),
        }
    }
}

/// Why a result is not what was asked for.
#[derive(Debug)]
pub enum BadResult {
    Refused(Refusal),
    Misread(String),
}

impl BadResult {
    pub fn in_call(self, what: &str) -> ClientError {
        let what = what.to_owned();
        match self {
            Self::Refused(refusal) => ClientError::Refused { what, refusal },
            Self::Misread(why) => ClientError::Misread { what, why },
        }
    }
}

/// Members stay values: a notification that is none of ours may hold anything.
#[derive(Deserialize)]
struct Envelope {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    result: Option<Value>,
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: i64,
    message: String,
    data: Option<Value>,
}

/// Reads one message.
pub fn parse(text: &str) -> Result<Incoming, serde_json::Error> {
    let envelope: Envelope = serde_json::from_str(text)?;
    let id = envelope.id.as_ref().and_then(Value::as_u64);
    if let Some(error) = envelope.error {
        return Ok(Incoming::Error { id, refusal: refusal(error) });
    }
    if let (Some(id), Some(result)) = (id, envelope.result) {
        return Ok(Incoming::Result { id, result });
    }
    let token = envelope.params.get("progressToken").and_then(Value::as_u64);
    let message = envelope.params.get("message").and_then(Value::as_str);
    Ok(match (envelope.method.as_deref(), token, message) {
        (Some("notifications/progress"), Some(token), Some(message)) => {
            Incoming::Progress { token, message: message.to_owned() }
        }
        _ => Incoming::Other,
    })
}

fn refusal(error: ErrorObject) -> Refusal {
    let wait = error.data.as_ref().and_then(|data| data.get("retryAfterMs"));
    Refusal { code: Some(error.code), message: error.message, retry_after_ms: wait.and_then(Value::as_u64) }
}

/// The structured content of a tool's result, or what its error text says.
pub fn of_tool<T: DeserializeOwned>(result: Value) -> Result<T, BadResult> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ToolResult {
        #[serde(default)]
        is_error: bool,
        #[serde(default)]
        content: Vec<Content>,
        structured_content: Option<Value>,
    }
    let result: ToolResult = read(result)?;
    if result.is_error {
        let wait = result.structured_content.as_ref().and_then(|content| content.get("retryAfterMs"));
        return Err(BadResult::Refused(Refusal {
            code: None,
            message: joined(result.content),
            retry_after_ms: wait.and_then(Value::as_u64),
        }));
    }
    match result.structured_content {
        Some(content) => read(content),
        None => Err(BadResult::Misread("it has no structured content".to_owned())),
    }
}

/// The text of a resource.
pub fn of_resource(result: Value) -> Result<String, BadResult> {
    #[derive(Deserialize)]
    struct ResourceResult {
        contents: Vec<Content>,
    }
    let result: ResourceResult = read(result)?;
    match result.contents.is_empty() {
        true => Err(BadResult::Misread("it has no contents".to_owned())),
        false => Ok(joined(result.contents)),
    }
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    text: String,
}

fn joined(contents: Vec<Content>) -> String {
    let texts: Vec<_> = contents.into_iter().map(|content| content.text).collect();
    texts.join("\n")
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, BadResult> {
    serde_json::from_value(value).map_err(|error| BadResult::Misread(error.to_string()))
}
