//! From a path to a connection that can be trusted, or a named reason why not. A file that cannot be trusted is never
//! changed, moved or replaced: it may be all that is left.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::error::{Fault, FaultKind};
use super::log::{self, LogError};
use super::schema::{MigrationError, migrate};

/// Name of the database in the data directory.
pub const DATABASE: &str = "proctor.db";
/// First SQLite without the bug by which two connections in WAL mode can corrupt a database (3.7.0 to 3.51.2).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// Longest wait for another connection's lock. Ours are short; another program (a backup) may hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in memory, for each of the two connections, in KiB (negative by SQLite's convention). The inner pages of every
/// index fit at 100,000 jobs; leaves come from the kernel's cache. Larger ones only make the daemon grow for as long as they
/// take to fill: 4 MiB each were still filling after half an hour of 50 jobs at once.
const CACHE_KIB: i32 = -1024;
/// The log's file is cut back to this after a checkpoint, in bytes.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Statements kept compiled per connection; there are some thirty.
const STATEMENTS_CACHED: usize = 64;

/// Why a database cannot be used. All but `Sql` and `Io` need a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "SQLite {found} can corrupt this database: at least 3.51.3 is needed; build with the bundled one"
    )]
    SqliteTooOld { found: &'static str },
    #[error(
        "database {path} is damaged ({why}); it was left as it is: restore a backup, or move it away to start empty"
    )]
    Corrupt { path: PathBuf, why: String },
    #[error("database {path} cannot be read: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("database {path}: {source}")]
    Schema { path: PathBuf, source: MigrationError },
    #[error("database {path} cannot be opened: {source}")]
    Sql { path: PathBuf, source: rusqlite::Error },
}

impl OpenError {
    /// The disk's part in it; `None` when it has none.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Corrupt { .. } => Some(Fault { kind: FaultKind::Damaged, why: self.to_string() }),
            Self::Io { .. } => Some(Fault { kind: FaultKind::Io, why: self.to_string() }),
            Self::Sql { source, .. } | Self::Schema { source: MigrationError::Failed { source, .. }, .. } => {
                Fault::of(source)
            }
            Self::SqliteTooOld { .. } | Self::Schema { .. } => None,
        }
    }
}

/// Checks the log as a crash left it. Once per process, before its first connection: see [`log::check`].
pub fn check_log(path: &Path) -> Result<(), OpenError> {
    let held = log::check(path).map_err(|error| match error {
        LogError::Damaged(why) => OpenError::Corrupt { path: path.to_owned(), why },
        LogError::Io(source) => OpenError::Io { path: path.to_owned(), source },
    })?;
    if held.dropped > 0 {
        tracing::warn!(
            frames = held.dropped,
            "the log ends in a write that was never finished; it is dropped. Nobody was told that it was written"
        );
    }
    Ok(())
}

/// The connection that writes: checks the file that is there, or creates one, and brings its schema up to date.
pub fn writer(path: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::SqliteTooOld { found: rusqlite::version() });
    }
    if path.exists() {
        // Read-only: closing a connection that may write would copy the log into the file, damaged or not.
        check(&reader(path)?, path)?;
    }
    let mut connection = open(path).map_err(|error| refused(path, error))?;
    migrate(&mut connection).map_err(|source| OpenError::Schema { path: path.to_owned(), source })?;
    Ok(connection)
}

/// The connection that writes, after a commit that failed: whatever of it reached the file is made to last, so that what
/// is read from here on is true. After a failed fsync the kernel holds pages that no later fsync writes; to copy the
/// whole log into the database and cut it writes them anew.
pub fn settled_writer(path: &Path) -> Result<Connection, OpenError> {
    let settle = || {
        let connection = open(path)?;
        let readers_in_the_way: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        match readers_in_the_way {
            false => Ok(connection),
            true => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
        }
    };
    settle().map_err(|error| refused(path, error))
}

/// Copies the log into the database and cuts it, before an orderly end: the next start has nothing to recover.
pub fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    Ok(connection)
}

/// A connection that only reads a file that is there.
pub fn reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| refused(path, error))?;
    tune(&connection).map_err(|error| refused(path, error))?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    tune(connection)?;
    // Of a new file only: what retention deletes goes back to the disk, page by page.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // FULL: with WAL, NORMAL loses the last commits when power is cut, and an acknowledgement is a promise.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))
}

fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.pragma_update(None, "cache_size", CACHE_KIB)
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| refused(path, error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(OpenError::Corrupt { path: path.to_owned(), why: verdict })
}

fn refused(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Corrupt { path, why: error.to_string() }
        }
        _ => OpenError::Sql { path, source: error },
    }
}
