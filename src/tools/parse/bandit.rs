//! bandit's JSON. Proof of work: the keys of `metrics` without those of `errors`, since a file that could not be parsed
//! is in both.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, region};
use super::output::Input;

/// The sum over all files stands among the files.
const TOTALS: &str = "_totals";

#[derive(Deserialize)]
struct Document {
    errors: Vec<FileError>,
    metrics: BTreeMap<String, IgnoredAny>,
    results: Vec<Issue>,
}

#[derive(Deserialize)]
struct FileError {
    filename: String,
    reason: String,
}

#[derive(Deserialize)]
struct Issue {
    test_id: String,
    issue_severity: String,
    issue_text: String,
    issue_cwe: Option<Cwe>,
    filename: String,
    line_number: i64,
    line_range: Vec<i64>,
    /// From 0; -1 where there is none.
    col_offset: Option<i64>,
    end_col_offset: Option<i64>,
    more_info: Option<String>,
}

#[derive(Deserialize)]
struct Cwe {
    id: Option<u32>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let document: Document = json(input)?;
    let mut builder = Builder::new(input);
    for issue in &document.results {
        let end_line = issue.line_range.iter().max().copied();
        builder.finding(Draft {
            web: None,
            rule: &issue.test_id,
            severity: Some(&issue.issue_severity),
            message: &issue.issue_text,
            path: &issue.filename,
            region: region(
                (Some(issue.line_number), issue.col_offset.map(|column| column.saturating_add(1))),
                (end_line, issue.end_col_offset.map(|column| column.saturating_add(1))),
            ),
            cwe: issue.issue_cwe.as_ref().and_then(|cwe| cwe.id).into_iter().collect(),
            help: issue.more_info.as_deref(),
        })?;
    }
    for error in &document.errors {
        builder.gap(&error.filename, &error.reason);
    }
    let paths = document.metrics.keys().map(String::as_str);
    Ok(builder.files(paths.filter(|path| *path != TOTALS)))
}
