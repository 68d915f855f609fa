//! Jobs and their runs, as rows and back.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::domain::ids::{JobId, Principal, ToolName};
use crate::domain::job::{Conclusion, JobState, JobView, RunView};

/// Jobs of one page.
pub const JOBS_PAGE_MAX: u32 = 50;
/// Runs of one job; a catalogue has some dozens of tools. It bounds the job's events too: each run has at most three.
pub const RUNS_PER_JOB_MAX: usize = 256;

const COLUMNS: &str = "job, id, principal, request, state, error, submitted_at, ended_at, content_digest, left_out, \
                       counts, attempt, deaths, losses, cancel_asked";

/// A job's row key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobKey(pub i64);

/// Jobs of one principal, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsPage {
    pub jobs: Vec<JobView>,
    /// To be given for the next page; `None` on the last one.
    pub next: Option<JobsCursor>,
}

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsQuery {
    pub principal: Principal,
    /// Only those that stand here.
    pub state: Option<JobState>,
}

/// All of one principal.
impl From<Principal> for JobsQuery {
    fn from(principal: Principal) -> Self {
        Self { principal, state: None }
    }
}

/// A place in the list of jobs. It grants nothing: each page asks for the principal again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobsCursor(i64);

impl fmt::Display for JobsCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for JobsCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        i64::from_str_radix(text, 16).map(Self).map_err(|_| StoreError::BadCursor)
    }
}

/// Writes a new job of the present boot. `plan` says what it will do; while it waits, no other job with the same plan is
/// written. Says whether it is there now: written, or written before under the same id.
pub(super) fn insert(connection: &Connection, job: &JobView, plan: Option<&str>) -> Result<bool, StoreError> {
    // Whatever stands in the way: which row it is, and whether it is this very job, is looked up afterwards.
    let sql = "INSERT INTO jobs (id, boot, principal, target, request, state, conclusion, submitted_at, left_out, counts, waiting_plan)
               VALUES (?1, (SELECT max(boot) FROM boots), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";
    let written = connection.prepare_cached(sql)?.execute(params![
        job.id.to_string(),
        job.principal.0,
        job.request.target.to_string(),
        json(&job.request),
        job.state.word(),
        conclusion_word(job.conclusion()),
        job.submitted_at,
        json(&job.left_out),
        json(&job.counts),
        plan,
    ])?;
    Ok(written > 0 || find(connection, job.id)?.is_some())
}

/// The job that waits to do the same thing.
pub(super) fn waiting(connection: &Connection, plan: &str) -> Result<Option<JobId>, StoreError> {
    let sql = "SELECT id FROM jobs WHERE waiting_plan = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([plan], |row| parsed(row, 0)).optional()?)
}

/// Plans of an earlier life are forgotten: its tools may have been other versions.
pub(super) fn forget_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE jobs SET waiting_plan = NULL WHERE waiting_plan IS NOT NULL", [])?;
    Ok(())
}

/// Writes what an event changed: the job's row, and the runs that differ from before.
pub(super) fn save(
    connection: &Connection,
    key: JobKey,
    before: &JobView,
    after: &JobView,
) -> Result<(), StoreError> {
    if after.runs.len() > RUNS_PER_JOB_MAX {
        return Err(StoreError::TooMany {
            job: after.id,
            count: after.runs.len(),
            limit: RUNS_PER_JOB_MAX,
            what: "runs",
        });
    }
    // Started, it belongs to the boot that started it, and what it does is no longer to come.
    let sql = "UPDATE jobs SET state = ?2, conclusion = ?3, error = ?4, ended_at = ?5, content_digest = ?6,
               left_out = ?7, counts = ?8, deaths = ?10, losses = ?11, cancel_asked = ?12,
               waiting_plan = CASE WHEN ?2 = 'queued' THEN waiting_plan END,
               boot = CASE WHEN attempt < ?9 THEN (SELECT max(boot) FROM boots) ELSE boot END, attempt = ?9
               WHERE job = ?1";
    connection.prepare_cached(sql)?.execute(params![
        key.0,
        after.state.word(),
        conclusion_word(after.conclusion()),
        after.error,
        after.ended_at,
        after.content_digest,
        json(&after.left_out),
        json(&after.counts),
        after.attempt,
        after.deaths,
        after.losses,
        after.cancel_asked,
    ])?;
    let changed = after.runs.iter().filter(|run| !before.runs.contains(run));
    for run in changed {
        save_run(connection, key, run)?;
    }
    Ok(())
}

fn save_run(connection: &Connection, key: JobKey, run: &RunView) -> Result<(), StoreError> {
    let sql = "INSERT INTO runs (id, job, tool, tool_version, state, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (id) DO UPDATE
               SET tool_version = excluded.tool_version, state = excluded.state, detail = excluded.detail";
    connection.prepare_cached(sql)?.execute(params![
        run.id.to_string(),
        key.0,
        run.tool.0,
        run.tool_version,
        run.state.word(),
        json(&run.state),
    ])?;
    Ok(())
}

/// The job, whoever asks: for the writer, which was handed the id by the job's owner.
pub(super) fn find(connection: &Connection, id: JobId) -> Result<Option<(JobKey, JobView)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
    one(connection, &sql, params![id.to_string()])
}

/// The job, if it is this principal's. Whether another's exists is not said.
pub fn of_principal(
    connection: &Connection,
    principal: &Principal,
    id: JobId,
) -> Result<Option<JobView>, StoreError> {
    Ok(keyed(connection, principal, id)?.map(|(_, job)| job))
}

pub(super) fn keyed(
    connection: &Connection,
    principal: &Principal,
    id: JobId,
) -> Result<Option<(JobKey, JobView)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1 AND principal = ?2");
    one(connection, &sql, params![id.to_string(), principal.0])
}

/// One page of a principal's jobs, newest first, at most [`JOBS_PAGE_MAX`].
pub fn page(
    connection: &Connection,
    query: &JobsQuery,
    after: Option<JobsCursor>,
    limit: u32,
) -> Result<JobsPage, StoreError> {
    let limit = limit.clamp(1, JOBS_PAGE_MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs WHERE principal = ?1 AND job < ?2 AND (?4 IS NULL OR state = ?4)
         ORDER BY job DESC LIMIT ?3"
    );
    let before = after.map_or(i64::MAX, |cursor| cursor.0);
    let state = query.state.map(JobState::word);
    // One more than asked for shows whether there is a next page.
    let mut jobs = many(connection, &sql, params![query.principal.0, before, limit + 1, state])?;
    let more = jobs.len() > limit as usize;
    jobs.truncate(limit as usize);
    let next = jobs.last().filter(|_| more).map(|(key, _)| JobsCursor(key.0));
    let jobs = jobs.into_iter().map(|(_, job)| job).collect();
    Ok(JobsPage { jobs, next })
}

/// At most `limit` jobs that have not ended, oldest first.
pub(super) fn open_jobs(connection: &Connection, limit: u32) -> Result<Vec<(JobKey, JobView)>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM jobs WHERE state IN ('queued', 'running') ORDER BY job LIMIT ?1");
    many(connection, &sql, [limit])
}

/// Whether the present boot let a job in or started it.
pub(super) fn is_of_this_boot(connection: &Connection, key: JobKey) -> Result<bool, StoreError> {
    let sql = "SELECT boot = (SELECT max(boot) FROM boots) FROM jobs WHERE job = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([key.0], |row| row.get(0))?)
}

fn one(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<(JobKey, JobView)>, StoreError> {
    let row = connection.prepare_cached(sql)?.query_row(parameters, |row| Ok(decode(row))).optional()?;
    let Some(decoded) = row else { return Ok(None) };
    let (key, mut job) = decoded?;
    job.runs = runs(connection, key)?;
    Ok(Some((key, job)))
}

fn many(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<(JobKey, JobView)>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| Ok(decode(row)))?;
    let mut jobs = Vec::new();
    for row in rows {
        let (key, mut job) = row??;
        job.runs = runs(connection, key)?;
        jobs.push((key, job));
    }
    Ok(jobs)
}

/// In the order of [`COLUMNS`], without the runs.
fn decode(row: &Row<'_>) -> Result<(JobKey, JobView), StoreError> {
    let job = JobView {
        id: parsed(row, 1)?,
        principal: Principal(row.get(2)?),
        request: parse(row, 3, "job request")?,
        state: state(&row.get::<_, String>(4)?)?,
        error: row.get(5)?,
        submitted_at: row.get(6)?,
        ended_at: row.get(7)?,
        content_digest: row.get(8)?,
        left_out: parse(row, 9, "list of files left out")?,
        counts: parse(row, 10, "count of findings")?,
        attempt: row.get(11)?,
        deaths: row.get(12)?,
        losses: row.get(13)?,
        cancel_asked: row.get(14)?,
        runs: Vec::new(),
        doing: None,
    };
    Ok((JobKey(row.get(0)?), job))
}

fn runs(connection: &Connection, key: JobKey) -> Result<Vec<RunView>, StoreError> {
    let sql = "SELECT id, tool, tool_version, detail FROM runs WHERE job = ?1 ORDER BY run";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key.0])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(RunView {
            id: parsed(row, 0)?,
            tool: ToolName(row.get(1)?),
            tool_version: row.get(2)?,
            state: parse(row, 3, "run state")?,
            doing: None,
        });
    }
    Ok(runs)
}

fn state(word: &str) -> Result<JobState, StoreError> {
    JobState::ALL
        .into_iter()
        .find(|state| state.word() == word)
        .ok_or_else(|| StoreError::Unreadable { what: "job state", why: format!("unknown word {word:?}") })
}

const fn conclusion_word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Clean => "clean",
        Conclusion::Findings => "findings",
        Conclusion::Incomplete => "incomplete",
        Conclusion::Pending => "pending",
    }
}

/// An id in its text form.
pub(super) fn parsed<Id: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<Id> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|_| rusqlite::Error::InvalidColumnType(column, "id".to_owned(), rusqlite::types::Type::Text))
}

pub(super) fn parse<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(StoreError::unreadable(what))
}

/// As [`parse`], where there may be nothing.
pub(super) fn parse_if<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(StoreError::unreadable(what))).transpose()
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have text keys and no failing serialiser")
}
