//! What the process tests share: a scratch directory per run that is also the mark by which its processes are found.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proctor::actors::process::{Command, Containment, Ended, run};
use tokio_util::sync::CancellationToken;

/// More than any condition here needs on a busy machine; a run that hangs fails by it.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `fake-tool` with these words: the mode and its arguments.
    pub fn tool(&self, words: &[&str]) -> Command {
        tool_in(self.path(), words)
    }

    pub async fn run(&self, command: Command) -> Ended {
        let ended = tokio::time::timeout(PATIENCE * 2, run(command, CancellationToken::new()));
        ended.await.expect("every run ends in bounded time")
    }

    /// Fails unless the run has left nothing but its two output files.
    pub fn assert_empty(&self) {
        assert_eq!(processes_of(self.path()), [], "processes are left");
        let mut files: Vec<_> =
            fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["stderr", "stdout"], "files are left");
    }
}

pub fn tool_in(scratch: &Path, words: &[&str]) -> Command {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin/fake-tool");
    let mut command = Command::new(tool, scratch);
    command.args = words.iter().map(Into::into).collect();
    command.shim = Some(env!("CARGO_BIN_EXE_proctor").into());
    command.limits.wall = PATIENCE;
    command.limits.grace = Duration::from_millis(300);
    command
}

/// All that this machine can be made to be: with cgroup v2, with v1 only, and without.
pub fn containments() -> [Containment; 3] {
    let detected = Containment::detected().clone();
    [detected.clone(), detected.legacy(), Containment::process_group()]
}

/// A living process, as its pid and its command line.
pub type Found = (i32, String);

/// The tools started for `scratch`, and all their descendants: its path is in their HOME, or on their command line.
pub fn processes_of(scratch: &Path) -> Vec<Found> {
    let mark = scratch.to_str().unwrap().as_bytes();
    let ours = i32::try_from(std::process::id()).unwrap();
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != ours).filter_map(|pid| Some((pid, describe(pid, mark)?))).collect()
}

fn describe(pid: i32, mark: &[u8]) -> Option<String> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (environment, line) = (read("environ"), read("cmdline"));
    let has = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    let started_by_us = has(&environment, b"PROCTOR_RUN=") && has(&environment, mark);
    let bare = has(&line, mark) && environment.is_empty();
    (started_by_us || bare).then(|| String::from_utf8_lossy(&line).replace('\0', " "))
}

/// The cgroups of runs of the process `pid`, in every hierarchy.
pub fn cgroups_of(pid: u32) -> Vec<PathBuf> {
    let mut pending = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut found = Vec::new();
    while let Some(folder) = pending.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        let folders =
            entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        pending.extend(folders.map(|entry| entry.path()));
        let name = folder.file_name().unwrap().to_str().unwrap_or_default();
        if name.starts_with("proctor-") && name.contains(&format!(".{pid}.")) {
            found.push(folder);
        }
    }
    found
}

/// Waits for a condition.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs this very test again in a process of its own, when it is not there yet: what it counts (descriptors, children) or
/// changes (the subreaper) belongs to a whole process. True in that process; false here, after that one has passed.
pub fn alone(test: &str) -> bool {
    alone_after("", test)
}

/// Like [`alone`], in a process that is what a shell becomes after `preparation`.
#[expect(clippy::disallowed_methods, reason = "the test harness itself is started, not a tool")]
pub fn alone_after(preparation: &str, test: &str) -> bool {
    const ALONE: &str = "PROCTOR_TEST_ALONE";
    if std::env::var(ALONE).is_ok_and(|name| name == test) {
        return true;
    }
    let mut harness = std::process::Command::new("/bin/sh");
    harness.args(["-c", &format!("{preparation}\nexec \"$@\""), "sh"]).arg(std::env::current_exe().unwrap());
    let output = harness.args([test, "--exact", "--nocapture"]).env(ALONE, test).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("1 passed"), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    false
}
