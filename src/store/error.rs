//! What a caller of the store can be told.

use rusqlite::ErrorCode;

use crate::domain::ids::JobId;

/// What is wrong with the disk or with the file on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", kind.sentence())]
pub struct Fault {
    pub kind: FaultKind,
    /// SQLite's words.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No space. It passes by itself when there is some.
    Full,
    /// A read, a write or an fsync failed.
    Io,
    /// The file is not what was written. It takes a person.
    Damaged,
}

impl FaultKind {
    /// The word in readiness, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "disk_full",
            Self::Io => "disk_error",
            Self::Damaged => "damaged",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Full => "the disk with the database is full",
            Self::Io => "the disk with the database fails",
            Self::Damaged => "the database is damaged",
        }
    }
}

impl Fault {
    /// The disk's part in an error of SQLite; `None` when it has none.
    pub fn of(error: &rusqlite::Error) -> Option<Self> {
        let kind = match error.sqlite_error_code()? {
            ErrorCode::DiskFull => FaultKind::Full,
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed => FaultKind::Io,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => FaultKind::Damaged,
            _ => return None,
        };
        Some(Self { kind, why: error.to_string() })
    }
}

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
    /// The disk does not do its part; a write was not begun, or took itself back. Retry later.
    #[error("{0}; retry later")]
    Disk(Fault),
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
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Fault::of(&error).map_or(Self::Sql(error), Self::Disk)
    }
}

impl StoreError {
    pub(super) fn unreadable(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |error| Self::Unreadable { what, why: error.to_string() }
    }
}
