//! SARIF 2.1.0 as tools write it, for manifests that need no reader of their own. The proof of work is `artifacts` with
//! the role `analysisTarget` (§3.24.6): a tool that lists none can prove findings and never a clean run.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::finding::Region;
use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, cwe_number, json, malformed, region, unreadable};
use super::output::Input;

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    /// Absent: the tool says that it produced none at all (§3.14.23).
    results: Option<Vec<Hit>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
    #[serde(default)]
    artifacts: Vec<Artifact>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    help_uri: Option<String>,
    default_configuration: Option<Configuration>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hit {
    rule_id: Option<String>,
    rule_index: Option<usize>,
    level: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Place>,
    #[serde(default)]
    suppressions: Vec<Value>,
}

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Uri,
    region: Option<Range>,
}

#[derive(Deserialize)]
struct Uri {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    start_line: Option<i64>,
    start_column: Option<i64>,
    end_line: Option<i64>,
    end_column: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(default)]
    tool_execution_notifications: Vec<Notification>,
    #[serde(default)]
    tool_configuration_notifications: Vec<Notification>,
}

#[derive(Deserialize)]
struct Notification {
    level: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Place>,
}

#[derive(Deserialize)]
struct Artifact {
    location: Option<Uri>,
    #[serde(default)]
    roles: Vec<String>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let log: Log = json(input)?;
    if !log.version.starts_with("2.1") || log.runs.is_empty() {
        return Err(malformed(format!("SARIF 2.1.0 with a run is needed, found version {:?}", log.version)));
    }
    let mut builder = Builder::new(input);
    let mut read = Vec::new();
    for run in &log.runs {
        let results = run.results.as_ref();
        let results = results.ok_or_else(|| malformed("a run of the SARIF report has no results"))?;
        for hit in results.iter().filter(|hit| hit.suppressions.is_empty()) {
            finding(&mut builder, &run.tool.driver.rules, hit)?;
        }
        for invocation in &run.invocations {
            notifications(&mut builder, invocation)?;
        }
        let targets = run.artifacts.iter().filter(|it| it.roles.iter().any(|role| role == "analysisTarget"));
        read.extend(targets.filter_map(|it| path(it.location.as_ref()?)));
    }
    if read.is_empty() {
        return Ok(builder.unproven());
    }
    Ok(builder.files(read.iter().map(String::as_str)))
}

fn finding(builder: &mut Builder<'_>, rules: &[Rule], hit: &Hit) -> Result<(), UnreadableReport> {
    let by_index = hit.rule_index.and_then(|index| rules.get(index));
    let by_id = || rules.iter().find(|rule| Some(&rule.id) == hit.rule_id.as_ref());
    let rule = by_index.or_else(by_id);
    let id = hit.rule_id.as_deref().or(rule.map(|rule| rule.id.as_str()));
    let default_level = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
    let place = hit.locations.first().and_then(|place| place.physical_location.as_ref());
    let path = place.and_then(|place| path(&place.artifact_location));
    let path = path.ok_or_else(|| malformed("a result of the SARIF report names no file"))?;
    let tags = rule.map(|rule| rule.properties.tags.as_slice()).unwrap_or_default();
    builder.finding(Draft {
        web: None,
        rule: id.unwrap_or_default(),
        // §3.27.10: a result without a level has its rule's, and a rule without one has "warning".
        severity: Some(hit.level.as_deref().or(default_level).unwrap_or("warning")),
        message: hit.message.text.as_deref().unwrap_or_default(),
        path: &path,
        region: place.and_then(|place| place.region.as_ref()).and_then(range),
        cwe: tags.iter().filter_map(|tag| cwe_number(tag)).collect(),
        help: rule.and_then(|rule| rule.help_uri.as_deref()),
    })
}

fn notifications(builder: &mut Builder<'_>, invocation: &Invocation) -> Result<(), UnreadableReport> {
    let both = [&invocation.tool_execution_notifications, &invocation.tool_configuration_notifications];
    let mut located = false;
    for notification in both.into_iter().flatten() {
        let level = notification.level.as_deref().unwrap_or("warning");
        let text = notification.message.text.as_deref().unwrap_or("no reason given");
        let places = notification.locations.iter().filter_map(|place| place.physical_location.as_ref());
        for path in places.filter_map(|place| path(&place.artifact_location)) {
            if matches!(level, "warning" | "error") {
                located = true;
                builder.gap(&path, text);
            }
        }
    }
    if invocation.execution_successful || located {
        return Ok(());
    }
    let detail = "the SARIF report says that the execution was not successful";
    Err(unreadable(FailureReason::UnreadableReport, detail))
}

fn range(range: &Range) -> Option<Region> {
    // §3.30.7: an absent endLine is startLine.
    let end_line = range.end_line.or(range.end_column.and(range.start_line));
    region((range.start_line, range.start_column), (end_line, range.end_column))
}

/// The path in `file:///a%20b`, `/a b` or `a%20b`.
fn path(uri: &Uri) -> Option<String> {
    let uri = uri.uri.as_deref()?;
    let path = uri.strip_prefix("file://").unwrap_or(uri);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, hexadecimal(after)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn hexadecimal(text: &[u8]) -> Option<u8> {
    let digits = text.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
mod tests;
