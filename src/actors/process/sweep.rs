//! What an earlier life of a daemon left behind, and what orphans become.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;

use super::cgroup::{Cgroup, PREFIX};
use super::containment::{Containment, Layer};
use super::{keeper, scan};

/// Time the killed leftovers have to be gone. A killed process takes milliseconds unless it hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(10);

/// What [`sweep`] found and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub processes: usize,
    pub cgroups: usize,
    /// Whether something was still there at the end.
    pub incomplete: bool,
}

/// Makes orphans of our runs our own children, so that they are reaped by us and are never lost to pid 1 (in a container
/// that is often a program that does not reap). From now on every child of this process that did not come from
/// [`super::run`] is reaped: call it only where this module is the one that starts processes.
pub fn become_subreaper() -> Result<(), Errno> {
    prctl::set_child_subreaper(true)?;
    keeper::SUBREAPER.store(true, Ordering::Relaxed);
    Ok(())
}

/// Kills every run whose daemon is dead, found by its token in environments and cgroup names, and removes its cgroups. Runs
/// of living daemons are left alone. Once at start, before the first run; blocks, and takes milliseconds.
pub fn sweep() -> Swept {
    let mut swept = Swept::default();
    let deadline = Instant::now() + PATIENCE;
    let mut cgroups: Vec<Cgroup> = Containment::detected().layers.iter().flat_map(leftovers).collect();
    swept.cgroups = cgroups.len();
    cgroups.iter().for_each(Cgroup::kill);
    loop {
        let found = scan::hunt(|process| process.token().is_some_and(|token| token.is_leftover()));
        swept.processes = swept.processes.max(found);
        cgroups.retain(|cgroup| !cgroup.remove());
        swept.incomplete = found > 0 || !cgroups.is_empty();
        if !swept.incomplete || Instant::now() > deadline {
            return swept;
        }
        std::thread::yield_now();
    }
}

fn leftovers(layer: &Layer) -> Vec<Cgroup> {
    let Ok(entries) = std::fs::read_dir(&layer.base) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_leftover = |name: &String| {
        let token = name.strip_prefix(PREFIX).and_then(|token| token.parse::<super::token::Token>().ok());
        token.is_some_and(|token| token.is_leftover())
    };
    names.filter(is_leftover).map(|name| Cgroup::new(layer.kind, layer.base.join(name))).collect()
}
