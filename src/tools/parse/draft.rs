//! What all parsers build with: findings with cleaned text and inner paths, gaps, and the reading of JSON.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use url::Url;

use crate::domain::finding::{Exchange, Finding, Location, MESSAGE_BYTES_MAX, Region, clean_text};
use crate::domain::outcome::{FailureReason, Gap, Work};
use crate::domain::severity::Severity;
use crate::domain::verdict::{Examined, Report, UnreadableReport};
use crate::tools::invocation::{TargetPlace, relative};

use super::output::Input;

/// Most findings believed of one run. The largest honest report seen (a linter's, on 1,265 files) had 19,000; beyond
/// this a rule has run wild, and nobody can read the result.
pub const FINDINGS_MAX: usize = 200_000;
/// Longest rule id, link and reason of a gap, in bytes.
const WORD_BYTES_MAX: usize = 512;
/// Longest part of a tool's own words in an error, in bytes.
const DETAIL_BYTES_MAX: usize = 1024;
/// Longest path, in bytes: Linux's PATH_MAX.
const PATH_BYTES_MAX: usize = 4096;

pub(super) fn unreadable(reason: FailureReason, detail: impl AsRef<str>) -> UnreadableReport {
    UnreadableReport { reason, detail: clean_text(detail.as_ref(), DETAIL_BYTES_MAX) }
}

/// A report that is there and is not what its format says.
pub(super) fn malformed(detail: impl AsRef<str>) -> UnreadableReport {
    unreadable(FailureReason::UnreadableReport, detail)
}

/// Reads the report as one JSON document, to its last byte.
pub(super) fn json<T: DeserializeOwned>(input: &Input<'_>) -> Result<T, UnreadableReport> {
    let tool = &input.manifest.name;
    if input.report.trim_ascii().is_empty() {
        let code = input.output.exit_code;
        let log = input.stderr();
        let said = last_line(&log);
        let detail = format!("{tool} ended with exit code {code} and wrote no report; it said: {said}");
        return Err(unreadable(FailureReason::EmptyReport, detail));
    }
    serde_json::from_slice(input.report)
        .map_err(|error| malformed(format!("the report of {tool} is not the JSON it should be: {error}")))
}

/// The last line of a text that says something, or "nothing".
pub(super) fn last_line(text: &str) -> &str {
    let lines = text.lines().rev().map(str::trim);
    lines.into_iter().find(|line| !line.is_empty()).unwrap_or("nothing")
}

/// A finding in the tool's words.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub rule: &'a str,
    /// The tool's word for the severity, if the report has one.
    pub severity: Option<&'a str>,
    pub message: &'a str,
    /// As the tool wrote it: absolute, or relative to the target.
    pub path: &'a str,
    pub region: Option<Region>,
    pub cwe: Vec<u32>,
    pub help: Option<&'a str>,
    /// What a running target was asked and showed; as the tool wrote it.
    pub web: Option<Exchange>,
}

/// A report under construction.
pub(super) struct Builder<'a> {
    input: &'a Input<'a>,
    report: Report,
}

impl<'a> Builder<'a> {
    pub(super) fn new(input: &'a Input<'a>) -> Self {
        Self { input, report: Report::default() }
    }

    /// Adds a finding. Its fingerprint is left empty: it needs the file's content, which no parser has.
    pub(super) fn finding(&mut self, draft: Draft<'_>) -> Result<(), UnreadableReport> {
        let severity = self.input.manifest.severity.of(draft.rule, draft.severity);
        self.finding_of(severity, draft)
    }

    /// The same, where the severity is no word of the tool's.
    pub(super) fn finding_of(
        &mut self,
        severity: Severity,
        draft: Draft<'_>,
    ) -> Result<(), UnreadableReport> {
        if self.report.findings.len() >= FINDINGS_MAX {
            let detail = format!("the report holds more than {FINDINGS_MAX} findings");
            return Err(unreadable(FailureReason::OutputFlood, detail));
        }
        if draft.rule.is_empty() {
            return Err(malformed("the report holds a finding without a rule"));
        }
        let manifest = self.input.manifest;
        let location = Location { path: self.path(draft.path)?, region: draft.region };
        let mut cwe = draft.cwe;
        if cwe.is_empty() {
            cwe = manifest.cwe.get(draft.rule).cloned().unwrap_or_default();
        }
        cwe.sort_unstable();
        cwe.dedup();
        self.report.findings.push(Finding {
            tool: manifest.name.clone(),
            rule: clean_text(draft.rule, WORD_BYTES_MAX),
            severity,
            message: self.words(draft.message, MESSAGE_BYTES_MAX),
            location,
            cwe,
            help: draft.help.map(|help| clean_text(help, WORD_BYTES_MAX)),
            fingerprint: String::new(),
            web: draft.web.map(cleaned),
        });
        Ok(())
    }

    /// A file the tool names as not analysed. One outside of the target is nobody's gap.
    pub(super) fn gap(&mut self, path: &str, why: &str) {
        if let Some(path) = self.inner(path) {
            let why = self.words(why, WORD_BYTES_MAX);
            self.report.gaps.push(Gap { path, why });
        }
    }

    /// Ends with the files that the tool says it read; those outside of the target do not count.
    pub(super) fn files<'p>(mut self, paths: impl IntoIterator<Item = &'p str>) -> Report {
        let files: BTreeSet<String> = paths.into_iter().filter_map(|path| self.inner(path)).collect();
        self.report.examined = Examined::Files(files);
        self.done()
    }

    /// Ends with the proof that the tool worked on the target as a whole.
    pub(super) fn whole(mut self) -> Report {
        self.report.examined = Examined::Whole;
        self.done()
    }

    /// What the tool did less than it should have; see [`Report::degraded`].
    pub(super) fn degraded(&mut self, why: &str) {
        let why = self.words(why, WORD_BYTES_MAX);
        self.report.degraded.push(why);
    }

    /// Ends with the work done on a running target.
    pub(super) fn site(mut self, work: Work) -> Report {
        self.report.examined = Examined::Site(work);
        self.done()
    }

    /// Ends without a proof of work.
    pub(super) fn unproven(self) -> Report {
        self.done()
    }

    /// The same report whatever order the tool's threads wrote it in.
    fn done(mut self) -> Report {
        self.report
            .findings
            .sort_by(|a, b| (&a.location, &a.rule, &a.message).cmp(&(&b.location, &b.rule, &b.message)));
        self.report.gaps.sort();
        self.report.gaps.dedup();
        self.report
    }

    /// Cleaned text; the snapshot's place on this machine is nobody's business.
    fn words(&self, text: &str, bytes_max: usize) -> String {
        let text = without_root(text, self.input.output.root());
        clean_text(&text, bytes_max).trim().to_owned()
    }

    fn path(&self, path: &str) -> Result<String, UnreadableReport> {
        if let TargetPlace::Web(web) = self.input.output.target {
            return page(web.url(), path)
                .ok_or_else(|| malformed(format!("the report names {path:?}, which is no URL")));
        }
        self.inner(path).ok_or_else(|| {
            malformed(format!("the report names {path:?}, which is no path inside of the target"))
        })
    }

    fn inner(&self, path: &str) -> Option<String> {
        inner_path(path, self.input.output.root())
    }
}

/// `text` with the paths in it relative to the target.
pub(super) fn without_root<'t>(text: &'t str, root: &Path) -> Cow<'t, str> {
    match root.to_str() {
        Some(root) if !root.is_empty() && text.contains(root) => {
            Cow::Owned(text.replace(&format!("{root}/"), ""))
        }
        _ => Cow::Borrowed(text),
    }
}

/// The absolute URL of a page that the tool names by its path, or absolute.
fn page(of: &Url, path: &str) -> Option<String> {
    let url = of.join(path).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let text = String::from(url);
    (text.len() <= PATH_BYTES_MAX).then_some(text)
}

/// What a target sent back is the least to be trusted of all.
fn cleaned(exchange: Exchange) -> Exchange {
    let word = |text: String| clean_text(&text, WORD_BYTES_MAX);
    Exchange {
        method: word(exchange.method),
        param: exchange.param.map(word),
        attack: exchange.attack.map(word),
        evidence: exchange.evidence.map(word),
        confidence: exchange.confidence.map(word),
    }
}

/// A path relative to the target, from one that is absolute or already relative.
fn inner_path(path: &str, root: &Path) -> Option<String> {
    if path.len() > PATH_BYTES_MAX || path.contains('\0') {
        return None;
    }
    if path.starts_with('/') {
        return relative(path, root);
    }
    let path = path.trim_start_matches("./");
    let stays = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    stays.then(|| path.to_owned())
}

/// A region from numbers that count from 1; a line below 1 means that there is none.
pub(super) fn region(start: (Option<i64>, Option<i64>), end: (Option<i64>, Option<i64>)) -> Option<Region> {
    let start_line = from_one(start.0)?;
    let end_line = from_one(end.0).filter(|line| *line >= start_line);
    Some(Region {
        start_line,
        start_column: from_one(start.1),
        end_line,
        end_column: end_line.and(from_one(end.1)),
    })
}

fn from_one(number: Option<i64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number >= 1)
}

/// The number in `CWE-79`, `CWE-79: Cross-site Scripting` or `external/cwe/cwe-079`.
pub(super) fn cwe_number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (_, rest) = lower.split_once("cwe-")?;
    let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
