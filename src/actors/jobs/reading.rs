//! What a call of a program left, read and judged.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::execute::{Call, Executed, Finished, Order, Workplace};
use super::snapshot::Snapshot;
use crate::actors::process::{self, Captured, Spill};
use crate::domain::finding::clean_text;
use crate::domain::fingerprint;
use crate::domain::outcome::FailureReason;
use crate::domain::target::Load;
use crate::domain::verdict::{Ending, Evidence, Report, UnreadableReport, Verdict, verdict};
use crate::tools::manifest::Stream;
use crate::tools::parse::{self, Output};

/// Bytes of standard error kept with a failure: the cause is in the last lines, and an answer must stay readable.
const STDERR_TAIL_BYTES: usize = 2 * 1024;
/// Bytes of a report that is read, whatever a tool may write: a parser holds it whole and as much again as what it makes
/// of it, while other runs do the same.
const REPORT_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a log that is read beside a report: a line for each file of a large target.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Reads the report of a call on files and decides. Blocking and CPU-bound: call it where that is allowed.
pub fn judge(order: &Order, workplace: &Workplace, finished: Finished) -> Executed {
    let Left { ending, report, stderr_tail } = read(&order.call(), &Load::default(), workplace, &finished);
    let expected = order.expected.clone();
    let Verdict { outcome, coverage, findings } = verdict(Evidence { expected, ending, report, stderr_tail });
    let findings = fingerprint::stamp(findings, |path| source(&order.snapshot, path));
    Executed { outcome, coverage, findings, elapsed: finished.elapsed() }
}

/// What a call left, read.
pub(super) struct Left {
    pub ending: Ending,
    pub report: Result<Report, UnreadableReport>,
    pub stderr_tail: String,
}

/// Reads what a call left. Blocking and CPU-bound, as [`judge`].
pub(super) fn read(call: &Call<'_>, load: &Load, workplace: &Workplace, finished: &Finished) -> Left {
    let Finished { ending, output, report_file, .. } = finished;
    let report = match (ending, output) {
        (Ending::Exited { code, .. }, Some(ended)) => {
            let output = Raw { ended, exit_code: *code, report_file: report_file.as_deref() };
            read_report(call, load, workplace, &output)
        }
        // Every other ending makes no statement, so nobody looks at a report.
        _ => Ok(Report::default()),
    };
    let stderr_tail = output.as_ref().map(|ended| tail(&ended.stderr)).unwrap_or_default();
    Left { ending: ending.clone(), report, stderr_tail }
}

struct Raw<'a> {
    ended: &'a process::Ended,
    exit_code: i32,
    report_file: Option<&'a Path>,
}

/// A file of the snapshot. The path comes from a tool's report: one that the snapshot does not list is not opened.
fn source(snapshot: &Snapshot, path: &str) -> Option<Vec<u8>> {
    snapshot.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
    std::fs::read(snapshot.root.join(path)).ok()
}

fn read_report(
    call: &Call<'_>,
    load: &Load,
    workplace: &Workplace,
    raw: &Raw<'_>,
) -> Result<Report, UnreadableReport> {
    let Raw { ended, exit_code, report_file } = *raw;
    let limit = call.manifest.limits.output_bytes.min(REPORT_BYTES_MAX);
    let Some(source) = call.manifest.program().map(|program| &program.report) else {
        return Ok(Report::default());
    };
    let stdout = match source.from {
        Stream::Stdout => read_stream(&ended.stdout, "standard output", limit)?,
        Stream::File if source.format.reads_stdout() => {
            read_stream(&ended.stdout, "standard output", limit.min(LOG_BYTES_MAX))?
        }
        Stream::Stderr | Stream::File => Vec::new(),
    };
    let stderr = match source.from {
        Stream::Stderr => read_stream(&ended.stderr, "standard error", limit)?,
        // It says which files were not read: a part of it would make them look as if they were.
        Stream::Stdout | Stream::File if source.format.reads_log() => {
            read_stream(&ended.stderr, "standard error", limit.min(LOG_BYTES_MAX))?
        }
        // For people, of whom the end is enough.
        Stream::Stdout | Stream::File => ended.stderr.tail.clone(),
    };
    let report_file = report_file.filter(|path| path.exists());
    let report = report_file
        .map(|path| read_bounded(path, limit).map_err(|error| unreadable("the report file", &error)))
        .transpose()?;
    parse::parse(
        call.manifest,
        &Output {
            stdout: &stdout,
            stderr: &stderr,
            report_file: report.as_deref(),
            exit_code,
            target: &call.target,
            load,
            tool_config: &workplace.tool_config,
            expected: call.files,
        },
    )
}

fn read_stream(captured: &Captured, name: &str, limit: u64) -> Result<Vec<u8>, UnreadableReport> {
    match &captured.spill {
        Spill::Whole => read_bounded(&captured.path, limit).map_err(|error| unreadable(name, &error)),
        Spill::OverQuota => Err(unreadable(name, &io::Error::other("it is longer than its quota"))),
        Spill::Broken(detail) => Err(unreadable(name, &io::Error::other(detail.clone()))),
    }
}

/// Looks at the length first: what is too large costs no memory.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length <= limit {
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if length.max(bytes.len() as u64) > limit {
        return Err(io::Error::other(format!("it has {length} bytes, more than the {limit} that are read")));
    }
    Ok(bytes)
}

fn unreadable(what: &str, error: &io::Error) -> UnreadableReport {
    let detail = format!("cannot read {what} of the tool: {error}");
    UnreadableReport { reason: FailureReason::UnreadableReport, detail }
}

fn tail(stderr: &Captured) -> String {
    let text = String::from_utf8_lossy(&stderr.tail);
    let mut start = text.len().saturating_sub(STDERR_TAIL_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let lines = text[start..].trim().lines().map(|line| clean_text(line, STDERR_TAIL_BYTES));
    lines.collect::<Vec<_>>().join("\n")
}
