//! vulture's text, one finding per line, and its complaints on standard error. Nothing in it names a file that was
//! read: a planted file with dead code must be in the report. The lines of a report cannot show that one was cut
//! between two of them; that it ends with a line break and holds the planted finding is what can be asked.

use std::path::Path;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, last_line, malformed, region, unreadable};
use super::output::Input;

const NOT_READ: &str = "Error: Could not read file ";
/// The second line of that error.
const ADVICE: &str = "Try to change the encoding to UTF-8.";

struct DeadCode<'a> {
    path: &'a str,
    line: i64,
    message: &'a str,
    confidence: &'a str,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let text = std::str::from_utf8(input.report)
        .map_err(|error| malformed(format!("the report is not UTF-8: {error}")))?;
    let canary = input.canary();
    let mut canary_found = canary.is_none();
    let mut builder = Builder::new(input);
    for line in text.lines() {
        let found = dead_code(line)
            .ok_or_else(|| malformed(format!("the report holds a line that is no finding: {line:?}")))?;
        if canary.as_deref() == Some(Path::new(found.path)) {
            canary_found = true;
            continue;
        }
        builder.finding(Draft {
            rule: &rule(found.message),
            severity: Some(found.confidence),
            message: &format!("{} ({} confidence)", found.message, found.confidence),
            path: found.path,
            region: region((Some(found.line), None), (None, None)),
            ..Draft::default()
        })?;
    }
    let log = input.stderr();
    if !canary_found || !text.ends_with('\n') {
        let said = last_line(&log);
        let detail = format!("the report does not hold the planted finding; vulture said: {said}");
        let reason = if text.is_empty() { FailureReason::EmptyReport } else { FailureReason::NoProofOfWork };
        return Err(unreadable(reason, detail));
    }
    for line in log.lines().filter(|line| !line.trim().is_empty() && *line != ADVICE) {
        complaint(&mut builder, line).ok_or_else(|| {
            let detail = format!("vulture complained in words the parser does not know: {line}");
            unreadable(FailureReason::NoProofOfWork, detail)
        })?;
    }
    Ok(builder.whole())
}

/// `path:line: message (NN% confidence)`
fn dead_code(line: &str) -> Option<DeadCode<'_>> {
    let (rest, confidence) = line.strip_suffix(" confidence)")?.rsplit_once(" (")?;
    let (place, message) = rest.split_once(": ")?;
    let (path, line) = place.rsplit_once(':')?;
    Some(DeadCode { path, line: line.parse().ok()?, message, confidence })
}

/// `unused function 'name'` → `unused-function`; `unreachable code after 'return'` → `unreachable-code-after`.
fn rule(message: &str) -> String {
    let words = message.split('\'').next().unwrap_or_default();
    words.split_whitespace().collect::<Vec<_>>().join("-")
}

/// `path:line: what`, `path: what`, or the error of a file that is not UTF-8.
fn complaint(builder: &mut Builder<'_>, line: &str) -> Option<()> {
    if let Some(rest) = line.strip_prefix(NOT_READ) {
        let path = rest.split(" - ").next().unwrap_or(rest);
        builder.gap(path.trim(), "the tool could not read it as UTF-8");
        return Some(());
    }
    let (place, why) = line.split_once(": ")?;
    let (path, line) = place.rsplit_once(':').unwrap_or((place, "None"));
    let names_a_place = path.starts_with('/') && (line == "None" || line.parse::<i64>().is_ok());
    names_a_place.then(|| builder.gap(path, why))
}
