//! The JSON-RPC 2.0 envelope: one message in, one message out. Ids and parameters are carried as the bytes that came.
//!
//! Refused before anything is read from a message: batches, nesting beyond a limit, and a key that occurs
//! twice in one object (two readers of such a message may see two different messages).

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::errors::WireError;
use super::limits::ID_BYTES_MAX;
use super::strict;

/// A request's id, echoed unchanged: `0`, `"a"`, `12345678901234567890`.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Id(Box<RawValue>);

impl Id {
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    fn checked(raw: Box<RawValue>) -> Result<Self, WireError> {
        let first = raw.get().bytes().next();
        let named = matches!(first, Some(b'"' | b'-' | b'0'..=b'9'));
        if !named {
            return Err(WireError::InvalidRequest("id must be a string or a number".into()));
        }
        if raw.get().len() > ID_BYTES_MAX {
            return Err(WireError::InvalidRequest(format!("id is longer than {ID_BYTES_MAX} bytes").into()));
        }
        Ok(Self(raw))
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_json().hash(state);
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Id({})", self.as_json())
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Box::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What a peer may send.
#[derive(Debug)]
pub enum Incoming {
    Request {
        id: Id,
        method: String,
        params: Option<Box<RawValue>>,
    },
    Notification {
        method: String,
        params: Option<Box<RawValue>>,
    },
    /// An answer to a request of ours. We send none, so there is nothing to match it with.
    Response,
}

/// A message that could not be taken, and the id to answer under: the message's own if it could be read.
#[derive(Debug)]
pub struct Rejected {
    pub id: Option<Id>,
    pub error: WireError,
}

/// The members of an envelope. Unknown members are let be, as JSON-RPC has it.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    jsonrpc: Option<String>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Box<RawValue>>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default, deserialize_with = "present")]
    params: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    error: Option<Box<RawValue>>,
}

/// `null` is a value here, not an absence: `"id": null` is not a notification.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

/// Reads one message, nested `depth_max` levels at most.
pub fn parse(text: &str, depth_max: usize) -> Result<Incoming, Rejected> {
    let nameless = |error| Rejected { id: None, error };
    strict::check(text, depth_max).map_err(nameless)?;
    if text.trim_ascii_start().starts_with('[') {
        return Err(nameless(WireError::InvalidRequest(
            "batches are not taken: send one message per frame".into(),
        )));
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|error| {
        nameless(WireError::InvalidRequest(format!("not a JSON-RPC message: {error}").into()))
    })?;
    let id = envelope.id.map(Id::checked).transpose().map_err(nameless)?;
    if envelope.jsonrpc.as_deref() != Some("2.0") {
        return Err(Rejected { id, error: WireError::InvalidRequest("jsonrpc must be \"2.0\"".into()) });
    }
    let answered = envelope.result.is_some() || envelope.error.is_some();
    match (envelope.method, id) {
        (Some(method), Some(id)) => Ok(Incoming::Request { id, method, params: envelope.params }),
        (Some(method), None) => Ok(Incoming::Notification { method, params: envelope.params }),
        (None, _) if answered => Ok(Incoming::Response),
        (None, id) => Err(Rejected { id, error: WireError::InvalidRequest("method is missing".into()) }),
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a Id,
    result: &'a RawValue,
}

#[derive(Serialize)]
struct Failure<'a> {
    jsonrpc: &'static str,
    id: Option<&'a Id>,
    error: rmcp::model::ErrorData,
}

#[derive(Serialize)]
struct Notification<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: &'a P,
}

/// The text of an answer.
pub fn answer<R: Serialize + ?Sized>(id: &Id, result: &R) -> String {
    // Serialising into memory fails only for maps whose keys are not strings; no shape of ours has one.
    to_raw_value(result)
        .and_then(|result| serde_json::to_string(&Answer { jsonrpc: "2.0", id, result: &result }))
        .unwrap_or_else(|_| failure(Some(id), &WireError::Internal))
}

/// The text of an error answer; `None` where the id could not be read.
pub fn failure(id: Option<&Id>, error: &WireError) -> String {
    serde_json::to_string(&Failure { jsonrpc: "2.0", id, error: error.to_data() })
        .expect("an error's members are strings and numbers")
}

/// The text of a notification.
pub fn notification<P: Serialize>(method: &str, params: &P) -> String {
    serde_json::to_string(&Notification { jsonrpc: "2.0", method, params })
        .expect("a notification's members are strings and numbers")
}

#[cfg(test)]
#[path = "jsonrpc_tests.rs"]
mod tests;
