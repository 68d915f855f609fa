//! ApacheBench's text, and its table of percentiles (`-e`): in the text a latency is a whole millisecond, and what fails is
//! named in three places that do not agree.

use crate::domain::load::{Caveat, Latency, LoadReport};
use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{last_line, malformed, unreadable};
use super::load;
use super::output::Input;

const TABLE: &str = "Percentage served,Time in ms";

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let text = input.stdout();
    let log = input.stderr();
    let Some(complete) = number::<u64>(&text, "Complete requests:") else {
        // It gives up at the first broken connection, and says so on standard error only.
        let detail = format!("it printed no figures; it said: {}", last_line(&log));
        return Err(unreadable(FailureReason::EmptyReport, detail));
    };
    let missing = |what: &str| malformed(format!("the report lacks {what:?}"));
    let failed: u64 = number(&text, "Failed requests:").ok_or_else(|| missing("Failed requests"))?;
    let seconds = number(&text, "Time taken for tests:").ok_or_else(|| missing("Time taken for tests"))?;
    let transferred: u64 = number(&text, "Total transferred:").ok_or_else(|| missing("Total transferred"))?;
    // The line is not there when there are none. It counts redirects.
    let not_ok = number(&text, "Non-2xx responses:").unwrap_or(0);
    if complete > 0 && transferred == 0 {
        // A failed TLS handshake counts as a complete request.
        let detail = format!(
            "{complete} requests are called complete, and no byte came; it said: {}",
            last_line(&log)
        );
        return Err(unreadable(FailureReason::TargetUnreachable, detail));
    }
    let latency = percentiles(input)?;
    // "Complete" counts the failed ones, too, and those twice that failed in two ways.
    let ok = complete.saturating_sub(not_ok).saturating_sub(failed);
    let caveats = vec![Caveat::ClosedLoop];
    load::report(input, &LoadReport { ok, not_ok, errors: failed, seconds, latency, caveats })
}

/// The first word after `key` at the start of a line.
fn number<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// `None` where nothing was answered: then there is no table.
fn percentiles(input: &Input<'_>) -> Result<Option<Latency>, UnreadableReport> {
    let table = String::from_utf8_lossy(input.report);
    let Some(rows) = table.strip_prefix(TABLE) else {
        return if table.is_empty() {
            Ok(None)
        } else {
            Err(malformed("the table of percentiles has another head"))
        };
    };
    let rows: Vec<(&str, &str)> = rows.lines().filter_map(|row| row.split_once(',')).collect();
    let row = |percent: &str| {
        let found = rows.iter().find(|(of, _)| *of == percent);
        let time =
            found.and_then(|(_, time)| time.trim().parse::<f64>().ok()).filter(|time| time.is_finite());
        time.ok_or_else(|| malformed(format!("the table of percentiles lacks the row of {percent} %")))
    };
    Ok(Some(Latency { p50: row("50")?, p90: row("90")?, p95: row("95")?, p99: row("99")?, max: row("100")? }))
}
