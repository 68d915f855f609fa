//! pip-audit's JSON. It lists packages, not files, and calls a package that its service does not know "skipped" while
//! it says that there are no known vulnerabilities. So the requirement files are read here, too: a file counts as
//! examined when every requirement in it was audited, and a vulnerability is placed on the lines that ask for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

use serde::Deserialize;

use crate::domain::outcome::FailureReason;
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, json, last_line, region, unreadable};
use super::output::Input;

/// Largest requirement file read, in bytes; a real one with hashes for 500 packages has 200 KiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Words of the standard error of a run that could not reach its service.
const UNREACHABLE: [&str; 4] = ["ConnectionError", "Max retries exceeded", "ReadTimeout", "ServiceError"];

#[derive(Deserialize)]
struct Document {
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
    vulns: Option<Vec<Vulnerability>>,
    skip_reason: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    #[serde(default)]
    fix_versions: Vec<String>,
    #[serde(default)]
    description: String,
}

/// A requirement line of a file of the target.
struct Requirement {
    path: String,
    line: i64,
    /// Normalised; `None` for a line that asks for something that has no name and pin.
    package: Option<String>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let log = input.stderr();
    if input.report.trim_ascii().is_empty() && UNREACHABLE.iter().any(|word| log.contains(word)) {
        let detail = format!("pip-audit could not reach its advisory service: {}", last_line(&log));
        return Err(unreadable(FailureReason::ServiceUnavailable, detail));
    }
    let document: Document = json(input)?;
    refuse_all_skipped(&document)?;
    let audited: BTreeMap<String, &Dependency> = document
        .dependencies
        .iter()
        .filter(|dependency| dependency.skip_reason.is_none() && dependency.vulns.is_some())
        .map(|dependency| (normal(&dependency.name), dependency))
        .collect();
    let requirements = requirements(input);
    let mut builder = Builder::new(input);
    let mut unplaced: BTreeSet<&str> = audited.keys().map(String::as_str).collect();
    for requirement in &requirements {
        let found = requirement.package.as_ref().and_then(|package| audited.get_key_value(package));
        match found {
            Some((package, dependency)) => {
                unplaced.remove(package.as_str());
                vulnerabilities(&mut builder, dependency, requirement)?;
            }
            None => builder.gap(&requirement.path, &not_audited(requirement, &document)),
        }
    }
    place_the_rest(&mut builder, input, &audited, &unplaced)?;
    Ok(builder.files(input.output.expected.iter().map(String::as_str)))
}

fn refuse_all_skipped(document: &Document) -> Result<(), UnreadableReport> {
    let skipped = |dependency: &Dependency| dependency.vulns.is_none() || dependency.skip_reason.is_some();
    let Some(first) = document.dependencies.first() else {
        return Ok(());
    };
    if !document.dependencies.iter().all(skipped) {
        return Ok(());
    }
    let reason = first.skip_reason.as_deref().unwrap_or("no reason given");
    let detail = format!(
        "none of {} packages could be audited, for the first because: {reason}",
        document.dependencies.len()
    );
    // The service answered. That it knows none of them may be the target's doing.
    Err(unreadable(FailureReason::NoProofOfWork, detail))
}

fn vulnerabilities(
    builder: &mut Builder<'_>,
    dependency: &Dependency,
    requirement: &Requirement,
) -> Result<(), UnreadableReport> {
    for vulnerability in dependency.vulns.iter().flatten() {
        let version = dependency.version.as_deref().unwrap_or("?");
        let fixed = match vulnerability.fix_versions.as_slice() {
            [] => "no fixed version is known".to_owned(),
            versions => format!("fixed in {}", versions.join(", ")),
        };
        let message = format!("{} {version}: {} ({fixed})", dependency.name, vulnerability.description);
        builder.finding(Draft {
            rule: &vulnerability.id,
            message: &message,
            path: &requirement.path,
            region: region((Some(requirement.line), None), (None, None)),
            ..Draft::default()
        })?;
    }
    Ok(())
}

fn not_audited(requirement: &Requirement, document: &Document) -> String {
    let line = requirement.line;
    let Some(package) = &requirement.package else {
        return format!("line {line} asks for something without a name and an exact version");
    };
    let dependency = document.dependencies.iter().find(|it| normal(&it.name) == *package);
    let why = dependency.and_then(|it| it.skip_reason.as_deref()).unwrap_or("it is not in the report");
    format!("{package} (line {line}) was not audited: {why}")
}

/// What was audited and stands on no line of ours (it came in by another file's `-r`) is a finding of the first file:
/// none is lost.
fn place_the_rest(
    builder: &mut Builder<'_>,
    input: &Input<'_>,
    audited: &BTreeMap<String, &Dependency>,
    unplaced: &BTreeSet<&str>,
) -> Result<(), UnreadableReport> {
    let Some(path) = input.output.expected.first() else {
        return Ok(());
    };
    for dependency in unplaced.iter().filter_map(|package| audited.get(*package)) {
        let place = Requirement { path: path.clone(), line: 0, package: None };
        vulnerabilities(builder, dependency, &place)?;
    }
    Ok(())
}

fn requirements(input: &Input<'_>) -> Vec<Requirement> {
    let mut requirements = Vec::new();
    for path in input.output.expected {
        let mut text = String::new();
        let file = File::open(input.output.root().join(path));
        let read = file.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
        if read.is_err() {
            text = "?".to_owned(); // Not a requirement: the file becomes a gap.
        }
        for (line, text) in (1_i64..).zip(text.lines()) {
            if let Some(package) = requirement(text) {
                requirements.push(Requirement { path: path.clone(), line, package });
            }
        }
    }
    requirements
}

/// `None`: the line asks for nothing. `Some(None)`: it asks for something without a name and an exact version.
fn requirement(line: &str) -> Option<Option<String>> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    let asks = !line.is_empty() && !line.starts_with('#') && !line.starts_with("--");
    let continues = line.starts_with("-r ") || line.starts_with("-c ");
    if !asks || continues {
        return None;
    }
    let name = line.split_once("==").map(|(name, _)| name.split('[').next().unwrap_or(name).trim());
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    Some(name.filter(is_name).filter(|name| !name.starts_with('-')).map(normal))
}

/// PEP 503: case and runs of `-`, `_`, `.` do not matter.
fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
#[path = "pip_audit_tests.rs"]
mod tests;
