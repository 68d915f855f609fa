//! The cgroups of one run, one per layer of the [`Containment`]; removed on drop, which only works once they are empty.

use std::io;
use std::path::{Path, PathBuf};

use super::command::Limits;
use super::containment::{Containment, Kind};
use super::ended::MemoryLimit;
use super::scan::Process;
use super::token::Token;

/// What every cgroup of ours is called, before its run's token.
pub(super) const PREFIX: &str = "proctor-";

/// A run's place in every layer.
#[derive(Debug)]
pub(super) struct Cgroups {
    places: Vec<Cgroup>,
    memory_asked: bool,
}

/// A run's place in one hierarchy.
#[derive(Debug)]
pub(super) struct Cgroup {
    kind: Kind,
    path: PathBuf,
}

impl Cgroups {
    /// Creates them with their limits. What was created before an error goes again.
    pub(super) fn create(containment: &Containment, token: Token, limits: &Limits) -> io::Result<Self> {
        let mut cgroups = Self { places: Vec::new(), memory_asked: limits.memory_bytes.is_some() };
        for layer in &containment.layers {
            if layer.kind == Kind::Memory && limits.memory_bytes.is_none() {
                continue;
            }
            let path = layer.base.join(format!("{PREFIX}{token}"));
            std::fs::create_dir(&path)?;
            cgroups.places.push(Cgroup { kind: layer.kind, path: path.clone() });
            limit(layer.kind, &path, limits)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        }
        Ok(cgroups)
    }

    /// The files a process joins by.
    pub(super) fn doors(&self) -> Vec<PathBuf> {
        self.places.iter().map(|cgroup| cgroup.path.join("cgroup.procs")).collect()
    }

    /// SIGKILL to all of it.
    pub(super) fn kill(&self) {
        // Every process is in every layer, so the strongest one is enough.
        if let Some(cgroup) = self.places.first() {
            cgroup.kill();
        }
    }

    /// Whether no living process is left in it; `None` when there is no cgroup, and so no telling.
    pub(super) fn is_empty(&self) -> Option<bool> {
        (!self.places.is_empty()).then(|| self.places.iter().all(Cgroup::is_empty))
    }

    pub(super) fn memory_limit(&self) -> MemoryLimit {
        if !self.memory_asked {
            return MemoryLimit::NotAsked;
        }
        match self.places.iter().find_map(Cgroup::killed_for_memory) {
            None => MemoryLimit::NotEnforced,
            Some(0) => MemoryLimit::Kept,
            Some(_) => MemoryLimit::Exceeded,
        }
    }

    /// Whether they are gone now.
    pub(super) fn remove(&mut self) -> bool {
        self.places.retain(|cgroup| !cgroup.remove());
        self.places.is_empty()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Cgroup {
    pub(super) const fn new(kind: Kind, path: PathBuf) -> Self {
        Self { kind, path }
    }

    pub(super) fn kill(&self) {
        match self.kind {
            // It fails only for a cgroup that is gone, and with it its processes.
            Kind::Unified { .. } => drop(std::fs::write(self.path.join("cgroup.kill"), "1")),
            Kind::Pids => {
                // No more forks first, or a fork bomb wins the race.
                std::fs::write(self.path.join("pids.max"), "0").ok();
                self.kill_each();
            }
            Kind::Memory => self.kill_each(),
        }
    }

    fn kill_each(&self) {
        for pid in self.members() {
            // Listed, read, and listed again: what was read is the member and not a stranger that got its pid.
            let process = Process::read(pid);
            if let Some(process) = process.filter(|_| self.members().contains(&pid)) {
                process.kill();
            }
        }
    }

    fn members(&self) -> Vec<i32> {
        let listed = std::fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        listed.lines().filter_map(|line| line.parse().ok()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.kind {
            Kind::Unified { .. } => count(&self.path.join("cgroup.events"), "populated").unwrap_or(0) == 0,
            Kind::Pids | Kind::Memory => self.members().is_empty(),
        }
    }

    /// `None` when it does not limit memory.
    fn killed_for_memory(&self) -> Option<u64> {
        match self.kind {
            Kind::Unified { memory: true, .. } => count(&self.path.join("memory.events"), "oom_kill"),
            Kind::Memory => count(&self.path.join("memory.oom_control"), "oom_kill"),
            Kind::Unified { memory: false, .. } | Kind::Pids => None,
        }
    }

    /// Whether it is gone now.
    pub(super) fn remove(&self) -> bool {
        match std::fs::remove_dir(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

fn limit(kind: Kind, cgroup: &Path, limits: &Limits) -> io::Result<()> {
    let set = |file: &str, number: u64| std::fs::write(cgroup.join(file), number.to_string());
    if matches!(kind, Kind::Pids | Kind::Unified { pids: true, .. }) {
        set("pids.max", limits.processes)?;
    }
    let Some(bytes) = limits.memory_bytes else {
        return Ok(());
    };
    match kind {
        Kind::Unified { memory: true, .. } => {
            set("memory.max", bytes)?;
            // Absent on a kernel without swap accounting, where there is nothing to hold.
            set("memory.swap.max", 0).or_else(absent)
        }
        Kind::Memory => {
            set("memory.limit_in_bytes", bytes)?;
            set("memory.memsw.limit_in_bytes", bytes).or_else(absent)
        }
        Kind::Unified { memory: false, .. } | Kind::Pids => Ok(()),
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(()),
        _ => Err(error),
    }
}

/// The number after `word` in a file of `word number` lines.
fn count(file: &Path, word: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}
