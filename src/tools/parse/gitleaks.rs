//! gitleaks' JSON, and its log on standard error: the only proof of work is the number of bytes it read.

use serde::Deserialize;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, last_line, region, unreadable};
use super::output::Input;

const SCANNED: &str = "INF scanned ~";
const CUT_SHORT: &str = "partial scan completed";

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
    if log.contains(CUT_SHORT) || bytes_scanned(&log).is_none_or(|bytes| bytes == 0) {
        let detail = format!(
            "gitleaks does not say that it read anything to the end; it said: {}",
            last_line(&log)
        );
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
    for line in log.lines().filter(|line| line.contains("WRN skipping ")) {
        if let Some((why, path)) = line
            .split_once("WRN ")
            .and_then(|(_, rest)| rest.split_once("path="))
        {
            builder.gap(path.trim_matches('"'), why.trim());
        }
    }
    Ok(builder.whole())
}

fn bytes_scanned(log: &str) -> Option<u64> {
    let rest = log.lines().find_map(|line| Some(line.split_once(SCANNED)?.1))?;
    rest.split(' ').next()?.parse().ok()
}
