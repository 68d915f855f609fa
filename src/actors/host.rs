//! What the host has, for sizing the run slots: once, at start.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::config;
use crate::domain::slots::Weight;

/// Of the host's memory (or the container's), what runs may take together: the rest is for us, the page cache and others.
const MEMORY_SHARE: (u64, u64) = (3, 4);
/// Taken where the kernel does not say: what the smallest machine that runs an analyser has.
const MEMORY_UNKNOWN: u64 = 2 * 1024 * MIB;
const MIB: u64 = 1024 * 1024;

/// The slots: as configured, or as the host has them.
pub fn capacity(jobs: &config::Jobs) -> Weight {
    let cpu = match jobs.cpu_slots {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        slots => usize::try_from(slots).unwrap_or(usize::MAX),
    };
    let memory_mib = match jobs.memory_mib {
        0 => memory_bytes() / MIB * MEMORY_SHARE.0 / MEMORY_SHARE.1,
        configured => configured,
    };
    Weight {
        cpu: u32::try_from(cpu).unwrap_or(u32::MAX),
        memory_mib: u32::try_from(memory_mib).unwrap_or(u32::MAX),
    }
}

/// The smaller of the machine's memory and the cgroup's limit.
fn memory_bytes() -> u64 {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let Ok(system) = System::new_with_specifics(memory) else {
        return MEMORY_UNKNOWN;
    };
    let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
    system.total_memory().min(limit)
}
