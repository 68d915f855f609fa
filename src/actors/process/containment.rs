//! Which cgroup hierarchies hold our runs on this machine, found out by trying.
//!
//! - cgroup v2 (`cgroup.kill`, Linux 5.14): one write kills everything, and it is known when nothing is left. Also on
//!   hybrid machines, where v2 is mounted beside v1.
//! - cgroup v1 `pids`, `memory`: limits on hybrid and v1 machines; `pids` also kills, one process at a time.
//! - neither (an ordinary user without delegation): the process group, and the token in the environment. Complete but for
//!   a process that both leaves its session and clears its environment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::token::Token;

/// The cgroup the daemon itself moves to when it must make room; no run's name, so no sweep takes it.
const DAEMON: &str = "proctor";

/// The cgroup hierarchies in which runs get a cgroup of their own, strongest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containment {
    pub(super) layers: Vec<Layer>,
}

/// One hierarchy we may create cgroups in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub kind: Kind,
    /// Our own cgroup, the parent of those of the runs.
    pub base: PathBuf,
}

/// What a hierarchy can do for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Version 2: kills, and limits by the controllers we were given.
    Unified { pids: bool, memory: bool },
    /// Version 1.
    Pids,
    /// Version 1.
    Memory,
}

impl Containment {
    /// What this machine offers; found out once.
    pub fn detected() -> &'static Self {
        static DETECTED: OnceLock<Containment> = OnceLock::new();
        DETECTED.get_or_init(|| {
            let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
            let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            Self { layers: layers(&mounts, &membership).into_iter().filter_map(Layer::tried).collect() }
        })
    }

    /// Process groups and tokens alone, as on a machine without cgroups.
    pub const fn process_group() -> Self {
        Self { layers: Vec::new() }
    }

    /// Without version 2, as on an old machine.
    #[must_use]
    pub fn legacy(mut self) -> Self {
        self.layers.retain(|layer| !matches!(layer.kind, Kind::Unified { .. }));
        self
    }

    /// Whether even a process that leaves its session is found and killed for certain.
    pub const fn holds_everything(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Whether `limits.processes` is enforced.
    pub fn limits_processes(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer.kind, Kind::Unified { pids: true, .. } | Kind::Pids))
    }

    /// Whether `limits.memory_bytes` is enforced.
    pub fn limits_memory(&self) -> bool {
        self.layers
            .iter()
            .any(|layer| matches!(layer.kind, Kind::Unified { memory: true, .. } | Kind::Memory))
    }
}

impl Layer {
    /// Creates and removes a cgroup: only that tells what mount options, owners and delegation add up to.
    fn tried(self) -> Option<Self> {
        let probe = self.base.join(format!("proctor-{}", Token::next()));
        std::fs::create_dir(&probe).ok()?;
        let usable = match self.kind {
            Kind::Unified { .. } => probe.join("cgroup.kill").exists(),
            Kind::Pids | Kind::Memory => probe.join("cgroup.procs").exists(),
        };
        std::fs::remove_dir(&probe).ok()?;
        usable.then_some(self)
    }
}

/// The hierarchies that are mounted, with our place in them, from `/proc/self/mounts` and `/proc/self/cgroup`.
fn layers(mounts: &str, membership: &str) -> Vec<Layer> {
    let mut layers: Vec<Layer> = mounts.lines().filter_map(|line| layer(line, membership)).collect();
    layers.sort_by_key(|layer| match layer.kind {
        Kind::Unified { .. } => 0,
        Kind::Pids => 1,
        Kind::Memory => 2,
    });
    layers
}

fn layer(mount: &str, membership: &str) -> Option<Layer> {
    let (base, kind): (PathBuf, fn(&Path) -> Kind) = match Hierarchy::read(mount)? {
        unified_one if unified_one.unified => (unified_one.own(membership, "")?, unified),
        legacy if legacy.has("pids") => (legacy.own(membership, "pids")?, |_| Kind::Pids),
        legacy if legacy.has("memory") => (legacy.own(membership, "memory")?, |_| Kind::Memory),
        _ => return None,
    };
    Some(Layer { kind: kind(&base), base })
}

/// A mounted cgroup hierarchy: a line of `/proc/self/mounts`.
struct Hierarchy<'text> {
    unified: bool,
    point: &'text Path,
    options: &'text str,
}

impl<'text> Hierarchy<'text> {
    fn read(mount: &'text str) -> Option<Self> {
        let mut fields = mount.split(' ');
        let (_, point, filesystem, options) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let unified = match filesystem {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        Some(Self { unified, point: Path::new(point), options })
    }

    fn has(&self, controller: &str) -> bool {
        self.options.split(',').any(|one| one == controller)
    }

    /// Our cgroup in it, by a line of `/proc/self/cgroup`.
    fn own(&self, membership: &str, controller: &str) -> Option<PathBuf> {
        let own = self.point.join(place(membership, controller)?.trim_start_matches('/'));
        // Inside a container the path may be the host's, which does not exist here: the mount point is our place then.
        Some(if own.is_dir() { own } else { self.point.to_owned() })
    }
}

/// Where the memory of this process and of its tools is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryCgroup {
    /// Version 2.
    pub unified: bool,
    /// The hierarchy's root.
    pub point: PathBuf,
    /// Our own cgroup in it.
    pub own: PathBuf,
}

impl MemoryCgroup {
    /// That of this process; `None` when the kernel counts none. A hybrid machine counts by version 1.
    pub fn own() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let place = |hierarchy: Hierarchy<'_>| {
            let controller = if hierarchy.unified { "" } else { "memory" };
            let own = hierarchy.own(&membership, controller)?;
            Some(Self { unified: hierarchy.unified, point: hierarchy.point.to_owned(), own })
        };
        let counting = mounts.lines().filter_map(Hierarchy::read);
        let counting = counting.filter(|hierarchy| hierarchy.unified || hierarchy.has("memory"));
        counting.min_by_key(|hierarchy| hierarchy.unified).and_then(place)
    }

    /// Our own cgroup and those above it, up to the root.
    pub fn upwards(&self) -> impl Iterator<Item = &Path> {
        self.own.ancestors().take_while(|path| path.starts_with(&self.point))
    }
}

/// `4:memory:/a/b` → `/a/b`; the controller list of version 2 is empty.
fn place<'text>(membership: &'text str, controller: &str) -> Option<&'text str> {
    membership.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|one| one == controller).then_some(path)
    })
}

fn unified(base: &Path) -> Kind {
    hand_down(base, &["pids", "memory"]);
    let enabled = words(&base.join("cgroup.subtree_control"));
    let has = |controller: &str| enabled.iter().any(|one| one == controller);
    Kind::Unified { pids: has("pids"), memory: has("memory") }
}

/// Version 2 gives a controller to the children of a cgroup on request, and refuses while the cgroup holds processes. A
/// service that was delegated its cgroup (systemd: `Delegate=yes`) moves itself one down first; one that shares it with
/// others, such as a login shell, does without controllers.
fn hand_down(base: &Path, controllers: &[&str]) {
    let (offered, enabled) =
        (words(&base.join("cgroup.controllers")), words(&base.join("cgroup.subtree_control")));
    let missing = controllers.iter().filter(|one| offered.iter().any(|word| word == *one));
    let missing: Vec<String> =
        missing.filter(|one| !enabled.iter().any(|word| word == *one)).map(|one| format!("+{one}")).collect();
    let request = || std::fs::write(base.join("cgroup.subtree_control"), missing.join(" "));
    if missing.is_empty() || request().is_ok() {
        return;
    }
    if words(&base.join("cgroup.procs")) == [std::process::id().to_string()]
        && move_into(&base.join(DAEMON)).is_ok()
    {
        // Refused again: then the limits of this kind are not enforced, and every run says so.
        request().ok();
    }
}

fn move_into(cgroup: &Path) -> std::io::Result<()> {
    if !cgroup.is_dir() {
        std::fs::create_dir(cgroup)?;
    }
    std::fs::write(cgroup.join("cgroup.procs"), "0")
}

fn words(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process group")?;
        for layer in &self.layers {
            f.write_str(match layer.kind {
                Kind::Unified { memory: false, .. } => ", cgroup v2",
                Kind::Unified { memory: true, .. } => ", cgroup v2 with memory",
                Kind::Pids => ", cgroup v1 pids",
                Kind::Memory => ", cgroup v1 memory",
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "containment_tests.rs"]
mod tests;
