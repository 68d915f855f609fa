//! What tools and jobs may leave behind, and must not: processes, cgroups, files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::plan::LENIENCE;
use super::proc;
use super::table::Row;
use super::world::{POLL, World};

/// cgroup hierarchies are this deep at most where tests run.
const CGROUP_DEPTH_MAX: usize = 6;
/// How long the last clean-up may take after the last job was told to be over: its room is given back behind its end.
const SETTLE_MAX: Duration = Duration::from_secs(2).saturating_mul(LENIENCE);

#[derive(Debug, Default)]
pub struct Leftovers {
    pub processes: Vec<String>,
    pub cgroups: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
}

impl Leftovers {
    pub fn look(world: &World) -> Self {
        let folders = ["runs", "snapshots"].map(|name| world.data_dir().join(name));
        Self {
            processes: proc::of_tools(world),
            cgroups: cgroups(&world.daemons()),
            files: folders.iter().flat_map(|folder| entries(folder)).collect(),
        }
    }

    /// Looks until nothing is left, [`SETTLE_MAX`] at most.
    pub async fn settled(world: &World) -> (Self, Duration) {
        let began = Instant::now();
        loop {
            let left = Self::look(world);
            if left.is_empty() || began.elapsed() > SETTLE_MAX {
                return (left, began.elapsed());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.cgroups.is_empty() && self.files.is_empty()
    }

    /// Nothing may be left; and `seen`, looked at while tools ran, must have shown something: else nothing is proven.
    pub async fn row(world: &World, done: &str, seen: &Self) -> Row {
        let (left, after) = Self::settled(world).await;
        let mut figures = format!("{} after {:.1} s", left.counts(), after.as_secs_f64());
        if let Some(first) = left.first() {
            figures.push_str(&format!(", the first: {first}"));
        }
        figures.push_str(&format!("; on the way {}", seen.counts()));
        Row::new(done, figures, "0 processes, cgroups, files left", left.is_empty() && seen.is_something())
    }

    /// Whether tools were seen at work.
    pub fn is_something(&self) -> bool {
        !(self.processes.is_empty() || self.files.is_empty())
    }

    fn counts(&self) -> String {
        let Self { processes, cgroups, files } = self;
        format!("{} processes, {} cgroups, {} files", processes.len(), cgroups.len(), files.len())
    }

    fn first(&self) -> Option<String> {
        let path = |path: &PathBuf| path.display().to_string();
        let first = self.processes.first().cloned();
        first.or_else(|| self.cgroups.first().map(path)).or_else(|| self.files.first().map(path))
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten();
    listed.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// cgroups of runs that these daemons started: `proctor-<namespace>.<pid>.<started>.<number>`.
fn cgroups(daemons: &[i32]) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("procfs");
    let points = mounts.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        fields.get(2).is_some_and(|kind| kind.starts_with("cgroup")).then(|| PathBuf::from(fields[1]))
    });
    let mut pending: Vec<(PathBuf, usize)> = points.map(|point| (point, 0)).collect();
    let mut found = Vec::new();
    while let Some((folder, depth)) = pending.pop() {
        for path in entries(&folder).into_iter().filter(|path| path.is_dir()) {
            if is_of(&path, daemons) {
                found.push(path);
            } else if depth < CGROUP_DEPTH_MAX {
                pending.push((path, depth + 1));
            }
        }
    }
    found
}

fn is_of(path: &Path, daemons: &[i32]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut parts = name.strip_prefix("proctor-").unwrap_or_default().split('.').skip(1);
    parts.next().and_then(|pid| pid.parse().ok()).is_some_and(|pid: i32| daemons.contains(&pid))
}
