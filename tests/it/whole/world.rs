//! Boots the daemon as `proctor serve` does, and speaks MCP to it as the command line does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::rest_of_manifest;
use proctor::actors::pressure::Meter;
use proctor::actors::root::{Daemon, Surroundings};
use proctor::cli::client::Client;
use proctor::config::Config;
use proctor::protocol::api::{
    FindingAnswer, FindingsAnswer, FindingsArguments, JobAnswer, JobArguments, ScanArguments,
};
use serde_json::{Value, json};

/// How long a scan in a test may take before the test fails: the slowest tool on the shop needs about 20 s alone on two
/// busy cores.
const SCAN_PATIENCE: Duration = Duration::from_secs(300);

/// Where `./scripts/test` installed the real tools.
pub fn tools_dir() -> PathBuf {
    let set = std::env::var_os("PROCTOR_TEST_TOOLS_DIR");
    set.map(PathBuf::from).expect("PROCTOR_TEST_TOOLS_DIR names the installed tools: run ./scripts/test")
}

/// Between two looks at something that tells nobody when it changes.
const POLL: Duration = Duration::from_millis(2);

/// A daemon and a directory under which its targets lie. Dropped, it takes everything with it.
pub struct World {
    pub folder: tempfile::TempDir,
    pub daemon: Daemon,
    pub config: Config,
}

impl World {
    /// A daemon with the tools of the catalogue.
    pub async fn boot() -> Self {
        Self::with_manifests(&[]).await
    }

    /// A daemon with further tools, each the text of a manifest.
    pub async fn with_manifests(manifests: &[String]) -> Self {
        Self::with(manifests, |_| {}).await
    }

    /// A daemon with further tools, and its own configuration changed.
    pub async fn with(manifests: &[String], change: impl FnOnce(&mut Config)) -> Self {
        Self::measured(manifests, change, None).await
    }

    /// The same, with its memory measured.
    pub async fn measured(
        manifests: &[String],
        change: impl FnOnce(&mut Config),
        meter: Option<Meter>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifests_dir = folder.path().join("manifests");
        fs::create_dir(&manifests_dir).unwrap();
        for (number, manifest) in manifests.iter().enumerate() {
            fs::write(manifests_dir.join(format!("{number:02}.toml")), manifest).unwrap();
        }
        fs::create_dir(folder.path().join("targets")).unwrap();
        let mut config = Config::with_data_dir(&folder.path().join("data")).unwrap();
        config.daemon.tools_dir = tools_dir();
        config.daemon.manifests_dir = manifests_dir;
        config.process.grace = Duration::from_millis(500);
        // A test looks often; the limit has tests of its own.
        config.gateway.requests_per_s = 10_000;
        config.gateway.requests_burst = 10_000;
        change(&mut config);
        let daemon = start_measured(&config, &folder.path().join("targets"), meter).await;
        Self { folder, daemon, config }
    }

    pub fn targets(&self) -> PathBuf {
        self.folder.path().join("targets")
    }

    /// A target with these files.
    pub fn target(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.targets().join(name);
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    /// A target that is a copy of a directory of this repository.
    pub fn copy_of(&self, folder: &str, name: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let to = self.targets().join(name);
        copy(&from, &to);
        to
    }

    pub async fn client(&self) -> Client {
        let token = fs::read_to_string(self.daemon.token_file()).unwrap();
        Client::connect(self.daemon.address(), token.trim()).await.unwrap()
    }

    /// Scans with the tools named (all that apply if none) and waits for the end.
    pub async fn scan(&self, target: &Path, tools: &[&str]) -> JobAnswer {
        let mut client = self.client().await;
        let job = self.submit(&mut client, target, tools).await;
        tokio::time::timeout(SCAN_PATIENCE, self.end_of(&mut client, &job))
            .await
            .expect("the scan ends in time")
    }

    /// Submits a job of its own and returns its id at once.
    pub async fn submit(&self, client: &mut Client, target: &Path, tools: &[&str]) -> String {
        let arguments = ScanArguments {
            path: target.to_str().map(str::to_owned),
            tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
            wait_s: Some(0),
            fresh: true,
            ..ScanArguments::default()
        };
        let submitted: JobAnswer = client.call("scan", &arguments, |_| {}).await.unwrap();
        submitted.job
    }

    /// Waits until the tool's process is there.
    pub async fn until_running(&self, client: &mut Client, job: &str, tool: &str) {
        let is_running = async {
            loop {
                let arguments = JobArguments { job: job.to_owned(), wait_s: Some(0) };
                let status: JobAnswer = client.call("job_status", &arguments, |_| {}).await.unwrap();
                if status.runs.iter().any(|run| run.tool == tool && run.state == "running") {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SCAN_PATIENCE, is_running).await.expect("the tool starts in time");
    }

    pub async fn cancel(&self, client: &mut Client, job: &str) -> JobAnswer {
        let arguments = JobArguments { job: job.to_owned(), wait_s: Some(20) };
        client.call("job_cancel", &arguments, |_| {}).await.unwrap()
    }

    /// Kills the tool's leader with signal 9 as soon as it is there.
    pub async fn kill_tool(&self, tool: &str) {
        let kill = async {
            loop {
                let pids = self.tool_pids();
                let is_it =
                    |pid: &&i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| runs(&line, tool));
                if let Some(pid) = pids.iter().find(is_it) {
                    let pid = nix::unistd::Pid::from_raw(*pid);
                    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it was alive");
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SCAN_PATIENCE, kill).await.expect("the tool starts in time");
    }

    /// Processes of this daemon's tools that are alive.
    pub fn tool_processes(&self) -> usize {
        self.tool_pids().len()
    }

    /// Tools are known by the run's directory, which is in their environment as HOME.
    fn tool_pids(&self) -> Vec<i32> {
        let runs = format!("HOME={}", self.config.daemon.data_dir.join("runs").display());
        let all =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_ours = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(runs.as_bytes()))
        };
        all.filter(is_ours).collect()
    }

    /// Waits for a job's end.
    pub async fn end_of(&self, client: &mut Client, job: &str) -> JobAnswer {
        loop {
            let arguments = JobArguments { job: job.to_owned(), wait_s: Some(10) };
            let status: JobAnswer = client.call("job_status", &arguments, |_| {}).await.unwrap();
            if status.conclusion != "pending" {
                return status;
            }
        }
    }

    /// Every finding of a job, page by page.
    pub async fn findings(&self, job: &str) -> Vec<FindingAnswer> {
        let mut client = self.client().await;
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let arguments = FindingsArguments {
                job: Some(job.to_owned()),
                cursor,
                limit: Some(100),
                ..FindingsArguments::default()
            };
            let page: FindingsAnswer = client.call("job_results", &arguments, |_| {}).await.unwrap();
            all.extend(page.findings);
            cursor = page.next_cursor;
            if cursor.is_none() {
                assert_eq!(all.len() as u64, page.total, "pages and total agree");
                return all;
            }
        }
    }

    /// Drains and checks that nothing is left.
    pub async fn end(self) {
        self.daemon.drain(Duration::from_secs(15)).await.expect("a drain in time");
        for folder in ["runs", "snapshots"] {
            let left: Vec<_> = fs::read_dir(self.config.daemon.data_dir.join(folder)).unwrap().collect();
            assert!(left.is_empty(), "left in {folder}: {left:?}");
        }
    }
}

/// Whether a command line is that of the tool itself, not of the shim that becomes it.
fn runs(command_line: &[u8], tool: &str) -> bool {
    let line = String::from_utf8_lossy(command_line);
    !line.contains("exec-shim") && line.split('\0').take(2).any(|word| word.contains(&format!("/{tool}/")))
}

pub async fn start(config: &Config, root: &Path) -> Daemon {
    start_measured(config, root, None).await
}

async fn start_measured(config: &Config, root: &Path, meter: Option<Meter>) -> Daemon {
    let shim = PathBuf::from(env!("CARGO_BIN_EXE_proctor"));
    let surroundings = Surroundings { roots: vec![root.to_owned()], shim, manager: None, meter };
    Daemon::start(config, surroundings).await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The name of the tool that does `mode`.
pub fn fake(mode: &str) -> String {
    format!("fake-{}", mode.to_lowercase().replace(' ', "-"))
}

/// The manifest of a tool that does one wrong thing: `tests/fixtures/bin/fake-tool MODE`.
pub fn fake_manifest(mode: &str, wall_s: u32) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin/fake-tool");
    let args: Vec<Value> = mode.split(' ').map(|word| json!(word)).collect();
    let name = fake(mode);
    format!(
        r#"
name = "{name}"
summary = "does one wrong thing"
network = false
[version]
pinned = "1"
args = ["succeed"]
[applies]
files = ["**/*.py"]
[run]
program = "{program}"
args = {args}
cwd = "neutral"
{rest}"#,
        rest = rest_of_manifest(wall_s),
        program = program.display(),
        args = json!(args),
    )
}
