//! From TOML to a [`Manifest`], with every error at once. `catalogue/bandit.toml` shows each key with its reason.

use std::collections::BTreeMap;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use toml::{Table, Value};

use super::catalogue::ManifestError;
use super::manifest::{
    Applies, ByRule, Files, Intrusion, Limits, Manifest, Native, Of, Run, SeverityMap, Version, Weights,
};
use super::read_run;
use super::reader::{Errors, Reader, as_bool, as_count, as_list, as_text, as_word};
use crate::domain::ids::ToolName;
use crate::domain::severity::Severity;

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
    let (of, applies) = applies(&root);
    let network = network(&root, of);
    let weights = weights(root.table("weights"));
    let run = root.table("run");
    let parts = match run.maybe("native", as_word(&Native::ALL.map(|native| (native.word(), native)))) {
        Some(native) => native_parts(&root, run, of, native),
        None => program_parts(&root, run, of),
    };
    root.finish();
    let Parts { run, version, limits, severity, cwe } = parts?;
    let manifest = Manifest {
        name: ToolName(name?),
        summary: summary?,
        network: network?,
        version,
        applies: applies?,
        run,
        limits,
        weights: weights?,
        severity,
        cwe,
    };
    Some(manifest)
}

/// What a program and a tool of ours have in different ways.
struct Parts {
    run: Run,
    version: Version,
    limits: Limits,
    severity: SeverityMap,
    cwe: ByRule<Vec<u32>>,
}

/// A tool of ours is as old as proctor, writes no report, and knows itself how much its findings matter: the keys for
/// that are unknown here.
fn native_parts(root: &Reader<'_>, run: Reader<'_>, of: Of, native: Native) -> Option<Parts> {
    if of != Of::Web {
        run.report("native", "our own tools look at running targets: applies.target must be \"web\"");
    }
    run.finish();
    let limits = root.table("limits");
    let wall = wall(&limits);
    limits.finish();
    Some(Parts {
        run: Run::Native(native),
        version: Version {
            pinned: env!("CARGO_PKG_VERSION").to_owned(),
            args: Vec::new(),
            after: String::new(),
            exit: 0,
        },
        limits: Limits { wall: wall?, output_bytes: 0 },
        severity: SeverityMap { default: Severity::Info, words: BTreeMap::new(), rules: ByRule::default() },
        cwe: ByRule::default(),
    })
}

fn program_parts(root: &Reader<'_>, run: Reader<'_>, of: Of) -> Option<Parts> {
    let version = version(root.table("version"));
    let program = read_run::program(root, run, of);
    let limits = limits(root.table("limits"));
    let severity = severity(root.table("severity"));
    let cwe = root.maybe_table("cwe").map(cwe).unwrap_or_default();
    Some(Parts {
        run: Run::Program(Box::new(program?)),
        version: version?,
        limits: limits?,
        severity: severity?,
        cwe,
    })
}

fn version(table: Reader<'_>) -> Option<Version> {
    let pinned = table.required("pinned", as_text);
    let args = table.required("args", as_list(as_text));
    let after = table.maybe("after", as_text).unwrap_or_default();
    let exit = table.maybe("exit", as_count(255)).unwrap_or_default();
    table.finish();
    Some(Version { pinned: pinned?, args: args?, after, exit: i32::try_from(exit).unwrap_or_default() })
}

/// The kind of target, known even where the rest is wrong, so that what depends on it is read as it was meant.
fn applies(root: &Reader<'_>) -> (Of, Option<Applies>) {
    let table = root.table("applies");
    let of = table.maybe("target", as_word(&[("tree", Of::Tree), ("web", Of::Web)]));
    if of == Some(Of::Web) {
        table.finish();
        let web = root.table("web");
        let intrusion = web.required("intrusion", as_word(&Intrusion::ALL.map(|it| (it.word(), it))));
        web.finish();
        return (Of::Web, intrusion.map(|intrusion| Applies::Web { intrusion }));
    }
    (Of::Tree, files(table).map(Applies::Tree))
}

fn files(table: Reader<'_>) -> Option<Files> {
    let files = table.required("files", as_list(as_text));
    let except = table.maybe("except", as_list(as_text)).unwrap_or_default();
    let leave_out = table.maybe("leave_out", as_list(as_file_glob)).unwrap_or_default();
    let files_set = files.as_deref().and_then(|globs| glob_set(&table, "files", globs));
    let except_set = glob_set(&table, "except", &except);
    table.finish();
    Some(Files { files: files?, except, leave_out, files_set: files_set?, except_set: except_set? })
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

fn network(root: &Reader<'_>, of: Of) -> Option<bool> {
    let network = root.required("network", as_bool)?;
    if of == Of::Web && !network {
        root.report("network", "a running target is reached through the network: must be true");
    }
    Some(network)
}

fn limits(table: Reader<'_>) -> Option<Limits> {
    let wall = wall(&table);
    let output_mib = table.required("output_mib", as_count(OUTPUT_MIB_MAX));
    table.finish();
    Some(Limits { wall: wall?, output_bytes: u64::from(output_mib?) * 1024 * 1024 })
}

fn wall(table: &Reader<'_>) -> Option<Duration> {
    let seconds = table.required("wall_s", as_count(WALL_S_MAX))?;
    Some(Duration::from_secs(u64::from(seconds)))
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

/// A glob over file names.
fn as_file_glob(value: &Value) -> Result<String, String> {
    let glob = as_text(value)?;
    if glob.contains('/') {
        return Err(format!("{glob:?} must be a file name, without /"));
    }
    GlobBuilder::new(&glob).build().map_err(|error| error.to_string())?;
    Ok(glob)
}
