//! semgrep's JSON. `paths.scanned` is the proof of work, made honest by a rule of ours that has every file parsed
//! (semgrep skips the parsing of files in which no rule could match, and counts them as scanned); `errors` with a path
//! and `paths.skipped` are gaps, an error without a path is a defect of the rules or of semgrep and no result.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, cwe_number, json, region, unreadable};
use super::output::Input;

#[derive(Deserialize)]
struct Document {
    results: Vec<Match>,
    errors: Vec<Trouble>,
    paths: Paths,
}

#[derive(Deserialize)]
struct Match {
    check_id: String,
    path: String,
    start: Position,
    end: Position,
    extra: Extra,
}

#[derive(Deserialize)]
struct Position {
    line: i64,
    col: i64,
}

#[derive(Deserialize)]
struct Extra {
    message: String,
    severity: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    cwe: Option<Value>,
    /// Where the rule is explained: ours name references, those of the registry a source.
    references: Option<Value>,
    source: Option<Value>,
}

#[derive(Deserialize)]
struct Trouble {
    /// `warn` or `error`.
    level: String,
    path: Option<String>,
    message: Option<String>,
    long_msg: Option<String>,
}

#[derive(Deserialize)]
struct Paths {
    scanned: Vec<String>,
    #[serde(default)]
    skipped: Vec<Skipped>,
}

#[derive(Deserialize)]
struct Skipped {
    path: String,
    reason: String,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let document: Document = json(input)?;
    let mut builder = Builder::new(input);
    for found in &document.results {
        builder.finding(Draft {
            web: None,
            rule: &found.check_id,
            severity: Some(&found.extra.severity),
            message: &found.extra.message,
            path: &found.path,
            region: region(
                (Some(found.start.line), Some(found.start.col)),
                (Some(found.end.line), Some(found.end.col)),
            ),
            cwe: cwe_numbers(found.extra.metadata.cwe.as_ref()),
            help: help(&found.extra.metadata),
        })?;
    }
    for trouble in &document.errors {
        let said = trouble.message.as_deref().or(trouble.long_msg.as_deref());
        let said = said.unwrap_or("no reason given");
        match &trouble.path {
            Some(path) => builder.gap(path, said),
            None if trouble.level == "error" => {
                let detail = format!("semgrep did not do all of its work: {said}");
                return Err(unreadable(FailureReason::UnreadableReport, detail));
            }
            None => {}
        }
    }
    // A file with an error is skipped too, in a word that says less.
    let explained = |path: &String| document.errors.iter().any(|it| it.path.as_ref() == Some(path));
    for skipped in document.paths.skipped.iter().filter(|it| !explained(&it.path)) {
        builder.gap(&skipped.path, &skipped.reason);
    }
    Ok(builder.files(document.paths.scanned.iter().map(String::as_str)))
}

fn help(metadata: &Metadata) -> Option<&str> {
    let references = texts(metadata.references.as_ref());
    let source = texts(metadata.source.as_ref());
    references.iter().chain(source).find_map(Value::as_str)
}

fn cwe_numbers(cwe: Option<&Value>) -> Vec<u32> {
    let texts = texts(cwe).iter().filter_map(Value::as_str);
    texts.filter_map(cwe_number).collect()
}

/// One text, or a list of texts.
fn texts(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(texts)) => texts.as_slice(),
        Some(text) => std::slice::from_ref(text),
        None => &[],
    }
}
