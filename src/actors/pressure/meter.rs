//! Reads how much memory is in use, and of how much: of the tightest cgroup that the daemon and its tools share, or of
//! the host where no cgroup allows less.
//!
//! In use is the working set: what the kernel would have to write out or kill for. File pages that nobody has touched
//! lately are not in it; they are given up first.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::actors::process::MemoryCgroup;
use crate::domain::pressure::Reading;

/// Whose memory it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Our cgroup or one above it: the daemon, its tools, and whoever else is in it.
    Cgroup(PathBuf),
    /// The whole machine.
    Host,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup(path) => write!(f, "the cgroup {}", path.display()),
            Self::Host => f.write_str("the host"),
        }
    }
}

/// What reads it. Everything is found out anew with each reading: limits are changed on running services.
#[derive(Debug, Clone)]
pub struct Meter {
    cgroup: Option<MemoryCgroup>,
}

impl Meter {
    /// For this process.
    pub fn detect() -> Self {
        Self { cgroup: MemoryCgroup::own() }
    }

    /// For a cgroup; for tests.
    pub const fn of(cgroup: MemoryCgroup) -> Self {
        Self { cgroup: Some(cgroup) }
    }

    /// Blocks for as long as the kernel takes to sum up a cgroup: a few files.
    pub fn read(&self) -> io::Result<(Scope, Reading)> {
        let host = host()?;
        let limited =
            self.cgroup.iter().flat_map(|cgroup| cgroup.upwards().map(|path| (cgroup.unified, path)));
        let limits = limited.filter_map(|(unified, path)| Some((limit(unified, path)?, unified, path)));
        match limits.min_by_key(|(limit, _, _)| *limit).filter(|(limit, _, _)| *limit < host.limit) {
            Some((limit, unified, path)) => {
                let used = working_set(unified, path)?;
                Ok((Scope::Cgroup(path.to_owned()), Reading { used, limit }))
            }
            None => Ok((Scope::Host, host)),
        }
    }
}

fn host() -> io::Result<Reading> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory).map_err(|error| io::Error::other(error.to_string()))?;
    let limit = system.total_memory();
    Ok(Reading { used: limit.saturating_sub(system.available_memory()), limit })
}

/// The least that this cgroup may have; `None` when it is not limited here. Version 2 throttles at `memory.high` before
/// it kills at `memory.max`.
fn limit(unified: bool, cgroup: &Path) -> Option<u64> {
    let files: &[&str] = if unified { &["memory.max", "memory.high"] } else { &["memory.limit_in_bytes"] };
    // `max` is no number, and version 1 has a huge one in its place, which no host is larger than.
    files.iter().filter_map(|file| number(&cgroup.join(file)).ok()).min()
}

fn working_set(unified: bool, cgroup: &Path) -> io::Result<u64> {
    let (usage, inactive) = if unified {
        ("memory.current", "inactive_file")
    } else {
        ("memory.usage_in_bytes", "total_inactive_file")
    };
    let statistics = fs::read_to_string(cgroup.join("memory.stat"))?;
    let word = |line: &str| line.split_once(' ').filter(|(name, _)| *name == inactive)?.1.trim().parse().ok();
    let reclaimable = statistics.lines().find_map(word).unwrap_or(0);
    Ok(number(&cgroup.join(usage))?.saturating_sub(reclaimable))
}

fn number(file: &Path) -> io::Result<u64> {
    let named = |error: String| io::Error::other(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
    text.trim().parse().map_err(|_| named(format!("{:?} is no number of bytes", text.trim())))
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
