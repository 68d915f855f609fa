//! All findings of a job, page by page.

use super::client::{Client, ClientError};
use crate::protocol::api::{FindingAnswer, FindingsAnswer, FindingsArguments, PAGE_ITEMS_MAX, SeverityWord};

/// Findings held at once at most: some 300 MiB of the longest messages. SARIF has them all.
const FINDINGS_MAX: usize = 50_000;

/// Which findings, and how many.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub job: String,
    pub min_severity: Option<SeverityWord>,
    pub tool: Option<String>,
    /// None: as many as there are, up to [`FINDINGS_MAX`].
    pub limit: Option<usize>,
}

/// What was read, and how many there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    pub findings: Vec<FindingAnswer>,
    pub total: u64,
}

/// Reads pages until there are no more or enough.
pub async fn read(client: &mut Client, wanted: &Wanted) -> Result<Findings, ClientError> {
    let limit = wanted.limit.unwrap_or(FINDINGS_MAX).min(FINDINGS_MAX);
    let mut all = Findings::default();
    let mut cursor = None;
    loop {
        let arguments = FindingsArguments {
            job: Some(wanted.job.clone()),
            min_severity: wanted.min_severity,
            tool: wanted.tool.clone(),
            path_prefix: None,
            cursor: cursor.take(),
            limit: Some(PAGE_ITEMS_MAX),
        };
        let page: FindingsAnswer = client.call_patiently("job_results", &arguments).await?;
        all.total = page.total;
        let progressed = !page.findings.is_empty();
        all.findings.extend(page.findings);
        cursor = page.next_cursor;
        // A page without findings that still has a successor would be a loop without an end.
        if cursor.is_none() || !progressed || all.findings.len() >= limit {
            all.findings.truncate(limit);
            return Ok(all);
        }
    }
}
