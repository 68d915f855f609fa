//! gitleaks' JSON, and its log on standard error: the report names only files with leaks, the log of level `trace`
//! names every file that is read or passed over, and the number of bytes read says that it came to its end.

use serde::Deserialize;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, last_line, region, unreadable};
use super::output::Input;
use super::text::{Encoding, encoding};

const SCANNED: &str = "INF scanned ~";
const CUT_SHORT: &str = "partial scan completed";
/// Before the path of a file that is read, or has nothing to be read.
const READ: [&str; 2] = ["TRC scanning path path=", "DBG skipping empty file path="];
/// Before the path of a file or directory that is passed over, and why.
const PASSED_OVER: [(&str, &str); 3] = [
    ("DBG skipping file: global allowlist path=", "the tool's own rules pass over it"),
    ("DBG skipping directory: global allowlist path=", "the tool's own rules pass over it"),
    ("WRN skipping file: permission denied path=", "permission denied"),
];
/// The path is the last field but one here.
const BINARY: &str = "DBG skipping binary file ";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Leak {
    #[serde(rename = "RuleID")]
    rule_id: String,
    description: String,
    start_line: i64,
    end_line: i64,
    start_column: i64,
    end_column: i64,
    file: String,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let leaks: Vec<Leak> = json(input)?;
    let log = input.stderr();
    let nothing_read = bytes_scanned(&log).is_none_or(|bytes| bytes == 0 && log.contains(READ[0]));
    if log.contains(CUT_SHORT) || nothing_read {
        let said = last_line(&log);
        let detail = format!("gitleaks does not say that it read anything to the end; it said: {said}");
        return Err(unreadable(FailureReason::NoProofOfWork, detail));
    }
    let mut builder = Builder::new(input);
    for leak in &leaks {
        builder.finding(Draft {
            rule: &leak.rule_id,
            message: &leak.description,
            path: &leak.file,
            region: region(
                (Some(leak.start_line), Some(leak.start_column)),
                // Its end column is the last character; ours is the one behind it.
                (Some(leak.end_line), Some(leak.end_column.saturating_add(1))),
            ),
            ..Draft::default()
        })?;
    }
    let mut read = Vec::new();
    for line in log.lines() {
        read.extend(READ.iter().find_map(|start| after(line, start)));
        for (start, why) in PASSED_OVER {
            if let Some(path) = after(line, start) {
                builder.gap(&path, why);
            }
        }
        if let Some(path) = line.contains(BINARY).then(|| after(line, "path=")).flatten() {
            builder.gap(&path, "the tool passes over binary files");
        }
    }
    for path in &read {
        if encoding(path.as_ref()) == Encoding::Wide {
            builder.gap(path, "the tool cannot read UTF-16");
        }
    }
    Ok(builder.files(read.iter().map(String::as_str)))
}

fn bytes_scanned(log: &str) -> Option<u64> {
    let rest = log.lines().find_map(|line| Some(line.split_once(SCANNED)?.1))?;
    rest.split(' ').next()?.parse().ok()
}

/// The value behind `start`, which is quoted when it holds a space, a quote or what is not ASCII.
fn after(line: &str, start: &str) -> Option<String> {
    let (_, value) = line.split_once(start)?;
    if value.starts_with('"') {
        return serde_json::from_str(value.trim_end()).ok();
    }
    Some(value.to_owned())
}
