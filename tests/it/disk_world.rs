//! A disk of a test's own, and the real `proctor serve` on it: a tmpfs of a few MB in a private mount namespace, which is
//! gone with the process that holds it, however the test ends.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proctor::cli::client::{Client, ClientError};
use proctor::protocol::api::{JobAnswer, JobArguments, ScanArguments};
use serde_json::Value;

use crate::cli::Home;
use crate::cli_scan;

/// Between two looks at something that tells nobody when it changes.
const POLL: Duration = Duration::from_millis(10);
/// Longest start of the daemon, under strace on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Looks at the free space before it can be taken.
const FILL_TRIES: u32 = 1_000;

/// The disk and the home beside it, with a target and the three tools of [`cli_scan::world`].
pub struct Disk {
    pub home: Home,
    holder: Child,
    _stdin: ChildStdin,
    mount: PathBuf,
}

impl Disk {
    pub fn new(bytes: u64) -> Self {
        let home = cli_scan::world();
        let mount = home.path().join("disk");
        fs::create_dir(&mount).unwrap();
        let script = r#"mount -t tmpfs -o size="$1" tmpfs "$2" && echo mounted && exec cat"#;
        let mut command = command("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !nix::unistd::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", script, "sh", &bytes.to_string()]).arg(&mount);
        let mut holder =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("util-linux has unshare");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n", "no tmpfs: the test needs root or user namespaces");
        let stdin = holder.stdin.take().unwrap();
        Self { home, holder, _stdin: stdin, mount }
    }

    /// A path on the disk, as seen from here.
    pub fn at(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mount.strip_prefix("/").unwrap()).join(name)
    }

    /// Takes all that is free, at once. Looks again when somebody wrote meanwhile.
    pub fn fill(&self) {
        let filler = File::create(self.at("filler")).unwrap();
        let whole = nix::fcntl::FallocateFlags::empty();
        let taken = (0..FILL_TRIES).find_map(|_| {
            let disk = nix::sys::statvfs::statvfs(&self.at("")).unwrap();
            let free = disk.blocks_available() * disk.fragment_size();
            nix::fcntl::fallocate(&filler, whole, 0, i64::try_from(free).unwrap()).ok()
        });
        taken.expect("the free space can be taken");
    }

    pub fn free(&self) {
        fs::remove_file(self.at("filler")).unwrap();
    }

    pub fn serve(&self, settings: &[&str], strace: &[&str]) -> Served {
        let mut command = command("nsenter");
        let namespace = format!("/proc/{}/ns", self.holder.id());
        command.arg(format!("--mount={namespace}/mnt"));
        if !nix::unistd::geteuid().is_root() {
            command.args([format!("--user={namespace}/user"), "--preserve-credentials".to_owned()]);
        }
        let home = self.home.path();
        command.arg(format!("--wd={}", home.display())).arg("--").args(strace);
        command.arg(env!("CARGO_BIN_EXE_proctor")).args(["serve", "--root", "target"]);
        let data = format!("daemon.data_dir={}", self.mount.join("data").display());
        let roomy = [
            "gateway.requests_per_s=10000",
            "gateway.requests_burst=10000",
            "process.grace_s=1",
            "storage.free_bytes_min=0",
            "storage.ballast_bytes=0",
        ];
        for setting in roomy.iter().chain(settings).copied().chain([data.as_str()]) {
            command.args(["--set", setting]);
        }
        let log = home.join("log");
        let written = File::create(&log).unwrap();
        command.env_clear().env("HOME", home).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let child = command.stdin(Stdio::null()).stderr(written).spawn().expect("util-linux has nsenter");
        Served { child, log, data: self.at("data") }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon is started on a disk of its own")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// `proctor serve`; killed when dropped.
pub struct Served {
    child: Child,
    log: PathBuf,
    data: PathBuf,
}

impl Served {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it serves.
    pub async fn ready(mut self) -> Self {
        let deadline = Instant::now() + START;
        while !self.log().contains("serving") {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended:\n{}", self.log());
            assert!(Instant::now() < deadline, "it does not serve:\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
        self
    }

    pub async fn client(&self) -> Client {
        let announced = fs::read_to_string(self.data.join("daemon.json")).unwrap();
        let announced: Value = serde_json::from_str(&announced).unwrap();
        let token = fs::read_to_string(self.data.join("token")).unwrap();
        Client::connect(announced["address"].as_str().unwrap().parse().unwrap(), token.trim()).await.unwrap()
    }

    /// What the readiness probe says: its status and its text.
    pub async fn readiness(&self) -> (u16, String) {
        let announced = fs::read_to_string(self.data.join("daemon.json")).unwrap();
        let announced: Value = serde_json::from_str(&announced).unwrap();
        let address = announced["address"].as_str().unwrap();
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let answer = crate::support::raw::exchange(address.parse().unwrap(), request.as_bytes()).await;
        (crate::support::raw::status(&answer), answer)
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn data(&self) -> &Path {
        &self.data
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // An error means that it has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Scans the target with one tool and waits for the end.
pub async fn scan(client: &mut Client, disk: &Disk, tool: &str) -> Result<JobAnswer, ClientError> {
    let path = disk.home.path().join("target").to_str().unwrap().to_owned();
    let arguments = ScanArguments {
        path: Some(path),
        tools: vec![tool.into()],
        wait_s: Some(40),
        ..ScanArguments::default()
    };
    client.call("scan", &arguments, |_| {}).await
}

/// Submits a job and returns its id at once.
pub async fn submit(client: &mut Client, disk: &Disk, tool: &str) -> Result<JobAnswer, ClientError> {
    let path = disk.home.path().join("target").to_str().unwrap().to_owned();
    let arguments = ScanArguments {
        path: Some(path),
        tools: vec![tool.into()],
        wait_s: Some(0),
        ..ScanArguments::default()
    };
    client.call("scan", &arguments, |_| {}).await
}

pub async fn cancel(client: &mut Client, job: &str) -> Result<JobAnswer, ClientError> {
    let arguments = JobArguments { job: job.to_owned(), wait_s: Some(20) };
    client.call("job_cancel", &arguments, |_| {}).await
}

pub async fn status(client: &mut Client, job: &str) -> Result<JobAnswer, ClientError> {
    let arguments = JobArguments { job: job.to_owned(), wait_s: Some(0) };
    client.call("job_status", &arguments, |_| {}).await
}

/// Whether it was refused for now, with a time to come back.
pub fn is_retryable(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { refusal, .. } if refusal.retry_after_ms.is_some())
}
