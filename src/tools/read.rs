//! From TOML to a [`Manifest`], with every error at once. `catalogue/bandit.toml` shows each key with its reason.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use toml::{Table, Value};

use super::catalogue::ManifestError;
use super::manifest::{
    Applies, Argument, ByRule, Cwd, Format, Install, InstallKind, Limits, Manifest, Part, Place,
    ReportSource, Run, SeverityMap, Stream, Template, Version, Weights,
};
use super::reader::{Errors, Reader, as_bool, as_count, as_list, as_text, as_word, wrong};
use crate::domain::ids::ToolName;
use crate::domain::outcome::FailureReason;
use crate::domain::severity::Severity;
use crate::domain::verdict::ExitMeaning;

/// Longest wall limit of a run, in seconds: a day, what a job may take at most.
const WALL_S_MAX: u32 = 86_400;
/// Largest output of a run, in MiB: beyond it no report is read into memory.
const OUTPUT_MIB_MAX: u32 = 1024;
/// Most cores and memory (MiB) a run may be said to need.
const CPU_MAX: u32 = 64;
const MEMORY_MB_MAX: u32 = 1024 * 1024;

/// Reads one manifest.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn manifest(file: &str, text: &str) -> Result<Manifest, Vec<ManifestError>> {
    let errors = Errors::new(file);
    let manifest = match text.parse::<Table>() {
        Ok(table) => whole(Reader::new(&table, &errors)),
        Err(error) => {
            errors.report("-", format!("not TOML: {}", error.to_string().trim_end()));
            None
        }
    };
    let found = errors.into_found();
    match manifest {
        Some(manifest) if found.is_empty() => Ok(manifest),
        _ => Err(found),
    }
}

fn whole(root: Reader<'_>) -> Option<Manifest> {
    let name = root.required("name", as_name);
    let summary = root.required("summary", as_text);
    let network = root.required("network", as_bool);
    let version = version(root.table("version"));
    let applies = applies(root.table("applies"));
    let run = run(root.table("run"));
    let report = report(root.table("report"));
    let exits = exits(root.table("exit"));
    let limits = limits(root.table("limits"));
    let weights = weights(root.table("weights"));
    let severity = severity(root.table("severity"));
    let cwe = root.maybe_table("cwe").map(cwe).unwrap_or_default();
    let install = root.maybe_table("install").map(install);
    let brought = run.as_ref().is_some_and(|run| run.program.is_some());
    if brought == install.is_some() {
        root.report("install", "exactly one of [install] and run.program says where the program is");
    }
    root.finish();
    let manifest = Manifest {
        name: ToolName(name?),
        summary: summary?,
        network: network?,
        version: version?,
        applies: applies?,
        run: run?,
        report: report?,
        exits,
        limits: limits?,
        weights: weights?,
        severity: severity?,
        cwe,
        install: match install {
            None => None,
            Some(install) => Some(install?),
        },
    };
    Some(manifest)
}

fn version(table: Reader<'_>) -> Option<Version> {
    let pinned = table.required("pinned", as_text);
    let args = table.required("args", as_list(as_text));
    let after = table.maybe("after", as_text).unwrap_or_default();
    table.finish();
    Some(Version { pinned: pinned?, args: args?, after })
}

fn applies(table: Reader<'_>) -> Option<Applies> {
    let files = table.required("files", as_list(as_text));
    let except = table.maybe("except", as_list(as_text)).unwrap_or_default();
    let leave_out = table.maybe("leave_out", as_list(as_file_glob)).unwrap_or_default();
    let files_set = files.as_deref().and_then(|globs| glob_set(&table, "files", globs));
    let except_set = glob_set(&table, "except", &except);
    table.finish();
    Some(Applies { files: files?, except, leave_out, files_set: files_set?, except_set: except_set? })
}

fn glob_set(table: &Reader<'_>, key: &str, globs: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(glob) => {
                set.add(glob);
            }
            Err(error) => table.report(key, error.to_string()),
        }
    }
    set.build().map_err(|error| table.report(key, error.to_string())).ok()
}

fn run(table: Reader<'_>) -> Option<Run> {
    let program = table.maybe("program", as_program);
    let call_per_file = table.maybe("call_per_file", as_bool).unwrap_or(false);
    let args = table.required("args", as_list(as_argument));
    let args_for_files = table.maybe("args_for_files", as_list(as_argument));
    let across_files = table.maybe("across_files", as_bool).unwrap_or(false);
    let cwd = table.required(
        "cwd",
        as_word(&[("neutral", Cwd::Neutral), ("target", Cwd::Target), ("rules", Cwd::Rules)]),
    );
    let pass_env = table.maybe("pass_env", as_list(as_text)).unwrap_or_default();
    let mut env = BTreeMap::new();
    if let Some(table) = table.maybe_table("env") {
        let entries = table.entries(|value| template(value, &[Place::File, Place::Report]));
        env.extend(entries.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    table.finish();
    Some(Run { program, call_per_file, args: args?, args_for_files, across_files, cwd: cwd?, pass_env, env })
}

fn as_argument(value: &Value) -> Result<Argument, String> {
    match value {
        Value::Array(_) => as_list(|value| template(value, &[Place::Report]))(value).map(Argument::PerFile),
        _ => template(value, &[Place::File]).map(Argument::One),
    }
}

/// Text with `{place}`s; braces mean nothing else.
fn template(value: &Value, refused: &[Place]) -> Result<Template, String> {
    let Some(mut rest) = value.as_str() else {
        return Err(wrong("text", value));
    };
    let mut parts = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or("an opening brace is not closed")?;
        let place = Place::ALL.into_iter().find(|place| place.word() == word);
        let place = place
            .ok_or_else(|| format!("{{{word}}} is none of {}", Place::ALL.map(Place::word).join(", ")))?;
        if refused.contains(&place) {
            return Err(format!("{{{word}}} has no value here"));
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Place(place));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(Template(parts))
}

fn report(table: Reader<'_>) -> Option<ReportSource> {
    let streams = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr), ("file", Stream::File)];
    let from = table.required("from", as_word(&streams));
    let formats = Format::ALL.map(|format| (format.word(), format));
    let format = table.required("format", as_word(&formats));
    let canary = table.maybe("canary", as_text);
    table.finish();
    Some(ReportSource { from: from?, format: format?, canary })
}

fn exits(table: Reader<'_>) -> BTreeMap<i32, ExitMeaning> {
    let mut exits = BTreeMap::new();
    for (key, meaning) in table.entries(as_meaning) {
        match key.parse::<u8>() {
            Ok(code) => {
                exits.insert(i32::from(code), meaning);
            }
            Err(_) => table.report(key, "an exit code is a number from 0 to 255"),
        }
    }
    if exits.is_empty() {
        table.report("0", "at least one exit code must have a meaning");
    }
    table.finish();
    exits
}

fn as_meaning(value: &Value) -> Result<ExitMeaning, String> {
    if let Value::Table(table) = value {
        return as_failure(table);
    }
    match as_text(value)?.as_str() {
        "clean" => Ok(ExitMeaning::Clean),
        "findings" => Ok(ExitMeaning::Findings),
        "either" => Ok(ExitMeaning::Either),
        other => Err(format!(
            "{other:?} is none of clean, findings, either, or a table {{ failed, detail, advice }}"
        )),
    }
}

fn as_failure(table: &Table) -> Result<ExitMeaning, String> {
    let unknown = table.keys().find(|key| !["failed", "detail", "advice"].contains(&key.as_str()));
    if let Some(key) = unknown {
        return Err(format!("unknown key {key:?}; known here: failed, detail, advice"));
    }
    let reasons = [
        FailureReason::UnexpectedExit,
        FailureReason::ServiceUnavailable,
        FailureReason::TargetUnreadable,
        FailureReason::EmptyReport,
    ];
    let reason = table.get("failed").ok_or("the key \"failed\" is missing")?;
    let reason = as_word(&reasons.map(|reason| (reason.word(), reason)))(reason)?;
    let detail = as_text(table.get("detail").ok_or("the key \"detail\" is missing")?)?;
    let advice = table.get("advice").map(as_text).transpose()?;
    Ok(ExitMeaning::Failed { reason, detail, advice })
}

fn limits(table: Reader<'_>) -> Option<Limits> {
    let wall_s = table.required("wall_s", as_count(WALL_S_MAX));
    let output_mib = table.required("output_mib", as_count(OUTPUT_MIB_MAX));
    table.finish();
    Some(Limits {
        wall: Duration::from_secs(u64::from(wall_s?)),
        output_bytes: u64::from(output_mib?) * 1024 * 1024,
    })
}

fn weights(table: Reader<'_>) -> Option<Weights> {
    let cpu = table.required("cpu", as_count(CPU_MAX));
    let memory_mb = table.required("memory_mb", as_count(MEMORY_MB_MAX));
    table.finish();
    Some(Weights { cpu: cpu?, memory_mb: u64::from(memory_mb?) })
}

fn severity(table: Reader<'_>) -> Option<SeverityMap> {
    let default = table.required("default", as_severity);
    let words = severities(table.maybe_table("words"));
    let rules = ByRule(severities(table.maybe_table("rules")));
    table.finish();
    Some(SeverityMap { default: default?, words, rules })
}

fn severities(table: Option<Reader<'_>>) -> BTreeMap<String, Severity> {
    let entries = table.into_iter().flat_map(|table| table.entries(as_severity));
    entries.map(|(word, severity)| (word.to_owned(), severity)).collect()
}

fn as_severity(value: &Value) -> Result<Severity, String> {
    as_text(value)?.parse().map_err(|error: crate::domain::severity::UnknownSeverity| error.to_string())
}

fn cwe(table: Reader<'_>) -> ByRule<Vec<u32>> {
    let entries = table.entries(as_list(as_count(u32::from(u16::MAX))));
    let sorted = entries.into_iter().map(|(rule, mut numbers)| {
        numbers.sort_unstable();
        numbers.dedup();
        (rule.to_owned(), numbers)
    });
    ByRule(sorted.collect())
}

fn install(table: Reader<'_>) -> Option<Install> {
    let kinds = [("pip", InstallKind::Pip), ("npm", InstallKind::Npm), ("go", InstallKind::Go)];
    let kind = table.required("kind", as_word(&kinds));
    let packages = table.required("packages", as_list(as_text));
    let lock = table.required("lock", as_inner_path);
    let program = table.required("program", as_inner_path);
    let build_args = table.maybe("build_args", as_list(as_text)).unwrap_or_default();
    table.finish();
    Some(Install { kind: kind?, packages: packages?, lock: lock?, program: program?, build_args })
}

fn as_program(value: &Value) -> Result<PathBuf, String> {
    let path = PathBuf::from(as_text(value)?);
    if path.is_absolute() { Ok(path) } else { Err("must be an absolute path".to_owned()) }
}

/// A tool's name is also a directory's and a label's.
fn as_name(value: &Value) -> Result<String, String> {
    let name = as_text(value)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let good = plain && name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_lowercase());
    if good {
        Ok(name)
    } else {
        Err("must be at most 64 of a-z, 0-9 and -, beginning with a letter".to_owned())
    }
}

/// A relative path that stays where it is put.
fn as_inner_path(value: &Value) -> Result<String, String> {
    let path = as_text(value)?;
    let inner = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if inner {
        Ok(path)
    } else {
        Err(format!("{path:?} must be relative, without empty, \".\" or \"..\" parts"))
    }
}

/// A glob over file names.
fn as_file_glob(value: &Value) -> Result<String, String> {
    let glob = as_text(value)?;
    if glob.contains('/') {
        return Err(format!("{glob:?} must be a file name, without /"));
    }
    GlobBuilder::new(&glob).build().map_err(|error| error.to_string())?;
    Ok(glob)
}
