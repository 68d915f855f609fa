//! One call of a program, from command line to end. No actor and no state; [`super::run`] owns the run and tells the others,
//! [`super::reading`] reads what the program left.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::confine;
use super::contain::{self, Containers, Unrun};
use super::snapshot::Snapshot;
use crate::actors::installer::{Installed, Program};
use crate::actors::process::{self, Command, How, MemoryLimit, Obstacle, Survey};
use crate::config::SandboxMode;
use crate::domain::container::Owner;
use crate::domain::deadline::Stages;
use crate::domain::fingerprint::Stamped;
use crate::domain::outcome::{Coverage, FailureReason, Outcome};
use crate::domain::verdict::Ending;
use crate::tools::invocation::{InvocationError, Places, TargetPlace};
use crate::tools::manifest::Manifest;

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
    /// For tools that bring an image.
    pub containers: Containers,
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

/// One call of a program.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    pub manifest: &'a Arc<Manifest>,
    pub target: TargetPlace,
    /// The files that are its business; empty for what runs.
    pub files: &'a BTreeSet<String>,
    /// As in [`Order`].
    pub is_part: bool,
}

impl Order {
    pub fn call(&self) -> Call<'_> {
        Call {
            manifest: &self.manifest,
            target: TargetPlace::Tree(self.snapshot.root.to_owned()),
            files: &self.expected,
            is_part: self.is_part,
        }
    }
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
    /// Nothing was done.
    pub fn nothing(outcome: Outcome) -> Self {
        Self { outcome, coverage: Coverage::default(), findings: Vec::new(), elapsed: Duration::ZERO }
    }

    /// Nothing can be said about the files expected.
    pub fn nothing_read(order: &Order, outcome: Outcome) -> Self {
        let expected = u32::try_from(order.expected.len()).unwrap_or(u32::MAX);
        let coverage = Coverage { expected, missed: expected, ..Coverage::default() };
        Self { coverage, ..Self::nothing(outcome) }
    }
}

/// A tool that is over, before anybody read its report.
#[derive(Debug)]
pub struct Finished {
    pub(super) ending: Ending,
    /// `None` when nothing ran.
    pub(super) output: Option<process::Ended>,
    pub(super) report_file: Option<PathBuf>,
    elapsed: Duration,
    /// The run's directory; removed with it.
    _scratch: Option<tempfile::TempDir>,
}

impl Finished {
    fn not_started(reason: FailureReason, detail: String, advice: Option<String>) -> Self {
        let ending = Ending::NotStarted { reason, detail, advice };
        Self { ending, output: None, report_file: None, elapsed: Duration::ZERO, _scratch: None }
    }

    /// Wall time of the process.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// Runs the tool within its stages, for `owner`. Dropping the future kills it.
pub async fn run_tool(
    call: &Call<'_>,
    workplace: &Workplace,
    stages: Stages,
    owner: Owner,
    cancel: CancellationToken,
) -> Finished {
    let manifest = call.manifest;
    let program = match Installed::locate(manifest, &workplace.tools) {
        Ok(program) => program,
        // The text says what to do.
        Err(missing) => return Finished::not_started(FailureReason::ToolMissing, missing.to_string(), None),
    };
    let prepared = prepare(call, workplace, program, stages);
    let (command, report_file, scratch) = match prepared {
        Ok(prepared) => prepared,
        Err((reason, detail)) => return Finished::not_started(reason, detail, None),
    };
    let ended = match manifest.image() {
        None => process::run(command, cancel).await,
        Some(image) => match contain::run(call, image, command, workplace, owner, cancel).await {
            Ok(ended) => ended,
            Err(Unrun { reason, detail }) => return Finished::not_started(reason, detail, None),
        },
    };
    if ended.stuck {
        tracing::error!(tool = %manifest.name, "a process of the tool survives SIGKILL: it hangs in the kernel");
    }
    let ending = ending(&ended, manifest, workplace, stages.run);
    let elapsed = ended.elapsed;
    Finished { ending, output: Some(ended), report_file, elapsed, _scratch: Some(scratch) }
}

type Prepared = (Command, Option<PathBuf>, tempfile::TempDir);

fn prepare(
    call: &Call<'_>,
    workplace: &Workplace,
    program: Program,
    stages: Stages,
) -> Result<Prepared, (FailureReason, String)> {
    let manifest = call.manifest;
    let ours = |detail: String| (FailureReason::SpawnFailed, detail);
    let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(&workplace.runs).map_err(|error| {
        ours(format!("cannot make a directory for the run in {}: {error}", workplace.runs.display()))
    })?;
    let work = scratch.path().join("work");
    std::fs::create_dir(&work).map_err(|error| ours(format!("cannot make {}: {error}", work.display())))?;
    let places = Places {
        target: call.target.clone(),
        work,
        tool_config: workplace.tool_config.clone(),
        rules: workplace.rules.clone(),
        install: program.root.clone(),
        bin_dirs: program.bin_dirs.clone(),
    };
    let environment = |name: &str| -> Option<OsString> { std::env::var_os(name) };
    let invocation = if call.is_part {
        let part = manifest.invocation_for_files(&places, call.files, environment);
        part.ok_or_else(|| ours(format!("{} cannot be run on a part of the files", manifest.name)))?
    } else {
        manifest.invocation(&places, call.files, environment)
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

fn ending(ended: &process::Ended, manifest: &Manifest, workplace: &Workplace, wall: Duration) -> Ending {
    match &ended.how {
        How::Exited(code) => Ending::Exited { code: *code, meaning: manifest.meaning(*code) },
        How::Signalled(_) if ended.memory_limit == MemoryLimit::Exceeded => {
            Ending::MemoryExceeded { limit_mib: workplace.memory_bytes >> 20 }
        }
        How::Signalled(signal) => Ending::Signalled { signal: *signal },
        How::TimedOut => Ending::TimedOut { after: wall },
        How::Flooded => Ending::Flooded { bytes: manifest.limits.output_bytes.min(workplace.output_bytes) },
        How::Filled => Ending::DiskExceeded { limit_mib: workplace.containers.images.disk_mib },
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
