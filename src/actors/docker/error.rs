//! Why the engine did not do what it was asked.

use std::time::Duration;

use bollard::errors::Error;

use super::context::ContextError;
use crate::domain::container::{ImageName, Refusal};

/// There is no engine to be asked. Everything else goes on without one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Docker engine is unavailable: {why}; {advice}")]
pub struct Unavailable {
    pub why: String,
    /// What to do.
    pub advice: String,
}

impl Unavailable {
    pub(super) fn new(why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { why: why.into(), advice: advice.into() }
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("the container was not made: {}", sentences(.0))]
    Refused(Vec<Refusal>),
    #[error("cannot {what}: the path {path} cannot be followed: {source}")]
    Path { what: String, path: String, source: std::io::Error },
    #[error("the image {image} is not there and cannot be pulled: {why}; {advice}")]
    ImageMissing { image: ImageName, why: String, advice: String },
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error("the image could not be built: {why}\n{tail}")]
    BuildFailed {
        why: String,
        /// The end of what the build printed.
        tail: String,
    },
    #[error("cannot {what}: the engine answered {status}: {message}")]
    Rejected { what: String, status: u16, message: String },
    #[error("cannot {what}: the engine gave no answer within {} s", after.as_secs())]
    TimedOut { what: String, after: Duration },
    #[error("cannot {what}: the engine could not be asked: {message}")]
    Lost { what: String, message: String },
    /// It ended before it could be used.
    #[error("the container {name} ended at once, with {code}: {tail}")]
    EndedAtOnce { name: String, code: i64, oom_killed: bool, tail: String },
    #[error("the container {name} runs without an address on the network {network}")]
    NoAddress { name: String, network: String },
}

impl EngineError {
    /// Whether another try may do better without anybody changing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TimedOut { .. } | Self::Lost { .. } => true,
            Self::Rejected { status, .. } => *status >= 500,
            Self::Refused(_)
            | Self::Path { .. }
            | Self::ImageMissing { .. }
            | Self::Context(_)
            | Self::BuildFailed { .. }
            | Self::EndedAtOnce { .. }
            | Self::NoAddress { .. } => false,
        }
    }

    /// Whether what was asked about is not there.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Rejected { status: 404, .. })
    }

    pub(super) fn of(what: &str, error: Error) -> Self {
        let what = what.to_owned();
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Rejected { what, status: status_code, message }
            }
            // The client's own bound, which lies above ours.
            Error::RequestTimeoutError => Self::Lost { what, message: "it gave no answer".to_owned() },
            Error::DockerStreamError { error } => Self::Rejected { what, status: 500, message: error },
            other => Self::Lost { what, message: deepest(&other) },
        }
    }
}

/// The innermost cause: the outer ones say only that a request failed.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn sentences(refused: &[Refusal]) -> String {
    refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
