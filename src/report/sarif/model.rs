//! The parts of SARIF 2.1.0 that we write, named as the standard names them. They borrow: a large job is not copied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::finding::Exchange;

/// A whole file.
#[derive(Debug, Serialize)]
pub struct Log<'a> {
    #[serde(rename = "$schema")]
    pub(super) schema: &'static str,
    pub(super) version: &'static str,
    pub(super) runs: Vec<Run<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a> {
    pub tool: Tool<'a>,
    pub automation_details: Automation,
    pub invocations: [Invocation<'a>; 1],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub original_uri_base_ids: BTreeMap<&'static str, BaseId>,
    pub results: Vec<Result<'a>>,
    pub properties: RunProperties<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tool<'a> {
    pub driver: Driver<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Driver<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    pub rules: Vec<Descriptor<'a>>,
}

/// `reportingDescriptor`: a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor<'a> {
    pub id: &'a str,
    pub short_description: Message<'a>,
    pub full_description: Message<'a>,
    pub help: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help_uri: Option<&'a str>,
    pub properties: RuleProperties,
}

#[derive(Debug, Serialize)]
pub(super) struct RuleProperties {
    pub tags: Vec<String>,
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    pub security_severity: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Automation {
    pub id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct BaseId {
    pub uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    pub execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Notification<'a> {
    pub level: &'static str,
    pub descriptor: Named,
    pub message: Message<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
}

#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub id: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    pub text: Cow<'a, str>,
}

impl<'a> Message<'a> {
    pub(super) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into() }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result<'a> {
    pub rule_id: &'a str,
    pub rule_index: usize,
    pub level: &'static str,
    pub message: Message<'a>,
    pub locations: [Location; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_fingerprints: Option<PartialFingerprints<'a>>,
    pub fingerprints: Fingerprints<'a>,
    /// Absent for a source tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_request: Option<WebRequest<'a>>,
    pub properties: ResultProperties<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct WebRequest<'a> {
    pub method: &'a str,
    pub target: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialFingerprints<'a> {
    pub primary_location_line_hash: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Fingerprints<'a> {
    #[serde(rename = "proctor/v1")]
    pub proctor: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ResultProperties<'a> {
    pub severity: &'static str,
    /// How a running target showed it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub web: Option<&'a Exchange>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    pub physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Physical {
    pub artifact_location: Artifact,
    pub region: Region,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    pub uri: String,
    /// `None`: `uri` is absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri_base_id: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
}

impl Region {
    pub(super) const fn first_line() -> Self {
        Self { start_line: 1, start_column: None, end_line: None, end_column: None }
    }
}

/// What the standard has no word for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunProperties<'a> {
    /// Our word for how the run ended.
    pub outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examined: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<&'a str>,
}
