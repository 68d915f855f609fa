//! ruff's JSON, and its log on standard error: the report names only files with findings, `-v` names every file it
//! checks. Syntax and input errors stand among the findings and are gaps.

use serde::Deserialize;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, region, unreadable};
use super::output::Input;

/// What stands before the path in the log line of a file that is checked.
const CHECKING: &str = "[DEBUG] Checking: ";
/// What stands before the number in the log line of the end.
const CHECKED: &str = "[DEBUG] Checked ";
/// Not a finding: the file could not be parsed or read.
const NOT_READ: [&str; 2] = ["invalid-syntax", "E902"];

#[derive(Deserialize)]
struct Diagnostic {
    code: Option<String>,
    message: String,
    filename: String,
    location: Position,
    end_location: Position,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Position {
    row: i64,
    column: i64,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let diagnostics: Vec<Diagnostic> = json(input)?;
    let log = input.stderr();
    let checked: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once(CHECKING)?.1)).collect();
    if !log.lines().any(|line| line.contains(CHECKED)) {
        let detail = "the log of ruff does not say how many files were checked: it did not come to its end";
        return Err(unreadable(FailureReason::NoProofOfWork, detail));
    }
    let mut builder = Builder::new(input);
    for diagnostic in &diagnostics {
        let code = diagnostic.code.as_deref().unwrap_or("invalid-syntax");
        if NOT_READ.contains(&code) {
            builder.gap(&diagnostic.filename, &diagnostic.message);
            continue;
        }
        let Position { row, column } = diagnostic.location;
        let end = (Some(diagnostic.end_location.row), Some(diagnostic.end_location.column));
        builder.finding(Draft {
            web: None,
            rule: code,
            severity: None,
            message: &diagnostic.message,
            path: &diagnostic.filename,
            region: region((Some(row), Some(column)), end),
            cwe: Vec::new(),
            help: diagnostic.url.as_deref(),
        })?;
    }
    Ok(builder.files(checked))
}
