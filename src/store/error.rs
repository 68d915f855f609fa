//! What a caller of the store can be told.

use crate::domain::ids::JobId;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Refused before anything was done: the queue is full. Retry later.
    #[error("the store is busy; nothing was written, retry later")]
    Busy,
    /// Refused before anything was done: the store is starting, or starting again. Retry in a moment.
    #[error("the store is down; nothing was written, retry in a moment")]
    Down,
    /// The write may or may not be on the disk. Read the thing by its id before deciding anything.
    #[error("it is unknown whether the write reached the disk ({why}); read it again by its id")]
    Unknown { why: String },
    /// The read was given up. Retry later.
    #[error("the store gave no answer: {why}; retry later")]
    NoAnswer { why: String },
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
    /// The text is no cursor of this query; start again without one.
    #[error("the cursor does not belong to this query; leave it out to start from the first page")]
    BadCursor,
    #[error("job {job} has {count} {what}, at most {limit} are kept")]
    TooMany { job: JobId, count: usize, limit: usize, what: &'static str },
    /// What is stored cannot be read back: written by another version, or damaged.
    #[error("a stored {what} cannot be read: {why}")]
    Unreadable { what: &'static str, why: String },
    #[error("the database refused: {0}")]
    Sql(#[from] rusqlite::Error),
}

impl StoreError {
    pub(super) fn unreadable(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |error| Self::Unreadable { what, why: error.to_string() }
    }
}
