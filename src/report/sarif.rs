//! A job as SARIF 2.1.0: one run per tool, failed ones too, so that a reader sees what was not examined.
//!
//! Made for GitHub code scanning's reading of the standard (its limits and its required properties) and valid against
//! the OASIS schema. Runs of different tools are never merged, and each has an id of its own: GitHub refuses a file
//! with two runs of one tool and category. What a tool did not read is a notification of its invocation.

mod model;
mod rules;
mod uri;

use std::collections::BTreeMap;

use crate::domain::finding::{FINDINGS_PER_RUN_MAX, Location as Place, Region as Lines};
use crate::domain::fingerprint::Stamped;
use crate::domain::job::{Ended, JobView, RunState, RunView};
use crate::domain::outcome::{Coverage, Failure, Outcome};
use model::{
    Artifact, Automation, BaseId, Driver, Fingerprints, Invocation, Location, Message, Named, Notification,
    PartialFingerprints, Physical, Region, Result, ResultProperties, Run, RunProperties, Tool, WebRequest,
};
use rules::Rules;

pub use model::Log;

/// Where the schema of the standard lies.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The target's root, as readers know it.
const ROOT: &str = "%SRCROOT%";
/// Files named in the one sentence about what no tool was shown.
const LEFT_OUT_NAMED_MAX: usize = 10;

/// The job and its findings, ready to be serialised. Of each run the first [`FINDINGS_PER_RUN_MAX`] findings are
/// taken; what is over is said in a notification.
pub fn log<'a>(job: &'a JobView, findings: &'a [Stamped]) -> Log<'a> {
    let mut by_tool: BTreeMap<&str, Vec<&Stamped>> = BTreeMap::new();
    for stamped in findings {
        by_tool.entry(&stamped.finding.tool.0).or_default().push(stamped);
    }
    let runs = job.runs.iter().map(|view| {
        let findings = by_tool.remove(view.tool.0.as_str()).unwrap_or_default();
        run(job, view, &findings)
    });
    Log { schema: SCHEMA, version: "2.1.0", runs: runs.collect() }
}

fn run<'a>(job: &'a JobView, view: &'a RunView, findings: &[&'a Stamped]) -> Run<'a> {
    let findings = &findings[..findings.len().min(FINDINGS_PER_RUN_MAX)];
    let rules = Rules::of(findings);
    let results = findings.iter().map(|stamped| result(stamped, &rules)).collect();
    Run {
        automation_details: Automation { id: format!("proctor/{}/{}", view.tool, job.id) },
        invocations: [invocation(job, view, findings.len())],
        original_uri_base_ids: job.request.target.tree().map(|tree| (ROOT, base(tree))).into_iter().collect(),
        properties: RunProperties {
            outcome: view.state.word(),
            expected: coverage(view).map(|coverage| coverage.expected),
            examined: coverage(view).map(|coverage| coverage.examined),
            missed: coverage(view).map(|coverage| coverage.missed),
            content_digest: job.content_digest.as_deref(),
        },
        tool: Tool {
            driver: Driver {
                name: &view.tool.0,
                version: view.tool_version.as_deref(),
                rules: rules.into_descriptors(),
            },
        },
        results,
    }
}

/// Ends with a slash: a relative reference would otherwise replace the last part.
fn base(target: &str) -> BaseId {
    let path = uri::of_path(target.trim_end_matches('/'));
    BaseId { uri: format!("file://{path}/") }
}

const fn coverage(view: &RunView) -> Option<&Coverage> {
    match &view.state {
        RunState::Ended(ended) => Some(&ended.coverage),
        RunState::Waiting | RunState::Running | RunState::Parsing => None,
    }
}

fn result<'a>(stamped: &'a Stamped, rules: &Rules<'_>) -> Result<'a> {
    let finding = &stamped.finding;
    let text = if finding.message.is_empty() { &finding.rule } else { &finding.message };
    Result {
        rule_id: &finding.rule,
        rule_index: rules.index(&finding.rule),
        level: finding.severity.sarif_level(),
        message: Message::new(text.as_str()),
        locations: [location(&finding.location)],
        partial_fingerprints: stamped
            .line_hash
            .as_deref()
            .map(|hash| PartialFingerprints { primary_location_line_hash: hash }),
        fingerprints: Fingerprints { proctor: &finding.fingerprint },
        web_request: finding
            .web
            .as_ref()
            .map(|web| WebRequest { method: &web.method, target: &finding.location.path }),
        properties: ResultProperties { severity: finding.severity.word(), web: finding.web.as_ref() },
    }
}

fn location(place: &Place) -> Location {
    Location {
        physical_location: Physical {
            artifact_location: artifact(&place.path),
            // GitHub asks for a line: of a file as a whole it is shown at the first.
            region: place.region.map_or_else(Region::first_line, region),
        },
    }
}

/// A URL stands for itself; a path is seen from the target's root.
fn artifact(path: &str) -> Artifact {
    match uri::of_url(path) {
        Some(uri) => Artifact { uri, uri_base_id: None },
        None => Artifact { uri: uri::of_path(path), uri_base_id: Some(ROOT) },
    }
}

/// Numbers that are none in SARIF (a zero, an end before its start) are left out, not repaired.
fn region(lines: Lines) -> Region {
    let start_line = lines.start_line.max(1);
    let counted = |number: Option<u32>| number.filter(|number| *number >= 1);
    let end_line = counted(lines.end_line).filter(|end| *end >= start_line);
    let start_column = counted(lines.start_column);
    let on_one_line = end_line.is_none_or(|end| end == start_line);
    let after_start = |end: &u32| !on_one_line || start_column.is_some_and(|start| *end >= start);
    Region { start_line, start_column, end_line, end_column: counted(lines.end_column).filter(after_start) }
}

fn invocation<'a>(job: &'a JobView, view: &'a RunView, shown: usize) -> Invocation<'a> {
    let (execution_successful, mut notifications) = match &view.state {
        RunState::Ended(ended) => (has_looked(&ended.outcome), told(ended, shown)),
        RunState::Waiting | RunState::Running | RunState::Parsing => {
            (false, vec![note("error", "not_ended", "the run had not ended when this file was made")])
        }
    };
    notifications.extend(left_out(&job.left_out));
    Invocation { execution_successful, tool_execution_notifications: notifications }
}

const fn has_looked(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Findings { .. } | Outcome::Clean | Outcome::NotApplicable { .. } => true,
        Outcome::Failed(_) | Outcome::Cancelled => false,
    }
}

fn told(ended: &Ended, shown: usize) -> Vec<Notification<'_>> {
    let mut notifications = Vec::new();
    match &ended.outcome {
        Outcome::Clean => {}
        Outcome::Findings { count } => {
            let over = usize::try_from(*count).unwrap_or(usize::MAX).saturating_sub(shown);
            if over > 0 {
                let text = format!("{over} more findings are not in this file, the least severe ones");
                notifications.push(note("warning", "findings_over_limit", text));
            }
        }
        Outcome::NotApplicable { why } => notifications.push(note("note", "not_applicable", why.as_str())),
        Outcome::Cancelled => notifications.push(note("error", "cancelled", "the run was cancelled")),
        Outcome::Failed(failure) => notifications.push(failed(failure)),
    }
    notifications.extend(gaps(&ended.coverage));
    notifications
}

fn failed(failure: &Failure) -> Notification<'_> {
    let advice = failure.advice.as_deref().map(|advice| format!("; {advice}")).unwrap_or_default();
    note("error", failure.reason.word(), format!("{}{advice}", failure.detail))
}

/// One notification per file that was named, one for the rest.
fn gaps(coverage: &Coverage) -> impl Iterator<Item = Notification<'_>> {
    let named = coverage.gaps.iter().map(|gap| {
        let mut notification = note("warning", "not_examined", gap.why.as_str());
        notification.locations.push(location(&Place { path: gap.path.clone(), region: None }));
        notification
    });
    let rest = usize::try_from(coverage.missed).unwrap_or(usize::MAX).saturating_sub(coverage.gaps.len());
    let rest =
        (rest > 0).then(|| note("warning", "not_examined", format!("{rest} more files were not examined")));
    named.chain(rest)
}

/// What no tool was shown concerns every run, so each says it, in one sentence.
fn left_out(coverage: &Coverage) -> Option<Notification<'_>> {
    if coverage.missed == 0 {
        return None;
    }
    let named: Vec<String> = coverage
        .gaps
        .iter()
        .take(LEFT_OUT_NAMED_MAX)
        .map(|gap| format!("{} ({})", gap.path, gap.why))
        .collect();
    let more = if named.len() < coverage.missed as usize { ", ..." } else { "" };
    let text =
        format!("{} files of the target were shown to no tool: {}{more}", coverage.missed, named.join(", "));
    Some(note("warning", "left_out", text))
}

fn note<'a>(
    level: &'static str,
    id: &'static str,
    text: impl Into<std::borrow::Cow<'a, str>>,
) -> Notification<'a> {
    Notification { level, descriptor: Named { id }, message: Message::new(text), locations: Vec::new() }
}

impl Log<'_> {
    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("the model has text keys and no failing serialiser")
    }
}
