//! What a container may be granted: the one place that says no.
//!
//! Who controls what a container mounts or which namespaces it shares controls the machine: the engine is root. So every
//! spec is judged here before the engine hears of it, whoever wrote it.

use std::path::{Path, PathBuf};

use super::{Capability, ContainerSpec, Mount};

/// Longest word in the name of an object.
const WORD_BYTES_MAX: usize = 40;
/// The least memory that the engine takes for a limit is 6 MiB.
const MEMORY_MIN: u64 = 6 << 20;
/// File names of sockets through which the engine itself is spoken to, wherever they lie.
const ENGINE_SOCKETS: &[&str] = &["docker.sock", "podman.sock", "containerd.sock"];

/// Something a spec cannot say, which somebody's file asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    Privileged,
    /// A namespace of the machine's, or of another container: `network`, `pid`, `ipc`, `uts`, `user`, `cgroup`.
    Namespace {
        kind: &'static str,
        of: String,
    },
    Device(String),
    /// By name, without `CAP_`.
    Capability(String),
    /// Such as `seccomp=unconfined`.
    SecurityOption(String),
    /// Any other key that would loosen something.
    Key(String),
}

/// Why a container is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a privileged container is not started: it owns the machine")]
    Privileged,
    #[error("the {kind} namespace of {of} is not shared with a container")]
    Namespace { kind: &'static str, of: String },
    #[error("the device {0} is not given to a container")]
    Device(String),
    #[error("the capability {name} is not given to {purpose} containers; {}", allowed(.grantable))]
    Capability { name: String, purpose: &'static str, grantable: &'static [Capability] },
    #[error("the security option {0:?} is not given: it would take a wall down")]
    SecurityOption(String),
    #[error("`{0}` is not given to a container")]
    Key(String),
    #[error("{} is the engine's own socket: whoever has it is root on this machine", .0.display())]
    EngineSocket(PathBuf),
    #[error("{} is not mounted: it is outside of the directories that containers may see ({})", source_path.display(), listed(.allowed))]
    Outside { source_path: PathBuf, allowed: Vec<PathBuf> },
    #[error("{} is mounted read-only or not at all", .0.display())]
    Writable(PathBuf),
    #[error("{0:?} is no absolute path in a container")]
    Target(String),
    #[error("{0:?} is no word for a container: 1 to {WORD_BYTES_MAX} of a-z, 0-9 and - are needed")]
    Word(String),
    #[error("the limit of {what} is {given}; at least {least} is needed")]
    Limit { what: &'static str, given: u64, least: u64 },
}

fn allowed(grantable: &[Capability]) -> String {
    match grantable {
        [] => "they get none".to_owned(),
        some => format!("they may have {}", some.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ")),
    }
}

fn listed(paths: &[PathBuf]) -> String {
    match paths {
        [] => "none".to_owned(),
        some => some.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

/// The directories of this machine that containers may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// May be mounted read-only. Canonical.
    pub readable: Vec<PathBuf>,
    /// May be mounted either way. Canonical.
    pub writable: Vec<PathBuf>,
}

impl Policy {
    /// Everything that is wrong with a spec.
    pub fn judge(&self, spec: &ContainerSpec) -> Result<(), Vec<Refusal>> {
        let mut refused: Vec<Refusal> = Vec::new();
        refused.extend(word(&spec.word).err());
        refused.extend(spec.demands.iter().filter_map(|demand| judge_demand(demand, spec)));
        let granted = spec.purpose.grantable();
        let extra = spec.capabilities.iter().filter(|capability| !granted.contains(capability));
        refused.extend(extra.map(|capability| ungranted(capability.word(), spec)));
        refused.extend(spec.mounts.iter().filter_map(|mount| self.judge_mount(mount).err()));
        refused.extend(spec.files.iter().filter_map(|file| target(&file.path).err()));
        refused.extend(limits(spec));
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    fn judge_mount(&self, mount: &Mount) -> Result<(), Refusal> {
        match mount {
            Mount::Tmpfs { target: at, .. } | Mount::Volume { target: at } => target(at),
            Mount::Bind { source, target: at, writable } => {
                target(at)?;
                self.judge_bind(source, *writable)
            }
        }
    }

    fn judge_bind(&self, source: &Path, writable: bool) -> Result<(), Refusal> {
        let name = source.file_name().unwrap_or_default();
        if ENGINE_SOCKETS.iter().any(|socket| name == *socket) {
            return Err(Refusal::EngineSocket(source.to_owned()));
        }
        let plain = source.is_absolute() && !source.components().any(|part| part.as_os_str() == "..");
        let inside = |allowed: &[PathBuf]| plain && allowed.iter().any(|folder| source.starts_with(folder));
        match (inside(&self.writable), inside(&self.readable)) {
            (true, _) => Ok(()),
            (false, true) if writable => Err(Refusal::Writable(source.to_owned())),
            (false, true) => Ok(()),
            (false, false) => {
                let allowed = self.writable.iter().chain(&self.readable).cloned().collect();
                Err(Refusal::Outside { source_path: source.to_owned(), allowed })
            }
        }
    }
}

/// Whether a text can be part of an object's name.
pub fn word(word: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = !word.is_empty() && word.len() <= WORD_BYTES_MAX && word.bytes().all(allowed);
    good.then_some(()).ok_or_else(|| Refusal::Word(word.to_owned()))
}

fn target(path: &str) -> Result<(), Refusal> {
    let inner = Path::new(path);
    let good =
        inner.is_absolute() && path.len() > 1 && !inner.components().any(|part| part.as_os_str() == "..");
    good.then_some(()).ok_or_else(|| Refusal::Target(path.to_owned()))
}

fn limits(spec: &ContainerSpec) -> impl Iterator<Item = Refusal> {
    let limits = spec.limits;
    let all = [
        ("memory", limits.memory_bytes, MEMORY_MIN),
        ("processor time", u64::from(limits.cpu_milli), 1),
        ("processes", u64::from(limits.pids), 1),
    ];
    // Zero and minus one mean "as much as there is" to the engine.
    all.into_iter().filter(|(_, given, least)| given < least).map(|(what, given, least)| Refusal::Limit {
        what,
        given,
        least,
    })
}

fn ungranted(name: &str, spec: &ContainerSpec) -> Refusal {
    Refusal::Capability {
        name: name.to_owned(),
        purpose: spec.purpose.word(),
        grantable: spec.purpose.grantable(),
    }
}

fn judge_demand(demand: &Demand, spec: &ContainerSpec) -> Option<Refusal> {
    Some(match demand {
        Demand::Privileged => Refusal::Privileged,
        Demand::Namespace { kind, of } => Refusal::Namespace { kind, of: of.clone() },
        Demand::Device(device) => Refusal::Device(device.clone()),
        // What such a container has anyway may be asked for.
        Demand::Capability(name) if spec.purpose.grantable().iter().any(|one| one.word() == name) => {
            return None;
        }
        Demand::Capability(name) => ungranted(name, spec),
        // It is always set.
        Demand::SecurityOption(option) if option.starts_with("no-new-privileges") => return None,
        Demand::SecurityOption(option) => Refusal::SecurityOption(option.clone()),
        Demand::Key(key) => Refusal::Key(key.clone()),
    })
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
