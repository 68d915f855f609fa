//! How a life ends, or fails to begin.

/// Why an actor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Its work was done.
    Normal,
    /// It was asked to.
    Shutdown,
    /// It failed or panicked.
    Abnormal(String),
    /// It left no word: killed, or its task was cancelled.
    Killed,
}

impl Exit {
    /// Whether a transient child is restarted after it.
    pub fn is_abnormal(&self) -> bool {
        match self {
            Exit::Normal | Exit::Shutdown => false,
            Exit::Abnormal(_) | Exit::Killed => true,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Exit::Normal => "ended normally",
            Exit::Shutdown => "was stopped",
            Exit::Abnormal(why) => why,
            Exit::Killed => "was killed",
        })
    }
}

/// Why an actor could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Trying again cannot help (a missing binary, a bad configuration): the child is `unavailable` until somebody asks.
    #[error("{0}")]
    Permanent(String),
    /// Trying again may help; it is retried within the supervisor's intensity.
    #[error("{0}")]
    Transient(String),
    /// OTP's `ignore`: there is nothing for it to do here. No failure; the child counts as started and stays down.
    #[error("there is nothing for it to do")]
    Ignore,
}
