//! What happens to a job, written down: the job's row, its runs, findings and the event change together or not at all.
//! What an event means is decided by `domain::job` alone: a row is loaded, the event applied, the result saved.

use rusqlite::{Connection, params};

use super::jobs::JobKey;
use super::keys::{self, Key, Known};
use super::{StoreError, events, findings, jobs};
use crate::domain::fingerprint::Stamped;
use crate::domain::ids::{BootId, JobId};
use crate::domain::job::{JobEvent, JobView};
use crate::domain::lease::Fence;

/// A job to be let in.
#[derive(Debug, Clone)]
pub struct Submission {
    pub job: JobView,
    /// What it will do, as a text that is equal for equal work; `None` when it must not be shared.
    pub plan: Option<String>,
    /// The client's own name for it.
    pub key: Option<Key>,
}

impl Submission {
    /// A job that is shared with nobody and has no name.
    pub fn alone(job: JobView) -> Self {
        Self { job, plan: None, key: None }
    }
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetIn {
    /// It is written.
    New,
    /// It is this job, which was let in before: under the same key, or waiting to do the same.
    Same(JobId),
    /// Its key stands for this job, which was asked for in other words.
    Conflict(JobId),
}

/// Something that happened, with what it brought along.
#[derive(Debug, Clone)]
pub struct Record {
    pub job: JobId,
    /// The attempt of whoever says so.
    pub fence: Fence,
    pub event: JobEvent,
    /// Of the run that ended; empty for every other event.
    pub findings: Vec<Stamped>,
    /// When: RFC 3339, UTC.
    pub at: String,
}

impl Record {
    /// Without findings: every event but a run's end.
    pub fn new(job: JobId, fence: Fence, event: JobEvent, at: &str) -> Self {
        Self { job, fence, event, findings: Vec::new(), at: at.to_owned() }
    }
}

/// Writes down that this life of the daemon began; jobs let in from now on belong to it.
pub fn boot(connection: &Connection, id: BootId, version: &str, at: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO boots (id, version, started_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";
    connection.execute(sql, params![id.to_string(), version, at])?;
    Ok(())
}

/// Lets a job in, with its key. Writing it twice is the same as writing it once.
pub fn submit(connection: &Connection, submission: &Submission) -> Result<LetIn, StoreError> {
    let Submission { job, plan, key } = submission;
    let key = key.as_ref();
    let known = key.map(|key| keys::look_up(connection, &job.principal, key)).transpose()?.flatten();
    match known {
        Some(Known::Other(other)) => return Ok(LetIn::Conflict(other)),
        Some(Known::Same(same)) if same != job.id => return Ok(LetIn::Same(same)),
        Some(Known::Same(_)) | None => {}
    }
    let let_in = match (jobs::insert(connection, job, plan.as_deref())?, plan) {
        (true, _) => job.id,
        (false, Some(plan)) => jobs::waiting(connection, plan)?.ok_or(StoreError::NoSuchJob(job.id))?,
        (false, None) => return Err(StoreError::NoSuchJob(job.id)),
    };
    if let Some(key) = key {
        keys::bind(connection, &job.principal, key, let_in)?;
    }
    Ok(if let_in == job.id { LetIn::New } else { LetIn::Same(let_in) })
}

/// Takes an event in. Says whether it changed anything: what comes too late, or from an attempt that is over, does not,
/// and is not kept as an event.
pub fn record(connection: &Connection, record: &Record) -> Result<bool, StoreError> {
    let (key, before) = jobs::find(connection, record.job)?.ok_or(StoreError::NoSuchJob(record.job))?;
    if !record.fence.admits(before.attempt) {
        metrics::counter!("proctor_store_fenced_total").increment(1);
        return Ok(false);
    }
    apply(connection, key, &before, record)
}

fn apply(
    connection: &Connection,
    key: JobKey,
    before: &JobView,
    record: &Record,
) -> Result<bool, StoreError> {
    let mut after = before.clone();
    if !after.apply(record.event.clone()) {
        return Ok(false);
    }
    jobs::save(connection, key, before, &after)?;
    if let JobEvent::RunEnded { run, .. } = &record.event {
        findings::insert(connection, key, *run, &record.findings)?;
    }
    events::append(connection, key, &record.event, &record.at)?;
    Ok(true)
}
