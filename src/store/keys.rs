//! Idempotency keys: a client's own names for its submissions.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::jobs::parsed;
use crate::domain::ids::{JobId, Principal};

/// A name a client gave to a submission, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The client's own text.
    pub name: String,
    /// SHA-256 of what was asked for, in hexadecimal: the same name with another one is a conflict.
    pub payload: String,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// This job, asked for in the same words.
    Same(JobId),
    /// This job, asked for in other words.
    Other(JobId),
}

/// What the key stands for, if it was used before.
pub fn look_up(
    connection: &Connection,
    principal: &Principal,
    key: &Key,
) -> Result<Option<Known>, StoreError> {
    let sql = "SELECT jobs.id, payload FROM idempotency_keys AS keys JOIN jobs USING (job)
               WHERE keys.principal = ?1 AND key = ?2";
    let found: Option<(JobId, String)> = connection
        .prepare_cached(sql)?
        .query_row(params![principal.0, key.name], |row| Ok((parsed(row, 0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(job, payload)| if payload == key.payload { Known::Same(job) } else { Known::Other(job) }))
}

/// Binds the key to a job, unless it is bound: the table's own uniqueness decides between two who bind it at once. Says
/// what it stands for now.
pub fn bind(
    connection: &Connection,
    principal: &Principal,
    key: &Key,
    job: JobId,
) -> Result<Known, StoreError> {
    let sql = "INSERT INTO idempotency_keys (principal, key, payload, job)
               SELECT ?1, ?2, ?3, job FROM jobs WHERE id = ?4 AND principal = ?1 ON CONFLICT DO NOTHING";
    let parameters = params![principal.0, key.name, key.payload, job.to_string()];
    connection.prepare_cached(sql)?.execute(parameters)?;
    look_up(connection, principal, key)?.ok_or(StoreError::NoSuchJob(job))
}
