//! One run from command line to verdict: start the tool, read what it left, decide what that proves. No actor and no
//! state; [`super::run`] owns the run and tells the others.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::confine;
use super::snapshot::Snapshot;
use crate::actors::installer::{Installed, Program};
use crate::actors::process::{self, Captured, Command, How, MemoryLimit, Obstacle, Spill, Survey};
use crate::config::SandboxMode;
use crate::domain::deadline::Stages;
use crate::domain::finding::clean_text;
use crate::domain::fingerprint::{self, Stamped};
use crate::domain::outcome::{Coverage, FailureReason, Outcome};
use crate::domain::verdict::{Ending, Evidence, Report, UnreadableReport, Verdict, verdict};
use crate::tools::invocation::{InvocationError, Places, TargetPlace};
use crate::tools::manifest::{Manifest, Stream};
use crate::tools::parse::{self, Output};

/// Bytes of standard error kept with a failure: the cause is in the last lines, and an answer must stay readable.
const STDERR_TAIL_BYTES: usize = 2 * 1024;

/// Bytes of a report that is read, whatever a tool may write: a parser holds it whole and as much again as what it makes
/// of it, while other runs do the same.
const REPORT_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a log that is read beside a report: a line for each file of a large target.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Where runs find what they share; absolute paths under the data directory.
#[derive(Debug, Clone)]
pub struct Workplace {
    /// Parent of each run's own directory.
    pub runs: PathBuf,
    /// Our configuration of the tools, as materialised at start.
    pub tool_config: PathBuf,
    /// Our rules, as materialised at start.
    pub rules: PathBuf,
    /// Where tools are installed.
    pub tools: PathBuf,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Most bytes of one output stream of any tool.
    pub output_bytes: u64,
    /// Memory one run may take, where the kernel lets us hold it to that: all that runs may take together.
    pub memory_bytes: u64,
    /// The program that turns itself into the tool.
    pub shim: PathBuf,
    pub sandbox: SandboxMode,
    /// Shown to every tool, besides what it needs.
    pub readable: Vec<PathBuf>,
}

/// One tool on one snapshot.
#[derive(Debug, Clone)]
pub struct Order {
    pub manifest: Arc<Manifest>,
    pub snapshot: Arc<Snapshot>,
    /// The files that are the tool's business. Not empty.
    pub expected: BTreeSet<String>,
    /// Whether these are not all that the snapshot has for it.
    pub is_part: bool,
}

/// What came of an order.
#[derive(Debug)]
pub struct Executed {
    pub outcome: Outcome,
    pub coverage: Coverage,
    /// What may be believed; empty unless the outcome is findings.
    pub findings: Vec<Stamped>,
    /// Wall time of the process.
    pub elapsed: Duration,
}

impl Executed {
    /// Nothing can be said about the files expected.
    pub fn nothing_read(order: &Order, outcome: Outcome) -> Self {
        let expected = u32::try_from(order.expected.len()).unwrap_or(u32::MAX);
        let coverage = Coverage { expected, missed: expected, ..Coverage::default() };
        Self { outcome, coverage, findings: Vec::new(), elapsed: Duration::ZERO }
    }
}

/// A tool that is over, before anybody read its report.
#[derive(Debug)]
pub struct Finished {
    ending: Ending,
    /// `None` when nothing ran.
    output: Option<process::Ended>,
    report_file: Option<PathBuf>,
    elapsed: Duration,
    /// The run's directory; removed with it.
    scratch: Option<tempfile::TempDir>,
}

impl Finished {
    fn not_started(reason: FailureReason, detail: String, advice: Option<String>) -> Self {
        let ending = Ending::NotStarted { reason, detail, advice };
        Self { ending, output: None, report_file: None, elapsed: Duration::ZERO, scratch: None }
    }

    /// Wall time of the process.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// Runs the tool within its stages. Dropping the future kills it.
pub async fn run_tool(
    order: &Order,
    workplace: &Workplace,
    stages: Stages,
    cancel: CancellationToken,
) -> Finished {
    let manifest = &order.manifest;
    let program = match Installed::locate(manifest, &workplace.tools) {
        Ok(program) => program,
        // The text says what to do.
        Err(missing) => return Finished::not_started(FailureReason::ToolMissing, missing.to_string(), None),
    };
    let prepared = prepare(order, workplace, program, stages);
    let (command, report_file, scratch) = match prepared {
        Ok(prepared) => prepared,
        Err((reason, detail)) => return Finished::not_started(reason, detail, None),
    };
    let ended = process::run(command, cancel).await;
    if ended.stuck {
        tracing::error!(tool = %manifest.name, "a process of the tool survives SIGKILL: it hangs in the kernel");
    }
    let ending = ending(&ended, order, workplace, stages.run);
    let elapsed = ended.elapsed;
    Finished { ending, output: Some(ended), report_file, elapsed, scratch: Some(scratch) }
}

type Prepared = (Command, Option<PathBuf>, tempfile::TempDir);

fn prepare(
    order: &Order,
    workplace: &Workplace,
    program: Program,
    stages: Stages,
) -> Result<Prepared, (FailureReason, String)> {
    let manifest = &order.manifest;
    let ours = |detail: String| (FailureReason::SpawnFailed, detail);
    let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(&workplace.runs).map_err(|error| {
        ours(format!("cannot make a directory for the run in {}: {error}", workplace.runs.display()))
    })?;
    let work = scratch.path().join("work");
    std::fs::create_dir(&work).map_err(|error| ours(format!("cannot make {}: {error}", work.display())))?;
    let places = Places {
        target: TargetPlace::Tree(order.snapshot.root.to_owned()),
        work,
        tool_config: workplace.tool_config.clone(),
        rules: workplace.rules.clone(),
        install: program.root.clone(),
        bin_dirs: program.bin_dirs.clone(),
    };
    let environment = |name: &str| -> Option<OsString> { std::env::var_os(name) };
    let invocation = if order.is_part {
        let part = manifest.invocation_for_files(&places, &order.expected, environment);
        part.ok_or_else(|| ours(format!("{} cannot be run on a part of the files", manifest.name)))?
    } else {
        manifest.invocation(&places, &order.expected, environment)
    };
    let invocation = invocation.map_err(|error| match error {
        // Not the tool's doing: it would start on fewer.
        InvocationError::TooManyFiles { .. } => (FailureReason::TargetUnreadable, error.to_string()),
        InvocationError::NotAbsolute { .. }
        | InvocationError::Native { .. }
        | InvocationError::NoValue { .. } => ours(error.to_string()),
    })?;
    let sandbox = confine::sandbox(manifest, workplace, &program, &places);
    let mut command = Command::new(program.path, scratch.path());
    command.sandbox = sandbox;
    command.args = invocation.args;
    command.env = invocation.env;
    command.cwd = Some(invocation.cwd);
    command.shim = Some(workplace.shim.clone());
    command.limits.wall = stages.run;
    command.limits.grace = stages.grace;
    command.limits.output_bytes = manifest.limits.output_bytes.min(workplace.output_bytes);
    command.limits.memory_bytes = Some(workplace.memory_bytes);
    Ok((command, invocation.report, scratch))
}

fn ending(ended: &process::Ended, order: &Order, workplace: &Workplace, wall: Duration) -> Ending {
    let manifest = &order.manifest;
    match &ended.how {
        How::Exited(code) => Ending::Exited { code: *code, meaning: manifest.meaning(*code) },
        How::Signalled(_) if ended.memory_limit == MemoryLimit::Exceeded => {
            Ending::MemoryExceeded { limit_mib: workplace.memory_bytes >> 20 }
        }
        How::Signalled(signal) => Ending::Signalled { signal: *signal },
        How::TimedOut => Ending::TimedOut { after: wall },
        How::Flooded => Ending::Flooded { bytes: manifest.limits.output_bytes.min(workplace.output_bytes) },
        How::Cancelled => Ending::Cancelled,
        How::NotStarted { obstacle, detail } => {
            let (reason, advice) = match obstacle {
                Obstacle::Missing => {
                    let advice = format!("run `proctor tools install {}`", manifest.name);
                    (FailureReason::ToolMissing, Some(advice))
                }
                Obstacle::NoSandbox => (FailureReason::SpawnFailed, Some(Survey::advice().to_owned())),
                Obstacle::Other => (FailureReason::SpawnFailed, None),
            };
            Ending::NotStarted { reason, detail: detail.clone(), advice }
        }
    }
}

/// Reads the report and decides. Blocking and CPU-bound: call it where that is allowed.
pub fn judge(order: &Order, workplace: &Workplace, finished: Finished) -> Executed {
    let Finished { ending, output, report_file, elapsed, scratch } = finished;
    let stderr_tail = output.as_ref().map(|ended| tail(&ended.stderr)).unwrap_or_default();
    let report = match (&ending, output) {
        (Ending::Exited { code, .. }, Some(ended)) => {
            read_report(order, workplace, &ended, *code, report_file.as_deref())
        }
        // Every other ending makes no statement, so nobody looks at a report.
        _ => Ok(Report::default()),
    };
    drop(scratch);
    let expected = order.expected.clone();
    let Verdict { outcome, coverage, findings } = verdict(Evidence { expected, ending, report, stderr_tail });
    let findings = fingerprint::stamp(findings, |path| source(&order.snapshot, path));
    Executed { outcome, coverage, findings, elapsed }
}

/// A file of the snapshot. The path comes from a tool's report: one that the snapshot does not list is not opened.
fn source(snapshot: &Snapshot, path: &str) -> Option<Vec<u8>> {
    snapshot.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
    std::fs::read(snapshot.root.join(path)).ok()
}

fn read_report(
    order: &Order,
    workplace: &Workplace,
    ended: &process::Ended,
    exit_code: i32,
    report_file: Option<&Path>,
) -> Result<Report, UnreadableReport> {
    let limit = order.manifest.limits.output_bytes.min(REPORT_BYTES_MAX);
    let Some(source) = order.manifest.program().map(|program| &program.report) else {
        return Ok(Report::default());
    };
    let stdout = match source.from {
        Stream::Stdout => read_stream(&ended.stdout, "standard output", limit)?,
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
        &order.manifest,
        &Output {
            stdout: &stdout,
            stderr: &stderr,
            report_file: report.as_deref(),
            exit_code,
            target_root: &order.snapshot.root,
            tool_config: &workplace.tool_config,
            expected: &order.expected,
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
