//! The line of figures that our scripts print from inside of load tools, and what all load tools end with: findings from
//! figures. A run without the line is none: wrk goes on without its script, and all of them end well without an answer.

use serde::Deserialize;

use crate::domain::finding::Exchange;
use crate::domain::load::{Caveat, Latency, LoadReport};
use crate::domain::outcome::{FailureReason, Work};
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, last_line, malformed, unreadable};
use super::output::Input;

/// What the line begins with.
const MARK: &str = "proctor {";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    ok: u64,
    not_ok: u64,
    unanswered: u64,
    seconds: f64,
    latency_ms: Option<Latency>,
    caveats: Vec<Caveat>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let text = String::from_utf8_lossy(input.report);
    let mut lines = text.lines().filter(|line| line.starts_with(MARK));
    let Some(line) = lines.next() else {
        let log = input.stderr();
        let code = input.output.exit_code;
        let detail = format!("exit code {code}, and no figures were printed; it said: {}", last_line(&log));
        return Err(unreadable(FailureReason::EmptyReport, detail));
    };
    if lines.next().is_some() {
        return Err(malformed("the report holds two lines of figures"));
    }
    let figures = line.trim_start_matches("proctor ");
    let figures: Figures = serde_json::from_str(figures)
        .map_err(|error| malformed(format!("the line of figures is not the JSON it should be: {error}")))?;
    let Figures { ok, not_ok, unanswered: errors, seconds, latency_ms: latency, caveats } = figures;
    report(input, &LoadReport { ok, not_ok, errors, seconds, latency, caveats })
}

/// What figures come to: themselves, and a finding for each threshold that they break.
pub(super) fn report(input: &Input<'_>, load: &LoadReport) -> Result<Report, UnreadableReport> {
    let page = input.web()?.url();
    let judgement = load.judge(input.output.load).map_err(|(reason, detail)| unreadable(reason, detail))?;
    let mut builder = Builder::new(input);
    for statement in &judgement.statements {
        builder.finding_of(
            statement.severity,
            Draft {
                rule: statement.rule,
                message: &statement.message,
                path: page.as_str(),
                web: Some(Exchange { method: "GET".to_owned(), ..Exchange::default() }),
                ..Draft::default()
            },
        )?;
    }
    for why in &judgement.degraded {
        builder.degraded(why);
    }
    let requests = u32::try_from(load.requests()).unwrap_or(u32::MAX);
    Ok(builder.site(Work { urls: 1, requests, rules: 0 }))
}
