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
            Self {
                layers: layers(&mounts, &membership)
                    .into_iter()
                    .filter_map(Layer::tried)
                    .collect(),
            }
        })
    }

    /// Process groups and tokens alone, as on a machine without cgroups.
    pub const fn process_group() -> Self {
        Self { layers: Vec::new() }
    }

    /// Without version 2, as on an old machine.
    #[must_use]
    pub fn legacy(mut self) -> Self {
        self.layers
            .retain(|layer| !matches!(layer.kind, Kind::Unified { .. }));
        self
    }

    /// Whether even a process that leaves its session is found and killed for certain.
    pub const fn holds_everything(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Whether `limits.processes` is enforced.
    pub fn limits_processes(&self) -> bool {
        self.layers
            .iter()
            .any(|layer| matches!(layer.kind, Kind::Unified { pids: true, .. } | Kind::Pids))
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
    let mut layers: Vec<Layer> = mounts
        .lines()
        .filter_map(|line| layer(line, membership))
        .collect();
    layers.sort_by_key(|layer| match layer.kind {
        Kind::Unified { .. } => 0,
        Kind::Pids => 1,
        Kind::Memory => 2,
    });
    layers
}

fn layer(mount: &str, membership: &str) -> Option<Layer> {
    let mut fields = mount.split(' ');
    let (_, point, filesystem, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let has = |option: &str| options.split(',').any(|one| one == option);
    let (controller, kind): (&str, fn(&Path) -> Kind) = match filesystem {
        "cgroup2" => ("", unified),
        "cgroup" if has("pids") => ("pids", |_| Kind::Pids),
        "cgroup" if has("memory") => ("memory", |_| Kind::Memory),
        _ => return None,
    };
    let own = Path::new(point).join(place(membership, controller)?.trim_start_matches('/'));
    // Inside a container the path may be the host's, which does not exist here: the mount point is our place then.
    let base = if own.is_dir() { own } else { PathBuf::from(point) };
    Some(Layer {
        kind: kind(&base),
        base,
    })
}

/// `4:memory:/a/b` → `/a/b`; the controller list of version 2 is empty.
fn place<'text>(membership: &'text str, controller: &str) -> Option<&'text str> {
    membership.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|one| one == controller)
            .then_some(path)
    })
}

fn unified(base: &Path) -> Kind {
    let enabled = std::fs::read_to_string(base.join("cgroup.subtree_control")).unwrap_or_default();
    let has = |controller: &str| enabled.split_whitespace().any(|one| one == controller);
    Kind::Unified {
        pids: has("pids"),
        memory: has("memory"),
    }
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
mod tests {
    use super::*;

    const HYBRID_MOUNTS: &str = "\
        cgroup /nowhere/pids cgroup rw,relatime,pids 0 0\n\
        cgroup /nowhere/memory cgroup rw,relatime,memory 0 0\n\
        cgroup /nowhere/systemd cgroup rw,name=systemd 0 0\n\
        tmpfs /tmp tmpfs rw 0 0\n\
        cgroup2 /nowhere/unified cgroup2 rw 0 0\n";

    #[test]
    fn a_hybrid_machine_gives_version_2_first() {
        let layers = layers(HYBRID_MOUNTS, "4:memory:/a\n8:pids:/\n1:name=systemd:/\n0::/");
        let found: Vec<_> = layers
            .iter()
            .map(|layer| (layer.kind, layer.base.to_str()))
            .collect();
        let expected = [
            (
                Kind::Unified {
                    pids: false,
                    memory: false,
                },
                Some("/nowhere/unified"),
            ),
            (Kind::Pids, Some("/nowhere/pids")),
            (Kind::Memory, Some("/nowhere/memory")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn our_place_is_read_per_hierarchy() {
        let membership = "4:cpu,memory:/a:b/c\n8:pids:/\n0::/user.slice\n";
        assert_eq!(place(membership, "memory"), Some("/a:b/c"));
        assert_eq!(place(membership, ""), Some("/user.slice"));
        assert_eq!(place(membership, "freezer"), None);
    }

    #[test]
    fn what_cannot_be_written_is_no_layer() {
        let layers = layers(HYBRID_MOUNTS, "8:pids:/\n0::/");
        assert!(layers.into_iter().filter_map(Layer::tried).next().is_none());
    }

    #[test]
    fn the_words_for_people_name_the_layers() {
        assert_eq!(Containment::process_group().to_string(), "process group");
        let hybrid = Containment {
            layers: layers(HYBRID_MOUNTS, "4:memory:/a\n8:pids:/\n0::/"),
        };
        assert_eq!(
            hybrid.to_string(),
            "process group, cgroup v2, cgroup v1 pids, cgroup v1 memory"
        );
        assert_eq!(
            hybrid.legacy().to_string(),
            "process group, cgroup v1 pids, cgroup v1 memory"
        );
    }
}
