//! What the kernel says about processes: memory, descriptors, threads, children.

use std::fs;

use super::world::World;

/// One process, now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vitals {
    pub rss_kib: u64,
    /// The most that `rss_kib` has been since the start or [`reset_peak`].
    pub peak_kib: u64,
    pub threads: u64,
    pub descriptors: usize,
}

pub fn vitals(pid: i32) -> Vitals {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    Vitals { rss_kib: field("VmRSS:"), peak_kib: field("VmHWM:"), threads: field("Threads:"), descriptors }
}

/// Lets the kernel forget the peak.
pub fn reset_peak(pid: i32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
}

/// All pids.
pub fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("procfs");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Every process below `pid`, zombies included.
pub fn below(pid: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = pids().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let (mut found, mut next) = (Vec::new(), vec![pid]);
    while let Some(above) = next.pop() {
        let children = parents.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid);
        let children: Vec<i32> = children.collect();
        found.extend(&children);
        next.extend(children);
    }
    found
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything, these included.
    stat.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Processes that belong to the world's tools: below one of its daemons, or naming its folder or one of its daemons in
/// environment or command line. A daemon itself is not one.
pub fn of_tools(world: &World) -> Vec<String> {
    let daemons = world.daemons();
    let marker = world.folder().to_string_lossy().into_owned();
    let runs: Vec<String> = daemons.iter().map(|pid| format!(".{pid}.")).collect();
    let mut found: Vec<i32> = daemons.iter().flat_map(|daemon| below(*daemon)).collect();
    found.extend(pids().into_iter().filter(|pid| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (environment, command) = (read("environ"), read("cmdline"));
        let is_run = environment.split(|byte| *byte == 0).any(|variable| {
            let text = String::from_utf8_lossy(variable);
            text.starts_with("PROCTOR_RUN=") && runs.iter().any(|run| text.contains(run))
        });
        let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&marker);
        is_run || names(&environment) || names(&command)
    }));
    found.retain(|pid| !daemons.contains(pid));
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(described).collect()
}

/// Pid, name, state (`Z`: dead, and not waited for) and command line.
fn described(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
    let name = name.split_once(" (").map_or("gone", |(_, name)| name);
    let state = rest.chars().next().unwrap_or('?');
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    format!("{pid} {name} {state} {}", command.chars().take(120).collect::<String>())
}
