//! What happened to a job, in order, to be read from any number on.

use rusqlite::{Connection, params};

use super::StoreError;
use super::jobs::{JobKey, json, keyed, parse};
use crate::domain::ids::{JobId, Principal};
use crate::domain::job::JobEvent;

/// Events of one page. A job has a few of its own and at most three per run.
pub const EVENTS_PAGE_MAX: u32 = 200;

/// One stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// From 1, without holes, per job.
    pub sequence: u64,
    /// RFC 3339, UTC.
    pub at: String,
    pub event: JobEvent,
}

/// Appends and returns the event's number.
pub(super) fn append(
    connection: &Connection,
    key: JobKey,
    event: &JobEvent,
    at: &str,
) -> Result<u64, StoreError> {
    let sql = "UPDATE jobs SET next_sequence = next_sequence + 1 WHERE job = ?1 RETURNING next_sequence - 1";
    let sequence: u64 = connection.prepare_cached(sql)?.query_row([key.0], |row| row.get(0))?;
    let sql = "INSERT INTO events (job, sequence, at, event) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![key.0, sequence, at, json(event)])?;
    Ok(sequence)
}

/// A job's events from number `from` on, at most [`EVENTS_PAGE_MAX`]; `None` if it is not this principal's job.
pub fn page(
    connection: &Connection,
    principal: &Principal,
    job: JobId,
    from: u64,
) -> Result<Option<Vec<StoredEvent>>, StoreError> {
    let Some((key, _)) = keyed(connection, principal, job)? else {
        return Ok(None);
    };
    let sql =
        "SELECT sequence, at, event FROM events WHERE job = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![key.0, from, EVENTS_PAGE_MAX])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(StoredEvent { sequence: row.get(0)?, at: row.get(1)?, event: parse(row, 2, "event")? });
    }
    Ok(Some(events))
}
