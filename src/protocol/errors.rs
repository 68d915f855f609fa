//! The one error table: what a client is told, in JSON-RPC codes, WebSocket close codes and HTTP statuses.
//!
//! Our own JSON-RPC codes lie outside -32768..-32000, which the specifications keep for themselves, and carry
//! `data.retryAfterMs` where trying again can help. A tool that failed is not here: that is a result with `isError`.

use std::borrow::Cow;
use std::time::Duration;

use rmcp::model::{ErrorCode, ErrorData, ProtocolVersion};
use serde_json::{Map, Value, json};

/// Why a message is answered with an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("not JSON: {0}")]
    Parse(String),
    #[error("{0}")]
    InvalidRequest(Cow<'static, str>),
    #[error("method not found: {0}")]
    MethodNotFound(String),
    #[error("{0}")]
    InvalidParams(String),
    #[error("no resource {uri}: {advice}")]
    ResourceNotFound { uri: String, advice: String },
    /// A bug of ours. Its cause is in the log, not on the wire.
    #[error("internal error; the daemon's log has the cause")]
    Internal,
    #[error("this transport speaks the initialize handshake; {requested} is not served yet")]
    UnsupportedVersion { requested: String },
    #[error("{what}")]
    Overloaded { what: &'static str, retry_after: Duration },
    #[error("more than {per_second} requests per second")]
    RateLimited { per_second: u32, retry_after: Duration },
    #[error("the daemon is shutting down; connect again")]
    Draining,
    #[error("the answer has {bytes} bytes, more than the {limit} a message may have; ask for a smaller page")]
    AnswerTooLarge { bytes: usize, limit: usize },
}

impl WireError {
    pub const fn code(&self) -> i32 {
        match self {
            Self::Parse(_) => ErrorCode::PARSE_ERROR.0,
            Self::InvalidRequest(_) => ErrorCode::INVALID_REQUEST.0,
            Self::MethodNotFound(_) => ErrorCode::METHOD_NOT_FOUND.0,
            Self::InvalidParams(_) => ErrorCode::INVALID_PARAMS.0,
            Self::ResourceNotFound { .. } => ErrorCode::RESOURCE_NOT_FOUND.0,
            Self::Internal => ErrorCode::INTERNAL_ERROR.0,
            Self::UnsupportedVersion { .. } => ErrorCode::UNSUPPORTED_PROTOCOL_VERSION.0,
            Self::Overloaded { .. } => -31001,
            Self::RateLimited { .. } => -31002,
            Self::Draining => -31003,
            Self::AnswerTooLarge { .. } => -31005,
        }
    }

    /// When the same request may succeed, unchanged.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } | Self::RateLimited { retry_after, .. } => {
                Some(*retry_after)
            }
            Self::Draining => Some(DRAIN_RETRY_AFTER),
            Self::Parse(_)
            | Self::InvalidRequest(_)
            | Self::MethodNotFound(_)
            | Self::InvalidParams(_)
            | Self::ResourceNotFound { .. }
            | Self::Internal
            | Self::UnsupportedVersion { .. }
            | Self::AnswerTooLarge { .. } => None,
        }
    }

    /// The `error` member of the answer.
    pub fn to_data(&self) -> ErrorData {
        let mut data = Map::new();
        if let Some(wait) = self.retry_after() {
            data.insert("retryAfterMs".to_owned(), json!(millis(wait)));
        }
        match self {
            Self::ResourceNotFound { uri, .. } => {
                data.insert("uri".to_owned(), json!(uri));
            }
            Self::UnsupportedVersion { requested } => {
                let supported = ProtocolVersion::known_up_to(&ProtocolVersion::LATEST_WITH_INITIALIZE);
                data.insert("requested".to_owned(), json!(requested));
                data.insert("supported".to_owned(), json!(supported));
            }
            _ => {}
        }
        let data = (!data.is_empty()).then_some(Value::Object(data));
        ErrorData::new(ErrorCode(self.code()), self.to_string(), data)
    }
}

/// A daemon that drains is replaced within its drain budget of 25 s; a client that waits a little misses nothing.
const DRAIN_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whole milliseconds, at least 1 so that nobody retries at once.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Why we close a WebSocket (RFC 6455 §7.4.1 and IANA's registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer asked for it.
    Normal,
    Draining,
    ProtocolViolation,
    BinaryMessage,
    BadUtf8,
    SlowConsumer,
    TooManyFragments,
    TooManyControlFrames,
    TooBig,
    InternalError,
    Overloaded,
}

impl CloseReason {
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::Draining => 1001,
            Self::ProtocolViolation => 1002,
            Self::BinaryMessage => 1003,
            Self::BadUtf8 => 1007,
            Self::SlowConsumer | Self::TooManyFragments | Self::TooManyControlFrames => 1008,
            Self::TooBig => 1009,
            Self::InternalError => 1011,
            Self::Overloaded => 1013,
        }
    }

    /// What the close frame says; 123 bytes at most.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::Draining => "the daemon is shutting down",
            Self::ProtocolViolation => "not WebSocket as RFC 6455 has it",
            Self::BinaryMessage => "send text frames: one JSON-RPC message each",
            Self::BadUtf8 => "a text frame was not UTF-8",
            Self::SlowConsumer => "slow consumer: answers were not read in time",
            Self::TooManyFragments => "too many fragments in one message",
            Self::TooManyControlFrames => "too many control frames",
            Self::TooBig => "message too big",
            Self::InternalError => "internal error; the daemon's log has the cause",
            Self::Overloaded => "too busy, connect again later",
        }
    }
}

/// Why an HTTP request, an upgrade included, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpRefusal {
    #[error("no such path; there are /mcp, /livez, /readyz and /metrics")]
    NotFound,
    #[error("only GET is served here")]
    MethodNotAllowed,
    #[error("not a WebSocket upgrade: {0}")]
    BadUpgrade(&'static str),
    #[error("WebSocket version 13 is served")]
    UpgradeRequired,
    #[error("a token is needed: Authorization: Bearer TOKEN, or ws://any:TOKEN@host")]
    Unauthorised,
    #[error("host {0:?} is not allowed; see gateway.allowed_hosts")]
    HostNotAllowed(String),
    #[error("origin {0:?} is not allowed; see gateway.allowed_origins")]
    OriginNotAllowed(String),
    #[error("too many sessions of one {0}")]
    TooMany(&'static str),
    #[error("too many upgrades; try again in {} ms", .0.as_millis())]
    RateLimited(Duration),
    #[error("as many sessions as the daemon may have")]
    Full,
    #[error("memory is short: nobody new is let in")]
    LowMemory,
    #[error("the daemon is shutting down")]
    Draining,
}

impl HttpRefusal {
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadUpgrade(_) => 400,
            Self::Unauthorised => 401,
            Self::HostNotAllowed(_) | Self::OriginNotAllowed(_) => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UpgradeRequired => 426,
            Self::TooMany(_) | Self::RateLimited(_) => 429,
            Self::Full | Self::LowMemory | Self::Draining => 503,
        }
    }

    /// The header that a status demands beside its body.
    pub fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Unauthorised => Some(("www-authenticate", "Bearer realm=\"proctor\"".to_owned())),
            Self::MethodNotAllowed => Some(("allow", "GET".to_owned())),
            Self::UpgradeRequired => Some(("sec-websocket-version", "13".to_owned())),
            Self::RateLimited(wait) => Some(("retry-after", wait.as_secs().max(1).to_string())),
            Self::TooMany(_) | Self::Full | Self::LowMemory | Self::Draining => {
                Some(("retry-after", "5".to_owned()))
            }
            Self::BadUpgrade(_) | Self::HostNotAllowed(_) | Self::OriginNotAllowed(_) | Self::NotFound => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_codes_stay_out_of_the_reserved_range() {
        let wait = Duration::from_millis(20);
        let own = [
            WireError::Overloaded { what: "busy", retry_after: wait },
            WireError::RateLimited { per_second: 20, retry_after: wait },
            WireError::Draining,
            WireError::AnswerTooLarge { bytes: 2, limit: 1 },
        ];
        for error in own {
            assert!(!(-32768..=-32000).contains(&error.code()), "{error:?}");
        }
    }

    #[test]
    fn what_may_be_retried_says_when() {
        let data = WireError::Overloaded { what: "busy", retry_after: Duration::from_micros(3) }.to_data();
        assert_eq!(data.data, Some(json!({"retryAfterMs": 1})));
        assert_eq!(WireError::Internal.to_data().data, None);
    }

    #[test]
    fn close_texts_fit_a_control_frame() {
        for reason in [CloseReason::BinaryMessage, CloseReason::InternalError, CloseReason::SlowConsumer] {
            assert!(reason.text().len() <= 123, "{reason:?}");
        }
    }
}
