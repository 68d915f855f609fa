//! The shapes of ZAP's answers, as far as we use them. ZAP writes most numbers as texts, some as numbers, and wraps each
//! answer in a map whose one key repeats the call: all of that ends here.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Bytes of an answer that are shown when it makes no sense.
const SHOWN_BYTES: usize = 200;

/// An answer that is not what the call gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ZAP's answer cannot be read ({why}): {shown:?}")]
pub struct Unreadable {
    why: String,
    /// Its beginning.
    shown: String,
}

impl Unreadable {
    fn new(why: impl ToString, body: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]).into_owned();
        Self { why: why.to_string(), shown }
    }
}

/// The value of an answer with one entry, whatever its key is.
pub fn only<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    let map: BTreeMap<String, T> =
        serde_json::from_slice(body).map_err(|error| Unreadable::new(error, body))?;
    let count = map.len();
    let mut values = map.into_values();
    match (values.next(), count) {
        (Some(value), 1) => Ok(value),
        _ => Err(Unreadable::new(format!("{count} entries instead of one"), body)),
    }
}

/// A text, or what ZAP writes in the place of one.
pub fn text(body: &[u8]) -> Result<String, Unreadable> {
    only::<Value>(body).map(loose)
}

/// A number, however it is written.
pub fn number(body: &[u8]) -> Result<u32, Unreadable> {
    let text = text(body)?;
    text.trim().parse().map_err(|_| Unreadable::new("no number", body))
}

/// The id of a scan that was started. Not a number: ZAP did not start one.
pub fn scan_id(body: &[u8]) -> Result<ScanId, Unreadable> {
    number(body).map(ScanId)
}

/// A spider or an active scan of one life of ZAP: ids begin at 0 in each, and in each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanId(pub u32);

/// What ZAP says instead of an answer. A closed list of what is told apart; the rest is [`Complaint::Other`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// No add-on answers such calls.
    NoImplementor,
    /// No scan of that id, no such element.
    DoesNotExist,
    /// Nothing of that URL was ever seen, so there is nothing to scan.
    UrlNotFound,
    /// A crash in ZAP: `internal_error`, or a stack trace.
    Internal { shown: String },
    /// What we said is wrong, by ZAP's own word.
    Other { code: String, message: String },
}

#[derive(Deserialize)]
struct ErrorAnswer {
    code: String,
    #[serde(default)]
    message: String,
}

impl Complaint {
    /// Reads an answer that is no success.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let Ok(ErrorAnswer { code, message }) = serde_json::from_slice(body) else {
            let shown = Unreadable::new("", body).shown;
            return Self::Internal { shown: format!("status {status}: {shown}") };
        };
        match code.as_str() {
            "no_implementor" => Self::NoImplementor,
            "does_not_exist" => Self::DoesNotExist,
            "url_not_found" => Self::UrlNotFound,
            "internal_error" => Self::Internal { shown: message },
            _ => Self::Other { code, message },
        }
    }
}

/// A rule, active or passive, as ZAP lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rule {
    #[serde(deserialize_with = "loosely")]
    pub id: String,
    #[serde(deserialize_with = "loosely")]
    pub name: String,
    #[serde(default, deserialize_with = "loosely")]
    enabled: String,
}

impl Rule {
    pub fn is_enabled(&self) -> bool {
        self.enabled == "true"
    }
}

/// An add-on that is installed: what this ZAP can do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AddOn {
    #[serde(default, deserialize_with = "loosely")]
    pub id: String,
}

/// What a thread of the passive scanner is at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Task {
    /// The rule's name; empty before the first.
    #[serde(default, deserialize_with = "loosely")]
    pub name: String,
    #[serde(default, deserialize_with = "loosely")]
    pub url: String,
}

/// An active scan as ZAP lists it. `FINISHED` does not mean 100 %: a scan that was stopped is finished, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScanRow {
    #[serde(deserialize_with = "loosely")]
    id: String,
    #[serde(deserialize_with = "loosely")]
    state: String,
    #[serde(default, rename = "reqCount", deserialize_with = "loosely")]
    requests: String,
}

impl ScanRow {
    pub fn is(&self, id: ScanId) -> bool {
        self.id.parse() == Ok(id.0)
    }

    pub fn is_over(&self) -> bool {
        self.state == "FINISHED"
    }

    pub fn requests(&self) -> u32 {
        self.requests.parse().unwrap_or(0)
    }
}

/// A rule within an active scan, on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProgress {
    pub host: String,
    pub id: String,
    pub name: String,
    pub state: RuleState,
    pub requests: u32,
    pub alerts: u32,
}

/// How far a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleState {
    Pending,
    Running {
        percent: u8,
    },
    /// By its own account: a rule that threw says so, too.
    Complete,
    /// Somebody skipped it, or ZAP did (a limit of time, nothing for it to look at).
    Skipped,
}

impl RuleState {
    fn read(word: &str) -> Self {
        match word {
            "Pending" => Self::Pending,
            "Complete" => Self::Complete,
            _ => match word.strip_suffix('%').and_then(|number| number.parse().ok()) {
                Some(percent) => Self::Running { percent },
                // `Skipped, by user action.` and other reasons, in the language of the installation.
                None => Self::Skipped,
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ProgressItem {
    Host(String),
    Rules {
        #[serde(rename = "HostProcess")]
        rules: Vec<RuleItem>,
    },
}

#[derive(Deserialize)]
struct RuleItem {
    /// Name, id, quality, state, milliseconds, requests, alerts.
    #[serde(rename = "Plugin")]
    row: Vec<Value>,
}

/// The answer of `ascan/view/scanProgress`: hosts and their rules by turns.
pub fn scan_progress(body: &[u8]) -> Result<Vec<RuleProgress>, Unreadable> {
    let mut host = String::new();
    let mut all = Vec::new();
    for item in only::<Vec<ProgressItem>>(body)? {
        match item {
            ProgressItem::Host(name) => host = name,
            ProgressItem::Rules { rules } => {
                for rule in rules {
                    let row: Vec<String> = rule.row.into_iter().map(loose).collect();
                    all.push(rule_progress(&host, &row).ok_or_else(|| Unreadable::new("a short row", body))?);
                }
            }
        }
    }
    Ok(all)
}

fn rule_progress(host: &str, row: &[String]) -> Option<RuleProgress> {
    let [name, id, _quality, state, _ms, requests, alerts, ..] = row else { return None };
    Some(RuleProgress {
        host: host.to_owned(),
        id: id.clone(),
        name: name.clone(),
        state: RuleState::read(state),
        requests: requests.parse().unwrap_or(0),
        alerts: alerts.parse().unwrap_or(0),
    })
}

/// A scalar as text; nothing for what is none.
fn loose(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

pub(super) fn loosely<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Value::deserialize(deserializer).map(loose)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
