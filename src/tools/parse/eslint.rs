//! eslint's JSON: one entry per file read, also when nothing was found, which is the proof of work. A parse error is a
//! message without a rule and is a gap.

use serde::Deserialize;

use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, region};
use super::output::Input;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    file_path: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    rule_id: Option<String>,
    #[serde(default)]
    fatal: bool,
    severity: u8,
    message: String,
    line: Option<i64>,
    column: Option<i64>,
    end_line: Option<i64>,
    end_column: Option<i64>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let entries: Vec<Entry> = json(input)?;
    let mut builder = Builder::new(input);
    for entry in &entries {
        for message in &entry.messages {
            match &message.rule_id {
                Some(rule) if !message.fatal => builder.finding(draft(&entry.file_path, rule, message))?,
                _ => builder.gap(&entry.file_path, &message.message),
            }
        }
    }
    Ok(builder.files(entries.iter().map(|entry| entry.file_path.as_str())))
}

fn draft<'a>(path: &'a str, rule: &'a str, message: &'a Message) -> Draft<'a> {
    Draft {
        rule,
        severity: Some(if message.severity >= 2 { "error" } else { "warning" }),
        message: &message.message,
        path,
        region: region((message.line, message.column), (message.end_line, message.end_column)),
        ..Draft::default()
    }
}
