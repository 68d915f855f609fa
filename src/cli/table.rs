//! Tables of a job's result. Pure: a width goes in, and no line comes out wider.
//!
//! Findings are cut to one line each, since a list is scanned by eye; failures wrap, since they are read.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use console::measure_text_width;

use super::terminal::Terminal;
use super::text::{count, cut_end, cut_start, duration};
use crate::domain::finding::clean_text;
use crate::protocol::api::{CoverageAnswer, FindingAnswer, RunAnswer, SeverityWord};

/// Columns between two columns.
pub const GAP: u16 = 2;
/// The longest severity word.
const SEVERITY_WIDTH: usize = 8;
/// A message longer than this is cut before it is measured: no terminal is wider.
const TEXT_BYTES_MAX: usize = 2 * 1024;
/// Unread files named per tool; the rest is in the answer of `--format json`.
const GAPS_SHOWN_MAX: usize = 3;

/// How a table is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns of the terminal.
    pub width: u16,
    pub color: bool,
}

impl Style {
    pub const fn of(terminal: Terminal) -> Self {
        Self { width: terminal.width, color: terminal.color }
    }

    /// An empty table without lines: columns are told apart by blank space.
    pub fn table(self, headers: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        match self.color {
            true => table.enforce_styling(),
            false => table.force_no_tty(),
        };
        let header = |name: &&str| Cell::new(name).add_attribute(Attribute::Dim);
        table.set_header(headers.iter().map(header));
        table
    }
}

/// Columns end with a gap and lines do not.
pub fn finish(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.trim_fmt()
}

/// Worst first, then by place.
pub fn sort(findings: &mut [FindingAnswer]) {
    findings.sort_by(|one, other| {
        let key = |finding: &FindingAnswer| (Reverse(finding.severity), finding.line);
        let (severity, line) = key(one);
        let (other_severity, other_line) = key(other);
        severity
            .cmp(&other_severity)
            .then_with(|| one.path.cmp(&other.path))
            .then(line.cmp(&other_line))
            .then_with(|| (&one.tool, &one.rule).cmp(&(&other.tool, &other.rule)))
    });
}

/// One line per finding, in the order given; what is the same on many pages of what runs is one line that counts them.
pub fn findings(findings: &[FindingAnswer], style: Style) -> String {
    let told = grouped(findings);
    let rows: Vec<[String; 3]> = told
        .iter()
        .map(|(finding, others)| [spread(place(finding), *others), rule(finding), message(finding)])
        .collect();
    let widths = share(&rows, style.width);
    let mut table = style.table(&["SEVERITY", "WHERE", "RULE", "MESSAGE"]);
    for ((finding, _), [place, rule, message]) in told.iter().zip(&rows) {
        table.add_row([
            severity(finding.severity),
            Cell::new(cut_start(place, widths[0])),
            Cell::new(cut_end(rule, widths[1])),
            Cell::new(cut_end(message, widths[2])),
        ]);
    }
    finish(table)
}

/// Each finding with the number of those that it stands for: same tool, rule, severity and parameter, on other pages. A header
/// that is missing is missing everywhere. Two stay two: a line saved is not worth a page unsaid.
fn grouped(findings: &[FindingAnswer]) -> Vec<(&FindingAnswer, usize)> {
    let mut sizes: BTreeMap<_, usize> = BTreeMap::new();
    findings.iter().filter_map(kind).for_each(|kind| *sizes.entry(kind).or_default() += 1);
    let mut told = Vec::new();
    for finding in findings {
        let size = kind(finding).and_then(|kind| sizes.get_mut(&kind));
        match size {
            None | Some(1 | 2) => told.push((finding, 0)),
            Some(0) => {}
            Some(size) => told.push((finding, std::mem::take(size) - 1)),
        }
    }
    told
}

/// What makes findings on several pages one; `None` for those in files, and for what was attacked: each such place is a hole of
/// its own.
fn kind(finding: &FindingAnswer) -> Option<(&str, &str, SeverityWord, Option<&str>)> {
    let web = finding.web.as_ref().filter(|web| web.attack.as_ref().is_none_or(String::is_empty))?;
    Some((&finding.tool, &finding.rule, finding.severity, web.param.as_deref()))
}

fn spread(place: String, others: usize) -> String {
    if others == 0 { place } else { format!("{place} and {others} more") }
}

/// Columns for place, rule and message: the first two get what they need up to a share, the message gets the rest.
fn share(rows: &[[String; 3]], width: u16) -> [usize; 3] {
    let gaps = usize::from(3 * GAP);
    let room = usize::from(width).saturating_sub(SEVERITY_WIDTH + gaps);
    let longest = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let place = longest(0).max("WHERE".len()).min(room * 2 / 5);
    let rule = longest(1).max("RULE".len()).min((room - place) * 9 / 20);
    [place, rule, room - place - rule]
}

/// On what runs: the request without the host, which is the same for all, and without the values of its query, which are
/// what was tried.
fn place(finding: &FindingAnswer) -> String {
    let path = clean_text(&finding.path, TEXT_BYTES_MAX);
    if let Some(web) = &finding.web {
        let local =
            path.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
        let local = local.unwrap_or_else(|| "/".to_owned());
        let page = local.split('?').next().unwrap_or_default();
        let param = web.param.as_deref().filter(|param| !param.is_empty());
        let param = param.map(|param| format!(" [{}]", clean(param))).unwrap_or_default();
        return format!("{} {page}{param}", clean(&web.method));
    }
    finding.line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"))
}

fn rule(finding: &FindingAnswer) -> String {
    clean_text(&format!("{} {}", finding.tool, finding.rule), TEXT_BYTES_MAX)
}

fn message(finding: &FindingAnswer) -> String {
    clean_text(&finding.message, TEXT_BYTES_MAX)
}

fn severity(word: SeverityWord) -> Cell {
    match word {
        SeverityWord::Critical => Cell::new("critical").fg(Color::Red).add_attribute(Attribute::Bold),
        SeverityWord::High => Cell::new("high").fg(Color::Red),
        SeverityWord::Medium => Cell::new("medium").fg(Color::Yellow),
        SeverityWord::Low => Cell::new("low").fg(Color::Blue),
        SeverityWord::Info => Cell::new("info").add_attribute(Attribute::Dim),
    }
}

/// One line per tool: how it ended, what it found, how much it read, how long it took.
pub fn runs(runs: &[RunAnswer], style: Style) -> String {
    let mut table = style.table(&["TOOL", "STATE", "FINDINGS", "READ", "TIME"]);
    for run in runs {
        let looked = matches!(run.state.as_str(), "findings" | "clean");
        table.add_row([
            Cell::new(cut_end(&run.tool, 20)),
            state(run),
            Cell::new(if looked { run.findings.to_string() } else { "-".to_owned() }),
            Cell::new(run.coverage.as_ref().filter(|_| looked).map_or_else(|| "-".to_owned(), share_read)),
            Cell::new(duration(Duration::from_millis(run.elapsed_ms))),
        ]);
    }
    finish(table)
}

fn state(run: &RunAnswer) -> Cell {
    match run.state.as_str() {
        "failed" => Cell::new("failed").fg(Color::Red),
        "clean" | "findings" if run.degraded => {
            Cell::new(format!("{}, in part", run.state)).fg(Color::Yellow)
        }
        "clean" => Cell::new("clean").fg(Color::Green),
        "not_applicable" => Cell::new("not applicable").add_attribute(Attribute::Dim),
        other => Cell::new(other),
    }
}

fn share_read(coverage: &CoverageAnswer) -> String {
    match coverage.requests {
        None => format!("{} of {}", coverage.examined, coverage.expected),
        // What was not read of them is in the remarks: there is no list of all URLs that it could be a part of.
        Some(_) => count(coverage.examined, "URL"),
    }
}

/// What is read of a target.
const fn unit(coverage: &CoverageAnswer) -> &'static str {
    if coverage.requests.is_some() { "URL" } else { "file" }
}

/// What keeps the result from being whole, per tool: reason, the tool's last words, advice, unread files. Empty when
/// nothing does.
pub fn remarks(runs: &[RunAnswer], left_out: Option<&CoverageAnswer>, style: Style) -> String {
    let mut remarks: Vec<(&str, String)> = runs.iter().flat_map(of_run).collect();
    remarks.extend(left_out.filter(|it| it.missed > 0).map(|it| ("all", unread("shown to no tool", it))));
    if remarks.is_empty() {
        return String::new();
    }
    let mut table = style.table(&["TOOL", "REMARK"]);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(style.width);
    for (tool, text) in remarks {
        table.add_row([cut_end(tool, 20), text]);
    }
    finish(table)
}

fn of_run(run: &RunAnswer) -> Vec<(&str, String)> {
    let mut said = Vec::new();
    if let Some(failure) = &run.failure {
        said.push(format!("{}: {}", failure.reason, clean(&failure.detail)));
        let last_words = failure.stderr_tail.lines().rfind(|line| !line.trim().is_empty());
        said.extend(last_words.map(|words| format!("it said: {}", clean(words.trim()))));
        let advice = failure.advice.as_ref().filter(|advice| !failure.detail.contains(*advice));
        said.extend(advice.map(|advice| clean(advice)));
    } else if let Some(coverage) = run.coverage.as_ref().filter(|_| run.degraded) {
        // That a failed run read nothing is said by its failure.
        if coverage.missed > 0 {
            said.push(unread("not read", coverage));
        }
        said.extend(coverage.degraded.iter().map(|degraded| clean(degraded)));
    }
    said.extend(run.why.as_ref().map(|why| clean(why)));
    // The name stands once, before the first line.
    let names = std::iter::once(run.tool.as_str()).chain(std::iter::repeat(""));
    names.zip(said).collect()
}

fn unread(what: &str, coverage: &CoverageAnswer) -> String {
    let named = coverage.gaps.iter().take(GAPS_SHOWN_MAX);
    let named: Vec<_> = named.map(|gap| format!("{} ({})", clean(&gap.path), clean(&gap.why))).collect();
    let more = coverage.missed as usize - named.len().min(coverage.missed as usize);
    let tail = match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", named.join(", ")),
        (false, more) => format!(": {} and {more} more", named.join(", ")),
    };
    format!("{} {what}{tail}", count(coverage.missed, unit(coverage)))
}

fn clean(text: &str) -> String {
    clean_text(text, TEXT_BYTES_MAX)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
