//! Which ended jobs are deleted, and the deleting, in steps that are bounded in rows and in time: the writer serves
//! everybody.
//!
//! A job goes with its runs, findings and events (foreign keys cascade), in one transaction if it is small. A large one is
//! disowned first: it belongs to nobody, so nobody can read the half of it that is left, and its findings follow over
//! several steps. A crash in between leaves it disowned, which is where the next step begins.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::StoreError;

/// Jobs that one look finds due.
const JOBS_PER_LOOK: u32 = 100;
/// Findings deleted in one step: some 20 ms.
const ROWS_PER_STEP: u32 = 1_000;
/// Longest step, looked at between jobs; a job within [`ROWS_PER_STEP`] is deleted whole.
const STEP_TIME: Duration = Duration::from_millis(20);
/// Pages given back to the file system in one step: 2 MiB.
const PAGES_PER_STEP: u32 = 512;
/// The owner of a job that is being deleted. No principal has this name.
const NOBODY: &str = "";
/// Of a job that may be deleted. What has not ended never is.
const ENDED: &str = "state NOT IN ('queued', 'running') AND ended_at IS NOT NULL";

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Jobs that ended before are deleted: RFC 3339, UTC.
    pub ended_before: String,
    /// Bytes of the database over which the oldest ended jobs are deleted.
    pub bytes_max: u64,
}

/// What a look found to do. Nothing: both are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    jobs: Vec<i64>,
    /// Pages that nothing is in.
    free_pages: u32,
}

impl Due {
    pub fn is_nothing(&self) -> bool {
        self.jobs.is_empty() && self.free_pages == 0
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Jobs of which nothing is left.
    pub jobs: u32,
    /// Findings of theirs.
    pub findings: u32,
}

/// Looks for jobs to delete, and for pages to give back once there are none. For the reader: it may walk all jobs.
pub fn due(connection: &Connection, policy: &Policy) -> Result<Due, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let number = |pragma: &str| -> rusqlite::Result<u64> {
        transaction.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
    };
    let (pages, free) = (number("page_count")?, number("freelist_count")?);
    let is_over = (pages - free).saturating_mul(number("page_size")?) > policy.bytes_max;
    let sql = format!(
        "SELECT job FROM jobs WHERE {ENDED} AND (principal = ?1 OR ended_at < ?2 OR ?3)
         ORDER BY principal <> ?1, job LIMIT ?4"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let jobs =
        statement.query_map(params![NOBODY, policy.ended_before, is_over, JOBS_PER_LOOK], |row| row.get(0));
    let jobs: Vec<i64> = jobs?.collect::<rusqlite::Result<_>>()?;
    // A file that is not made for it gives nothing back; it uses its free pages again.
    let gives_back = number("auto_vacuum")? == 2 && jobs.is_empty();
    Ok(Due { free_pages: if gives_back { u32::try_from(free).unwrap_or(u32::MAX) } else { 0 }, jobs })
}

/// Does one step of what is due. Whatever is left is found by the next look.
pub fn step(connection: &Connection, due: &Due) -> Result<Step, StoreError> {
    let began = Instant::now();
    let mut done = Step::default();
    for job in &due.jobs {
        if done.findings >= ROWS_PER_STEP || began.elapsed() > STEP_TIME {
            return Ok(done);
        }
        let (gone, findings) = delete(connection, *job)?;
        done.jobs += u32::from(gone);
        done.findings += findings;
        if !gone {
            return Ok(done);
        }
    }
    if due.free_pages > 0 {
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(done)
}

/// Deletes a job, or as many of its findings as one step may. Says whether it is gone, and how many findings went.
fn delete(connection: &Connection, job: i64) -> Result<(bool, u32), StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM findings WHERE job = ?1 LIMIT ?2)";
    let findings: u32 =
        connection.prepare_cached(sql)?.query_row(params![job, ROWS_PER_STEP + 1], |row| row.get(0))?;
    if findings <= ROWS_PER_STEP {
        let sql = format!("DELETE FROM jobs WHERE job = ?1 AND {ENDED}");
        connection.prepare_cached(&sql)?.execute([job])?;
        return Ok((true, findings));
    }
    let sql = format!("UPDATE jobs SET principal = ?2 WHERE job = ?1 AND {ENDED}");
    if connection.prepare_cached(&sql)?.execute(params![job, NOBODY])? == 0 {
        return Ok((true, 0));
    }
    let sql = "DELETE FROM findings WHERE finding IN (SELECT finding FROM findings WHERE job = ?1 LIMIT ?2)";
    connection.prepare_cached(sql)?.execute(params![job, ROWS_PER_STEP])?;
    Ok((false, ROWS_PER_STEP))
}
