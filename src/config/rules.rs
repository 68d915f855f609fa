//! What the schema cannot say: defaults that come from the environment, paths that must exist, keys that limit one
//! another. Works on checked values, so each rule reads what it needs without doubt.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Value;

use super::effective::Effective;
use super::problem::Problem;
use crate::domain::container::ImageName;
use crate::domain::scope::AllowList;

/// A limit that makes no sense above another one: (the smaller, the larger).
const ORDERED: &[(&str, &str)] = &[
    ("gateway.connections_per_address_max", "gateway.connections_max"),
    ("gateway.connections_per_principal_max", "gateway.connections_max"),
    ("gateway.in_flight_per_session_max", "gateway.in_flight_per_principal_max"),
    ("gateway.in_flight_per_principal_max", "gateway.in_flight_max"),
    ("gateway.message_out_bytes_max", "gateway.outbound_bytes_max"),
    ("jobs.queue_per_principal_max", "jobs.queue_max"),
    ("jobs.deadline_s", "jobs.deadline_max_s"),
    ("memory.jobs_percent", "memory.connections_percent"),
    ("memory.connections_percent", "memory.shed_percent"),
    ("snapshot.file_bytes_max", "snapshot.bytes_max"),
    ("snapshot.line_bytes_max", "snapshot.file_bytes_max"),
];

/// Fills in directories and applies every rule.
pub fn apply(effective: &mut Effective, environment: &BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    fill_directories(effective, environment, problems);
    check_roots(effective, problems);
    check_hosts(effective, problems);
    check_zap(effective, problems);
    check_readable(effective, problems);
    check_listen(effective, problems);
    check_filter(effective, problems);
    for (smaller, larger) in ORDERED {
        let (low, high) = (effective.integer(smaller), effective.integer(larger));
        if low > high {
            // The key that somebody set is the one to name.
            let named = if effective.is_default(smaller) { larger } else { smaller };
            problems.push(
                effective.problem(named, format!("{smaller} ({low}) is larger than {larger} ({high})")),
            );
        }
    }
}

fn fill_directories(
    effective: &mut Effective,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    let set = |name: &str| environment.get(name).filter(|value| value.starts_with('/')).map(PathBuf::from);
    let home = set("HOME");
    let state = set("XDG_STATE_HOME").or_else(|| home.as_ref().map(|home| home.join(".local/state")));
    let data_dir = directory(effective, "daemon.data_dir", home.as_deref())
        .or_else(|| state.map(|state| state.join("proctor")));
    let Some(data_dir) = data_dir else {
        let reason = "has no default, since neither XDG_STATE_HOME nor HOME is set".to_owned();
        problems.push(effective.problem("daemon.data_dir", reason));
        return;
    };
    let tools_dir =
        directory(effective, "daemon.tools_dir", home.as_deref()).unwrap_or_else(|| data_dir.join("tools"));
    let manifests_dir = directory(effective, "daemon.manifests_dir", home.as_deref())
        .unwrap_or_else(|| data_dir.join("manifests"));
    let all = [
        ("daemon.data_dir", data_dir),
        ("daemon.tools_dir", tools_dir),
        ("daemon.manifests_dir", manifests_dir),
    ];
    for (key, path) in all {
        if !path.is_absolute() {
            let reason = format!("{} needs a home directory, and HOME is not set", path.display());
            problems.push(effective.problem(key, reason));
        } else if path.exists() && !path.is_dir() {
            problems.push(effective.problem(key, format!("{} is not a directory", path.display())));
        }
        effective.replace(key, Value::String(path.to_string_lossy().into_owned()));
    }
    let roots = effective.texts("targets.roots");
    let expanded = roots.iter().map(|root| expand(root, home.as_deref()).to_string_lossy().into_owned());
    effective.replace("targets.roots", Value::Array(expanded.map(Value::String).collect()));
}

fn directory(effective: &Effective, key: &str, home: Option<&Path>) -> Option<PathBuf> {
    let text = effective.text(key);
    (!text.is_empty()).then(|| expand(text, home))
}

fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

fn check_roots(effective: &Effective, problems: &mut Vec<Problem>) {
    for root in effective.texts("targets.roots") {
        if !Path::new(&root).is_dir() {
            problems.push(effective.problem("targets.roots", format!("{root} is not an existing directory")));
        }
    }
}

fn check_hosts(effective: &Effective, problems: &mut Vec<Problem>) {
    for key in ["targets.hosts", "targets.active"] {
        let bad = AllowList::parse(&effective.texts(key)).err().unwrap_or_default();
        problems.extend(bad.into_iter().map(|bad| effective.problem(key, bad.to_string())));
    }
}

/// An image that can be asked for, and settings that ZAP will not take for something else.
fn check_zap(effective: &Effective, problems: &mut Vec<Problem>) {
    let image = effective.text("zap.image").to_owned();
    if let Err(error) = image.parse::<ImageName>() {
        problems.push(effective.problem("zap.image", error.to_string()));
    }
    for option in effective.texts("zap.options") {
        if option.split_once('=').is_none_or(|(key, _)| key.trim().is_empty()) {
            problems.push(effective.problem("zap.options", format!("{option:?} is no `key=value`")));
        }
    }
}

fn check_readable(effective: &Effective, problems: &mut Vec<Problem>) {
    for path in effective.texts("process.sandbox_readable") {
        if !Path::new(&path).is_absolute() {
            let reason = format!("{path} is not an absolute path");
            problems.push(effective.problem("process.sandbox_readable", reason));
        }
    }
}

fn check_listen(effective: &Effective, problems: &mut Vec<Problem>) {
    let listen = effective.text("gateway.listen");
    let remote = listen.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback());
    if remote && !effective.boolean("gateway.allow_remote") {
        let reason = format!(
            "{listen} can be reached from other machines; set gateway.allow_remote = true to mean it"
        );
        problems.push(effective.problem("gateway.listen", reason));
    }
}

fn check_filter(effective: &Effective, problems: &mut Vec<Problem>) {
    let filter = effective.text("log.filter");
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(filter) {
        problems.push(effective.problem("log.filter", format!("{filter:?} is not understood: {error}")));
    }
}
