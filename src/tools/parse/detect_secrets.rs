//! detect-secrets' JSON, and its log on standard error: the report names only files with secrets, `-v` names every file
//! it opens. A secret has no column and no severity; its hash tells two secrets on one line apart and stays out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, region, unreadable};
use super::output::Input;
use super::text::{Encoding, encoding};

const CHECKING: &str = "INFO\tChecking file: ";
const SKIPPING: &str = "INFO\tSkipping \"";
const UNREADABLE: &str = "Unable to open file: ";

#[derive(Deserialize)]
struct Document {
    plugins_used: Vec<IgnoredAny>,
    results: BTreeMap<String, Vec<Secret>>,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "type")]
    kind: String,
    line_number: i64,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let document: Document = json(input)?;
    if document.plugins_used.is_empty() {
        let detail = "detect-secrets ran without a single detector";
        return Err(unreadable(FailureReason::NoProofOfWork, detail));
    }
    let mut builder = Builder::new(input);
    for (path, secrets) in &document.results {
        for secret in secrets {
            builder.finding(Draft {
                rule: &secret.kind,
                message: &format!("{} in the text", secret.kind),
                path,
                region: region((Some(secret.line_number), None), (None, None)),
                ..Draft::default()
            })?;
        }
    }
    let log = input.stderr();
    let mut checked = Vec::new();
    for line in log.lines() {
        if let Some((_, path)) = line.split_once(CHECKING) {
            checked.push(path);
            // It opens such a file, cannot decode it, and says nothing.
            if matches!(encoding(path.as_ref()), Encoding::Wide | Encoding::Other) {
                builder.gap(path, "the tool reads only UTF-8");
            }
        } else if let Some((_, path)) = line.split_once(UNREADABLE) {
            builder.gap(path, "the tool could not open it");
        } else if let Some((path, why)) =
            line.split_once(SKIPPING).and_then(|(_, rest)| rest.split_once("\" due to "))
        {
            builder.gap(path, &format!("the tool passes over it: {why}"));
        }
    }
    Ok(builder.files(checked))
}
