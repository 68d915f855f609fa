//! From TOML to a [`ProgramRun`]: where a program comes from, its command line, its report, its exit codes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::manifest::{
    Argument, Cwd, Format, Install, InstallKind, Of, Origin, Part, Place, ProgramRun, ReportSource, Stream,
    System, Template,
};
use super::reader::{Reader, as_bool, as_list, as_text, as_word, wrong};
use crate::domain::outcome::FailureReason;
use crate::domain::verdict::ExitMeaning;

/// Longest name of an image, in bytes: Docker takes 255 for the name and 128 for the tag.
const IMAGE_BYTES_MAX: usize = 400;

/// Reads the tables `run` and, from `root`, `install`, `report` and `exit`.
pub(super) fn program(root: &Reader<'_>, run: Reader<'_>, of: Of) -> Option<ProgramRun> {
    let origin = origin(root, &run);
    let args = run.required("args", as_list(|value| as_argument(value, of)));
    let (mut call_per_file, mut across_files, mut args_for_files) = (false, false, None);
    let mut cwds = vec![("neutral", Cwd::Neutral)];
    if of == Of::Tree {
        call_per_file = run.maybe("call_per_file", as_bool).unwrap_or(false);
        across_files = run.maybe("across_files", as_bool).unwrap_or(false);
        args_for_files = run.maybe("args_for_files", as_list(|value| as_argument(value, of)));
        cwds.extend([("target", Cwd::Target), ("rules", Cwd::Rules)]);
    }
    let cwd = run.required("cwd", as_word(&cwds));
    let pass_env = run.maybe("pass_env", as_list(as_text)).unwrap_or_default();
    let env = run.maybe_table("env").map(|table| environment(table, of)).unwrap_or_default();
    run.finish();
    let report = report(root.table("report"), of);
    let exits = exits(root.table("exit"));
    Some(ProgramRun {
        origin: origin?,
        call_per_file,
        args: args?,
        args_for_files,
        across_files,
        cwd: cwd?,
        pass_env,
        env,
        report: report?,
        exits,
    })
}

fn origin(root: &Reader<'_>, run: &Reader<'_>) -> Option<Origin> {
    let program = run.maybe("program", as_program);
    let image = run.maybe("image", as_image);
    let install = root.maybe_table("install").map(install);
    match (program, image, install) {
        (None, None, Some(origin)) => origin,
        (Some(program), None, None) => Some(Origin::Brought(program)),
        (Some(program), Some(image), None) => Some(Origin::Image { image, program }),
        _ => {
            let reason = "exactly one of [install], run.program, and run.image with run.program says where the \
                          program is";
            root.report("install", reason);
            None
        }
    }
}

fn environment(table: Reader<'_>, of: Of) -> BTreeMap<String, Template> {
    let entries = table.entries(|value| template(value, of, &[Place::File, Place::Report]));
    let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
    entries.collect()
}

fn as_argument(value: &Value, of: Of) -> Result<Argument, String> {
    match value {
        Value::Array(_) if of == Of::Web => {
            Err("an inner list is repeated for each file, and a running target has none".to_owned())
        }
        Value::Array(_) => {
            as_list(|value| template(value, of, &[Place::Report]))(value).map(Argument::PerFile)
        }
        _ => template(value, of, &[Place::File]).map(Argument::One),
    }
}

/// Text with `{place}`s; braces mean nothing else.
fn template(value: &Value, of: Of, refused: &[Place]) -> Result<Template, String> {
    let Some(mut rest) = value.as_str() else {
        return Err(wrong("text", value));
    };
    let mut parts = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or("an opening brace is not closed")?;
        let part = part(word, of, refused)?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(part);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(Template(parts))
}

fn part(word: &str, of: Of, refused: &[Place]) -> Result<Part, String> {
    if let Some((word, share)) = word.split_once('/') {
        let share = share.parse().ok().filter(|_| word == Place::WallS.word() && of == Of::Web);
        return share.map(Part::WallShare).ok_or_else(|| {
            format!("{{{word}/…}}: only {{wall_s}} of a running target can be divided, by a whole number")
        });
    }
    let place = known_place(word, of)?;
    if refused.contains(&place) {
        return Err(format!("{{{word}}} has no value here"));
    }
    Ok(Part::Place(place))
}

fn known_place(word: &str, of: Of) -> Result<Place, String> {
    let known = || Place::ALL.into_iter().filter(|place| place.of() == Of::Any || place.of() == of);
    known().find(|place| place.word() == word).ok_or_else(|| {
        let words: Vec<&str> = known().map(Place::word).collect();
        format!("{{{word}}} is none of {}", words.join(", "))
    })
}

fn report(table: Reader<'_>, of: Of) -> Option<ReportSource> {
    let streams = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr), ("file", Stream::File)];
    let from = table.required("from", as_word(&streams));
    let formats = Format::ALL.into_iter().filter(|format| format.of() == Of::Any || format.of() == of);
    let formats: Vec<(&str, Format)> = formats.map(|format| (format.word(), format)).collect();
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
        FailureReason::TargetUnreachable,
        FailureReason::TargetLost,
        FailureReason::EmptyReport,
    ];
    let reason = table.get("failed").ok_or("the key \"failed\" is missing")?;
    let reason = as_word(&reasons.map(|reason| (reason.word(), reason)))(reason)?;
    let detail = as_text(table.get("detail").ok_or("the key \"detail\" is missing")?)?;
    let advice = table.get("advice").map(as_text).transpose()?;
    Ok(ExitMeaning::Failed { reason, detail, advice })
}

fn install(table: Reader<'_>) -> Option<Origin> {
    /// A distribution's programs are found, not installed: two kinds of keys.
    #[derive(Clone, Copy)]
    enum Kind {
        Ours(InstallKind),
        System,
    }
    let kinds = [
        ("pip", Kind::Ours(InstallKind::Pip)),
        ("npm", Kind::Ours(InstallKind::Npm)),
        ("go", Kind::Ours(InstallKind::Go)),
        ("system", Kind::System),
    ];
    let origin = match table.required("kind", as_word(&kinds)) {
        Some(Kind::System) => system(&table).map(Origin::System),
        Some(Kind::Ours(kind)) => installed(&table, Some(kind)).map(Origin::Installed),
        None => installed(&table, None).map(Origin::Installed),
    };
    table.finish();
    origin
}

fn installed(table: &Reader<'_>, kind: Option<InstallKind>) -> Option<Install> {
    let packages = table.required("packages", as_list(as_text));
    let lock = table.required("lock", as_inner_path);
    let program = table.required("program", as_inner_path);
    let build_args = table.maybe("build_args", as_list(as_text)).unwrap_or_default();
    let python = table.maybe("python", as_python);
    Some(Install { kind: kind?, packages: packages?, lock: lock?, program: program?, python, build_args })
}

/// `3.12`
fn as_python(value: &Value) -> Result<(u32, u32), String> {
    let text = as_text(value)?;
    let parts =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parts.ok_or_else(|| format!("{text:?} must be the version of a Python, as in \"3.12\""))
}

fn system(table: &Reader<'_>) -> Option<System> {
    let package = table.required("package", as_plain_name);
    let program = table.required("program", as_plain_name);
    Some(System { package: package?, program: program? })
}

fn as_program(value: &Value) -> Result<PathBuf, String> {
    let path = PathBuf::from(as_text(value)?);
    if path.is_absolute() { Ok(path) } else { Err("must be an absolute path".to_owned()) }
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

/// A name that is neither a path nor a flag.
fn as_plain_name(value: &Value) -> Result<String, String> {
    let name = as_text(value)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte));
    if plain && name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Ok(name)
    } else {
        Err(format!(
            "{name:?} must be of letters, digits, '.', '_', '+' and '-', beginning with a letter or digit"
        ))
    }
}

/// An image with its tag or digest: without one it would be another image every day.
fn as_image(value: &Value) -> Result<String, String> {
    let image = as_text(value)?;
    let plain = image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte));
    let good = plain
        && image.len() <= IMAGE_BYTES_MAX
        && image.starts_with(|first: char| first.is_ascii_alphanumeric());
    let last = image.rsplit('/').next().unwrap_or_default();
    if good && last.contains([':', '@']) {
        Ok(image)
    } else {
        Err(format!("{image:?} must be an image's name with its tag or digest: name:tag"))
    }
}
