//! A Docker engine of a scenario's own, so that it can be killed and that all it holds is the scenario's. Dropped, it ends.

use std::fs::{self, OpenOptions};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// From its start to its first answer.
const UP_MAX: Duration = Duration::from_secs(60);
/// It gives containers 15 s to end before it kills them.
const END_MAX: Duration = Duration::from_secs(60);
/// Between two questions, each of which is a process.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Of its networks. The machine's other engine takes its own from the private ranges.
const ADDRESSES: &str = "base=198.18.0.0/16,size=24";

/// What an engine holds.
#[derive(Debug, Default)]
pub struct Held(Vec<String>);

impl Held {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn shown(&self) -> String {
        self.0.join(", ")
    }
}

pub struct Engine {
    folder: tempfile::TempDir,
    running: Option<Child>,
}

impl Engine {
    /// A new one, with an image of the machine's engine.
    pub async fn with_image(image: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("proctor-engine-").tempdir().expect("a folder");
        let mut engine = Self { folder, running: None };
        engine.start().await;
        let line = format!("docker save {image} | docker --host {} load", engine.host());
        let loaded = command("bash", &["-o", "pipefail", "-c", &line]);
        assert!(loaded.status.success(), "{} (run ./tests/images/all)", errors(&loaded));
        engine
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.at("docker.sock"))
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        let log = OpenOptions::new().append(true).create(true).open(self.at("log")).expect("a log");
        #[expect(clippy::disallowed_methods, reason = "an engine to be killed")]
        let mut engine = Command::new("dockerd");
        engine.args([format!("--host={}", self.host()), format!("--default-address-pool={ADDRESSES}")]);
        let folders = [("data-root", "data"), ("exec-root", "exec"), ("pidfile", "pid")];
        engine.args(folders.map(|(flag, name)| format!("--{flag}={}", self.at(name))));
        // It must not touch the rules of the machine or of its other engine.
        engine.args(["--bridge=none", "--iptables=false", "--ip-forward=false"]);
        engine.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        self.running = Some(engine.spawn().expect("dockerd is installed: tests/images/engine"));
        let is_up = asked(UP_MAX, || self.run(&["version"]).status.success()).await;
        assert!(is_up, "the engine did not answer:\n{}", self.log());
    }

    /// Ends it and waits for that.
    pub async fn stop(&mut self, signal: Signal) {
        let Some(mut child) = self.running.take() else { return };
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("a child of ours");
        let ended = asked(END_MAX, || matches!(child.try_wait(), Ok(Some(_)))).await;
        assert!(ended, "the engine did not end:\n{}", self.log());
        self.forget();
    }

    /// One that was killed leaves the numbers of its processes, for which its successor would wait.
    fn forget(&self) {
        for name in ["pid", "exec/containerd/containerd.pid"] {
            drop(fs::remove_file(self.at(name)));
        }
    }

    /// Asks it from outside, by its own client.
    pub fn run(&self, words: &[&str]) -> Output {
        let host = self.host();
        command("docker", &[&["--host", &host], words].concat())
    }

    /// The standard output of what must succeed.
    pub fn ask(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "docker {words:?}: {}", errors(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ids of the containers that run.
    pub fn containers(&self) -> Vec<String> {
        self.ask(&["ps", "--quiet"]).lines().map(str::to_owned).collect()
    }

    /// All containers, networks and volumes, but the networks that each engine has.
    pub fn held(&self) -> Held {
        let lists: [&[&str]; 3] = [
            &["ps", "--all", "--format", "container {{.Names}} ({{.Status}})"],
            &["network", "ls", "--filter", "type=custom", "--format", "network {{.Name}}"],
            &["volume", "ls", "--format", "volume {{.Name}}"],
        ];
        Held(
            lists
                .iter()
                .flat_map(|words| self.ask(words).lines().map(str::to_owned).collect::<Vec<_>>())
                .collect(),
        )
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.at("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Engine {
    #[expect(clippy::disallowed_methods, reason = "the engine's own client")]
    fn drop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        // The bridges of networks that are left would outlive it.
        let line = "docker ps -aq | xargs -r docker rm -f; docker network prune -f";
        let host = format!("DOCKER_HOST={}", self.host());
        drop(Command::new("env").args([&host, "sh", "-c", line]).output());
        if kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).is_ok() {
            drop(child.wait());
        }
        // After a kill its successor takes this for a mount of somebody else's, and leaves it.
        drop(Command::new("umount").args(["--quiet", &self.at("data")]).status());
    }
}

/// Asks until the answer is yes, `patience` at most; says whether it was.
pub async fn asked(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    true
}

fn command(program: &str, words: &[&str]) -> Output {
    #[expect(clippy::disallowed_methods, reason = "an observer that shares no code with what it observes")]
    let output = Command::new(program).args(words).output();
    output.unwrap_or_else(|error| panic!("{program}: {error} (tests/images/engine installs it)"))
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
