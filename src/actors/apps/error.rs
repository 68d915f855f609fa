//! Why an app is not up. Shared by all who wait for it, so it can be cloned.

use std::path::PathBuf;

use crate::actors::docker::{EngineError, Unavailable};
use crate::domain::app::PlanError;
use crate::domain::container::ImageName;
use crate::domain::container::state::Exit;
use crate::domain::outcome::FailureReason;

/// See the module's header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("{} cannot be used for an app: {why}", path.display())]
    Source { path: PathBuf, why: String },
    #[error("the image {image} is not there and cannot be pulled: {why}; {advice}")]
    ImageMissing { image: ImageName, why: String, advice: String },
    #[error("service {service} may not be started: {why}")]
    Refused { service: String, why: String },
    #[error("the image of service {service} could not be built: {why}")]
    Build { service: String, why: String, tail: String },
    #[error("service {service}: {why}")]
    Engine { service: String, why: String },
    #[error("service {service} ended with {} while the app was starting{}", exit.code, memory(exit))]
    Died { service: String, exit: Exit, tail: String },
    #[error("service {service} says of itself that it is not well")]
    Unhealthy { service: String, tail: String },
    #[error("the app did not answer within {seconds} s: {last}")]
    NotReady { seconds: u64, last: String, tail: String },
    /// It was up, and is no more.
    #[error("service {service} of the app ended with {}{}", exit.code, memory(exit))]
    Lost { service: String, exit: Exit, tail: String },
    #[error("service {service} wrote more than {limit_mib} MiB to its disk (apps.disk_mib)")]
    DiskFull { service: String, limit_mib: u64 },
    #[error("{limit} apps are up already (apps.running_max): wait for one to end, or stop one")]
    Full { limit: usize },
    #[error("the app was stopped")]
    Stopped,
    #[error("apps cannot be started now: {0}")]
    NotNow(String),
}

fn memory(exit: &Exit) -> &'static str {
    if exit.oom_killed { ": it needed more memory than it may have (apps.memory_mib)" } else { "" }
}

impl AppError {
    /// What a run that needed the app failed of.
    pub const fn reason(&self) -> FailureReason {
        match self {
            Self::Unavailable(_) => FailureReason::EngineUnavailable,
            Self::ImageMissing { .. } => FailureReason::ImageMissing,
            Self::DiskFull { .. } => FailureReason::DiskLimit,
            Self::Lost { .. } | Self::Stopped => FailureReason::TargetLost,
            Self::Plan(_)
            | Self::Source { .. }
            | Self::Refused { .. }
            | Self::Build { .. }
            | Self::Engine { .. }
            | Self::Died { .. }
            | Self::Unhealthy { .. }
            | Self::NotReady { .. }
            | Self::Full { .. }
            | Self::NotNow(_) => FailureReason::AppFailed,
        }
    }

    /// The end of what it printed, where there is something to read.
    pub fn log_tail(&self) -> &str {
        match self {
            Self::Build { tail, .. }
            | Self::Died { tail, .. }
            | Self::Unhealthy { tail, .. }
            | Self::NotReady { tail, .. }
            | Self::Lost { tail, .. } => tail,
            _ => "",
        }
    }

    /// A failure of the engine while it worked on a service.
    pub(super) fn of_engine(service: &str, error: EngineError) -> Self {
        let service = service.to_owned();
        match error {
            EngineError::Unavailable(unavailable) => Self::Unavailable(unavailable),
            EngineError::ImageMissing { image, why, advice } => Self::ImageMissing { image, why, advice },
            EngineError::BuildFailed { why, tail } => Self::Build { service, why, tail },
            EngineError::Context(error) => {
                Self::Build { service, why: error.to_string(), tail: String::new() }
            }
            EngineError::EndedAtOnce { code, oom_killed, tail, .. } => {
                Self::Died { service, exit: Exit { code, oom_killed }, tail }
            }
            refused @ EngineError::Refused(_) => Self::Refused { service, why: refused.to_string() },
            other => Self::Engine { service, why: other.to_string() },
        }
    }
}
