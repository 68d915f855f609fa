//! An alert of ZAP becomes a finding: one each, none lost, none invented. All text in it is the target's or a rule's, and
//! is cleaned.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answer::loosely;
use crate::domain::finding::{Exchange, Finding, Location, clean_text};
use crate::domain::ids::ToolName;
use crate::domain::severity::Severity;

/// Bytes kept of what is said of an alert: the name, what it means and what helps. ZAP repeats these with each alert of a
/// rule, and there may be thousands.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Bytes kept of what was sent and of what showed it.
const PART_BYTES_MAX: usize = 512;
/// Bytes of a URL: what browsers and servers agree on is 2,000; an attack may be longer, and its place is known by then.
const URL_BYTES_MAX: usize = 2 * 1024;

/// An alert as `alert/view/alerts` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Alert {
    /// Of this alert, ascending within one life of ZAP.
    #[serde(deserialize_with = "loosely")]
    pub id: String,
    /// The rule.
    #[serde(deserialize_with = "loosely")]
    plugin_id: String,
    /// The rule and which of its alerts (`10055-4`).
    #[serde(deserialize_with = "loosely")]
    alert_ref: String,
    #[serde(deserialize_with = "loosely")]
    name: String,
    #[serde(deserialize_with = "loosely")]
    description: String,
    #[serde(deserialize_with = "loosely")]
    solution: String,
    #[serde(deserialize_with = "loosely")]
    risk: String,
    #[serde(deserialize_with = "loosely")]
    confidence: String,
    #[serde(deserialize_with = "loosely")]
    pub url: String,
    #[serde(deserialize_with = "loosely")]
    method: String,
    #[serde(deserialize_with = "loosely")]
    param: String,
    #[serde(deserialize_with = "loosely")]
    attack: String,
    #[serde(deserialize_with = "loosely")]
    evidence: String,
    /// Addresses, one a line.
    #[serde(deserialize_with = "loosely")]
    reference: String,
    /// `-1`, `0` or nothing when there is none.
    #[serde(rename = "cweid", deserialize_with = "loosely")]
    cwe: String,
    tags: BTreeMap<String, serde_json::Value>,
}

/// An alert that cannot be made a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("alert {id} of rule {rule} has {what}")]
pub struct BadAlert {
    id: String,
    rule: String,
    what: String,
}

/// The finding that an alert is.
pub fn finding(alert: &Alert, tool: &ToolName) -> Result<Finding, BadAlert> {
    let rule = if alert.alert_ref.is_empty() { &alert.plugin_id } else { &alert.alert_ref };
    let bad = |what: String| BadAlert { id: alert.id.clone(), rule: rule.clone(), what };
    let severity = severity(&alert.risk).ok_or_else(|| bad(format!("the unknown risk {:?}", alert.risk)))?;
    if !alert.url.starts_with("http://") && !alert.url.starts_with("https://") {
        return Err(bad(format!("no absolute URL but {:?}", clean_text(&alert.url, PART_BYTES_MAX))));
    }
    Ok(Finding {
        tool: tool.clone(),
        rule: clean_text(rule, PART_BYTES_MAX),
        severity,
        message: message(alert),
        location: Location { path: clean_text(&alert.url, URL_BYTES_MAX), region: None },
        cwe: cwe(alert),
        help: help(&alert.reference),
        fingerprint: String::new(),
        web: Some(exchange(alert)),
    })
}

fn severity(risk: &str) -> Option<Severity> {
    match risk {
        "High" => Some(Severity::High),
        "Medium" => Some(Severity::Medium),
        "Low" => Some(Severity::Low),
        "Informational" => Some(Severity::Info),
        _ => None,
    }
}

fn message(alert: &Alert) -> String {
    let mut message = alert.name.trim().to_owned();
    for part in [&alert.description, &alert.solution] {
        let part = part.trim();
        if !part.is_empty() {
            message.push_str(if message.ends_with('.') { " " } else { ". " });
            message.push_str(part);
        }
    }
    clean_text(&message, MESSAGE_BYTES_MAX)
}

/// From the field, and from the tags where a rule has several.
fn cwe(alert: &Alert) -> Vec<u32> {
    let tagged = alert.tags.keys().filter_map(|tag| tag.strip_prefix("CWE-"));
    let numbers = tagged.chain([alert.cwe.as_str()]).filter_map(|number| number.parse().ok());
    let mut numbers: Vec<u32> = numbers.filter(|number| *number > 0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn help(reference: &str) -> Option<String> {
    let first = reference.split_whitespace().find(|word| word.starts_with("http"))?;
    Some(clean_text(first, URL_BYTES_MAX))
}

fn exchange(alert: &Alert) -> Exchange {
    let part = |text: &str| (!text.is_empty()).then(|| clean_text(text, PART_BYTES_MAX));
    Exchange {
        method: clean_text(&alert.method, PART_BYTES_MAX),
        param: part(&alert.param),
        attack: part(&alert.attack),
        evidence: part(&alert.evidence),
        confidence: part(&alert.confidence),
    }
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod tests;
