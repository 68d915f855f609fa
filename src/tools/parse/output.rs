//! The door of the parsers: picks the report, refuses what is empty or too large, and calls the parser of its format.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::domain::outcome::FailureReason;
use crate::domain::target::Load;
use crate::domain::verdict::{Report, UnreadableReport};
use crate::tools::invocation::{TargetPlace, WebPlaces};
use crate::tools::manifest::{Format, Manifest, Stream};

use super::draft::{unreadable, without_root};
use super::{
    ab, bandit, detect_secrets, eslint, gitleaks, load, nmap, pip_audit, ruff, sarif, semgrep, vulture,
    wapiti,
};

/// All that a run of a tool left behind. The exit code is already known to let the report be believed.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// The whole stream, not its ends.
    pub stdout: &'a [u8],
    pub stderr: &'a [u8],
    /// The report file, if the manifest names one and it is there.
    pub report_file: Option<&'a [u8]>,
    pub exit_code: i32,
    /// The target, as the tool was given it.
    pub target: &'a TargetPlace,
    /// What a load test is held against.
    pub load: &'a Load,
    /// As in [`crate::tools::invocation::Places`].
    pub tool_config: &'a Path,
    /// The files that are the tool's business.
    pub expected: &'a BTreeSet<String>,
}

/// What a parser works with.
pub(super) struct Input<'a> {
    pub manifest: &'a Manifest,
    /// As in [`crate::tools::manifest::ReportSource`].
    pub canary: Option<&'a str>,
    pub report: &'a [u8],
    pub output: &'a Output<'a>,
}

impl Output<'_> {
    /// The snapshot's root; of what runs, no path at all, so that nothing lies below it.
    pub(super) fn root(&self) -> &Path {
        self.target.tree().unwrap_or(Path::new(""))
    }
}

impl Input<'_> {
    /// The planted file of a tool that names no file it read.
    pub(super) fn canary(&self) -> Option<PathBuf> {
        Some(self.output.tool_config.join(&self.manifest.name.0).join(self.canary?))
    }

    /// The running target. Manifests have no format of the other kind: a defect of ours otherwise.
    pub(super) fn web(&self) -> Result<&WebPlaces, UnreadableReport> {
        match self.output.target {
            TargetPlace::Web(web) => Ok(web),
            TargetPlace::Tree(_) => {
                let detail = "a report about a running target was read for a source tree";
                Err(unreadable(FailureReason::Internal, detail))
            }
        }
    }

    /// Standard output as text, where the report is a file; what is not UTF-8 is replaced.
    pub(super) fn stdout(&self) -> String {
        String::from_utf8_lossy(self.output.stdout).into_owned()
    }

    /// Standard error as text; what is not UTF-8 is replaced.
    pub(super) fn stderr(&self) -> String {
        String::from_utf8_lossy(self.output.stderr).into_owned()
    }
}

/// Reads a tool's output.
///
/// # Errors
/// The report is empty, too large, cut short, not of its format, or says that the tool did not do its work.
pub fn parse(manifest: &Manifest, output: &Output<'_>) -> Result<Report, UnreadableReport> {
    let Some(program) = manifest.program() else {
        return Err(unreadable(FailureReason::Internal, format!("{} writes no report", manifest.name)));
    };
    let report = match program.report.from {
        Stream::Stdout => Some(output.stdout),
        Stream::Stderr => Some(output.stderr),
        Stream::File => output.report_file,
    };
    let canary = program.report.canary.as_deref();
    let input = Input { manifest, canary, report: report.unwrap_or_default(), output };
    refuse_too_large(&input)?;
    let parser = match program.report.format {
        Format::Sarif => sarif::parse,
        Format::Bandit => bandit::parse,
        Format::DetectSecrets => detect_secrets::parse,
        Format::Eslint => eslint::parse,
        Format::Gitleaks => gitleaks::parse,
        Format::PipAudit => pip_audit::parse,
        Format::Ruff => ruff::parse,
        Format::Semgrep => semgrep::parse,
        Format::Vulture => vulture::parse,
        Format::Ab => ab::parse,
        Format::Load => load::parse,
        Format::Nmap => nmap::parse,
        Format::Wapiti => wapiti::parse,
    };
    parser(&input).map_err(|error| UnreadableReport {
        detail: without_root(&error.detail, output.root()).into_owned(),
        ..error
    })
}

fn refuse_too_large(input: &Input<'_>) -> Result<(), UnreadableReport> {
    let max = input.manifest.limits.output_bytes;
    let largest = input.report.len().max(input.output.stderr.len());
    if u64::try_from(largest).is_ok_and(|bytes| bytes <= max) {
        return Ok(());
    }
    let detail = format!("the output has {largest} bytes, more than the limit of {max}");
    Err(unreadable(FailureReason::OutputFlood, detail))
}
