//! What happens to a job, written down: the job's row, its runs, findings and the event change together or not at all.
//! What an event means is decided by `domain::job` alone: a row is loaded, the event applied, the result saved.

use rusqlite::{Connection, params};

use super::jobs::JobKey;
use super::{StoreError, events, findings, jobs};
use crate::domain::fingerprint::Stamped;
use crate::domain::ids::{BootId, JobId};
use crate::domain::job::{JobEvent, JobState, JobView};
use crate::domain::outcome::{Failure, FailureReason, Outcome};

/// Jobs that one recovery brings to an end: far above what admission lets in. More are found by the next call.
const RECOVERED_MAX: u32 = 10_000;

/// Something that happened, with what it brought along.
#[derive(Debug, Clone)]
pub struct Record {
    pub job: JobId,
    pub event: JobEvent,
    /// Of the run that ended; empty for every other event.
    pub findings: Vec<Stamped>,
    /// When: RFC 3339, UTC.
    pub at: String,
}

/// Writes down that this life of the daemon began; jobs let in from now on belong to it.
pub fn boot(connection: &Connection, id: BootId, version: &str, at: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO boots (id, version, started_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";
    connection.execute(sql, params![id.to_string(), version, at])?;
    Ok(())
}

/// Lets a job in. Writing it twice is the same as writing it once; says whether it was new.
pub fn submit(connection: &Connection, job: &JobView) -> Result<bool, StoreError> {
    jobs::insert(connection, job)
}

/// Takes an event in. Says whether it changed anything: what comes too late does not, and is not kept as an event.
pub fn record(connection: &Connection, record: &Record) -> Result<bool, StoreError> {
    let (key, before) = jobs::find(connection, record.job)?.ok_or(StoreError::NoSuchJob(record.job))?;
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

/// Brings every job that has not ended to a truthful end. To be called when, by construction, nothing is under way: before
/// a life of the jobs' service lets the first job in. Returns the jobs it ended.
pub fn recover(connection: &Connection, at: &str) -> Result<Vec<JobId>, StoreError> {
    let open = jobs::open_jobs(connection, RECOVERED_MAX)?;
    for job in &open {
        let record = Record { job: *job, event: orphaned(at), findings: Vec::new(), at: at.to_owned() };
        self::record(connection, &record)?;
    }
    Ok(open)
}

fn orphaned(at: &str) -> JobEvent {
    let reason = FailureReason::DaemonRestarted;
    JobEvent::Ended {
        state: JobState::Failed,
        error: Some(
            "the daemon or its job engine restarted while the job was under way; submit it again".to_owned(),
        ),
        at: at.to_owned(),
        open_runs: Outcome::Failed(Failure {
            reason,
            detail: "the daemon or its job engine restarted before the run had ended".to_owned(),
            advice: Some("submit the job again".to_owned()),
            stderr_tail: String::new(),
            retryable: reason.retryable(),
        }),
    }
}
