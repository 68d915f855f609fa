//! The door of the parsers.

use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::verdict::{Report, UnreadableReport};
use crate::tools::manifest::Manifest;

/// All that a run of a tool left behind. The exit code is already known to let the report be believed.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// The whole stream, not its ends.
    pub stdout: &'a [u8],
    pub stderr: &'a [u8],
    /// The report file, if the manifest names one and it is there.
    pub report_file: Option<&'a [u8]>,
    pub exit_code: i32,
    /// The snapshot's root, as the tool was given it.
    pub target_root: &'a Path,
    /// As in [`crate::tools::invocation::Places`].
    pub tool_config: &'a Path,
    /// The files that are the tool's business.
    pub expected: &'a BTreeSet<String>,
}

/// Reads a tool's output.
///
/// # Errors
/// The report is empty, cut short, not of its format, or says that the tool did not do its work.
pub fn parse(manifest: &Manifest, output: &Output<'_>) -> Result<Report, UnreadableReport> {
    Err(UnreadableReport {
        reason: crate::domain::outcome::FailureReason::Internal,
        detail: format!("{} {}", manifest.name, output.exit_code),
    })
}
