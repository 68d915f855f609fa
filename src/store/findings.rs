//! Findings: written once with their run's end, read in pages, worst first.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::cursor::{self, QueryDigest};
use super::jobs::{JobKey, parse};
use super::{StoreError, jobs};
use crate::domain::finding::{FINDINGS_PER_RUN_MAX, Finding, Location, Region};
use crate::domain::fingerprint::Stamped;
use crate::domain::ids::{JobId, Principal, RunId, ToolName};
use crate::domain::job::JobView;
use crate::domain::severity::Severity;

/// Findings of one page.
pub const FINDINGS_PAGE_MAX: u32 = 1_000;
/// Findings of one export, the worst: eight full runs. It bounds what a reader holds in memory, some 200 MB at worst.
pub const EXPORT_MAX: u32 = 200_000;

const COLUMNS: &str = "finding, tool, rule, rank, path, line, start_column, end_line, end_column, message, cwe, help, fingerprint, line_hash, web";

/// Which findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsQuery {
    pub principal: Principal,
    pub scope: Scope,
    /// At or above.
    pub min_severity: Option<Severity>,
    pub tool: Option<ToolName>,
    pub path_prefix: Option<String>,
}

/// The jobs whose findings are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Job(JobId),
    /// Of each target its newest job that is done, or its newest if none is: a failed scan takes nothing back.
    Newest,
}

/// One page, worst first, then by path and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsPage {
    pub findings: Vec<Stamped>,
    /// On all pages together, now.
    pub total: u64,
    /// To be given for the next page; `None` on the last one.
    pub next: Option<String>,
    /// Whether an absent finding proves anything: every job read has ended, with everything examined.
    pub complete: bool,
}

/// Writes a run's findings, the worst [`FINDINGS_PER_RUN_MAX`] of them; the job's counts stay those of all. One that is there already is left as it is.
pub(super) fn insert(
    connection: &Connection,
    key: JobKey,
    run: RunId,
    findings: &[Stamped],
) -> Result<(), StoreError> {
    let sql = "SELECT run FROM runs WHERE id = ?1";
    let run: i64 = connection.prepare_cached(sql)?.query_row([run.to_string()], |row| row.get(0))?;
    let mut worst: Vec<&Stamped> = findings.iter().collect();
    worst.sort_by_key(|stamped| rank(stamped.finding.severity));
    let sql = "INSERT INTO findings (job, run, tool, rule, rank, path, line, start_column, end_line, end_column, message,
                                     cwe, help, fingerprint, line_hash, web)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
               ON CONFLICT (run, fingerprint) DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    for Stamped { finding, line_hash } in worst.into_iter().take(FINDINGS_PER_RUN_MAX) {
        let region = finding.location.region;
        statement.execute(params![
            key.0,
            run,
            finding.tool.0,
            finding.rule,
            rank(finding.severity),
            finding.location.path,
            region.map_or(0, |region| region.start_line),
            region.and_then(|region| region.start_column),
            region.and_then(|region| region.end_line),
            region.and_then(|region| region.end_column),
            finding.message,
            jobs::json(&finding.cwe),
            finding.help,
            finding.fingerprint,
            line_hash,
            finding.web.as_ref().map(jobs::json),
        ])?;
    }
    Ok(())
}

/// Ascending is worst first.
fn rank(severity: Severity) -> usize {
    Severity::ALL.len() - 1 - severity as usize
}

/// The jobs of a query, as rows of one column. They are the principal's own, so all that hangs on them is.
const JOB_SCOPE: &str = "SELECT job FROM jobs WHERE principal = :principal AND id = :job";
const NEWEST_SCOPE: &str = "SELECT coalesce(max(CASE WHEN state = 'done' THEN job END), max(job)) FROM jobs
                            WHERE principal = :principal AND :job IS NULL GROUP BY target";

const FILTERS: &str = "rank <= :rank AND (:tool IS NULL OR tool = :tool)
                       AND (:prefix IS NULL OR substr(path, 1, length(:prefix)) = :prefix)";

/// One page, at most [`FINDINGS_PAGE_MAX`] findings, after `cursor`.
pub fn page(
    connection: &Connection,
    query: &FindingsQuery,
    cursor: Option<&str>,
    limit: u32,
) -> Result<FindingsPage, StoreError> {
    // One transaction: the total, the page and `complete` speak of the same moment.
    let transaction = connection.unchecked_transaction()?;
    let digest = QueryDigest::of(query);
    let after = cursor.map(|text| cursor::decode(digest, text)).transpose()?;
    let after = after.map(|row| place(&transaction, query, row)).transpose()?;
    let limit = limit.clamp(1, FINDINGS_PAGE_MAX);
    let mut rows = select(&transaction, query, after.as_ref(), limit + 1)?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|(row, _)| cursor::encode(digest, *row));
    Ok(FindingsPage {
        findings: rows.into_iter().map(|(_, stamped)| stamped).collect(),
        total: total(&transaction, query)?,
        next,
        complete: complete(&transaction, query)?,
    })
}

/// A job with all its findings, worst first, at most [`EXPORT_MAX`]; `None` if it is not this principal's.
pub fn export(
    connection: &Connection,
    principal: &Principal,
    job: JobId,
) -> Result<Option<(JobView, Vec<Stamped>)>, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let Some(view) = jobs::of_principal(&transaction, principal, job)? else {
        return Ok(None);
    };
    let query = FindingsQuery {
        principal: principal.clone(),
        scope: Scope::Job(job),
        min_severity: None,
        tool: None,
        path_prefix: None,
    };
    let rows = select(&transaction, &query, None, EXPORT_MAX)?;
    Ok(Some((view, rows.into_iter().map(|(_, stamped)| stamped).collect())))
}

/// Where a row stands in the order of pages.
struct Place {
    rank: i64,
    path: String,
    line: i64,
    row: i64,
}

fn place(connection: &Connection, query: &FindingsQuery, row: i64) -> Result<Place, StoreError> {
    let sql =
        "SELECT rank, path, line FROM findings JOIN jobs USING (job) WHERE finding = ?1 AND principal = ?2";
    let found = connection.prepare_cached(sql)?.query_row(params![row, query.principal.0], |found| {
        Ok(Place { rank: found.get(0)?, path: found.get(1)?, line: found.get(2)?, row })
    });
    found.optional()?.ok_or(StoreError::BadCursor)
}

const fn scope(query: &FindingsQuery) -> &'static str {
    match query.scope {
        Scope::Job(_) => JOB_SCOPE,
        Scope::Newest => NEWEST_SCOPE,
    }
}

fn job_id(query: &FindingsQuery) -> Option<String> {
    match query.scope {
        Scope::Job(id) => Some(id.to_string()),
        Scope::Newest => None,
    }
}

fn select(
    connection: &Connection,
    query: &FindingsQuery,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<(i64, Stamped)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM findings WHERE job IN ({}) AND {FILTERS}
         AND (rank, path, line, finding) > (:after_rank, :after_path, :after_line, :after_row)
         ORDER BY rank, path, line, finding LIMIT :limit",
        scope(query)
    );
    let start = Place { rank: -1, path: String::new(), line: 0, row: 0 };
    let after = after.unwrap_or(&start);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":principal": query.principal.0,
        ":job": job_id(query),
        ":rank": rank(query.min_severity.unwrap_or(Severity::Info)),
        ":tool": query.tool.as_ref().map(|tool| &tool.0),
        ":prefix": query.path_prefix,
        ":after_rank": after.rank,
        ":after_path": after.path,
        ":after_line": after.line,
        ":after_row": after.row,
        ":limit": limit,
    })?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, decode(row)?));
    }
    Ok(found)
}

fn total(connection: &Connection, query: &FindingsQuery) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM findings WHERE job IN ({}) AND {FILTERS}", scope(query));
    let parameters = named_params! {
        ":principal": query.principal.0,
        ":job": job_id(query),
        ":rank": rank(query.min_severity.unwrap_or(Severity::Info)),
        ":tool": query.tool.as_ref().map(|tool| &tool.0),
        ":prefix": query.path_prefix,
    };
    Ok(connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0))?)
}

fn complete(connection: &Connection, query: &FindingsQuery) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT count(*) > 0 AND min(conclusion IN ('clean', 'findings')) = 1 FROM jobs WHERE job IN ({})",
        scope(query)
    );
    let parameters = named_params! { ":principal": query.principal.0, ":job": job_id(query) };
    let complete: Option<bool> = connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0))?;
    Ok(complete.unwrap_or(false))
}

/// In the order of [`COLUMNS`].
fn decode(row: &Row<'_>) -> Result<Stamped, StoreError> {
    let rank: usize = row.get(3)?;
    let severity = Severity::ALL
        .into_iter()
        .rev()
        .nth(rank)
        .ok_or_else(|| StoreError::Unreadable { what: "severity", why: format!("rank {rank}") })?;
    let line: u32 = row.get(5)?;
    let region = Region {
        start_line: line,
        start_column: row.get(6)?,
        end_line: row.get(7)?,
        end_column: row.get(8)?,
    };
    let finding = Finding {
        tool: ToolName(row.get(1)?),
        rule: row.get(2)?,
        severity,
        message: row.get(9)?,
        location: Location { path: row.get(4)?, region: (line > 0).then_some(region) },
        cwe: parse(row, 10, "list of weaknesses")?,
        help: row.get(11)?,
        fingerprint: row.get(12)?,
        web: jobs::parse_if(row, 14, "request of a finding")?,
    };
    Ok(Stamped { finding, line_hash: row.get(13)? })
}
