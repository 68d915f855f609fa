//! Engines of a test's own, Docker's and Podman's: nobody else's is disturbed when one is killed. Their data is gone with them.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use proctor::domain::container::ContainerSpec;

use super::docker_world::{docker_at, shell};

/// The image of [`OwnEngine::import`]: one static program, which does what it is told (`tests/fixtures/bin/tiny.c`).
pub const TINY: &str = "tiny:latest";

/// The user who has nothing.
const NOBODY: u32 = 65_534;

#[expect(
    clippy::disallowed_methods,
    reason = "an engine of the test's own, and this very binary, to be killed"
)]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A container of the tiny program.
pub fn tiny(words: &[&str]) -> ContainerSpec {
    let words = [&["/tiny"], words].concat();
    let command = Some(words.into_iter().map(str::to_owned).collect());
    ContainerSpec { command, image: TINY.parse().unwrap(), ..shell("") }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Docker,
    Podman,
    /// By a user who is not root, with that one user in its containers.
    RootlessPodman,
}

/// An engine that a test starts and kills as it likes.
pub struct OwnEngine {
    folder: tempfile::TempDir,
    product: Product,
    host: String,
    running: Option<Child>,
}

impl OwnEngine {
    /// Docker's, on a socket.
    pub fn docker() -> Self {
        Self::new(Product::Docker, |folder| format!("unix://{folder}/docker.sock"))
    }

    /// Docker's, on a port of the loopback.
    pub fn docker_on_tcp() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::new(Product::Docker, |_| format!("tcp://{free}"))
    }

    /// Podman's, on a socket.
    pub fn podman() -> Self {
        Self::new(Product::Podman, |folder| format!("unix://{folder}/podman.sock"))
    }

    /// Podman's, of a plain user.
    pub fn rootless_podman() -> Self {
        let own = Self::new(Product::RootlessPodman, |folder| format!("unix://{folder}/podman.sock"));
        for folder in [own.folder.path(), &own.at("run")] {
            std::fs::create_dir_all(folder).unwrap();
            std::os::unix::fs::chown(folder, own.user(), own.user()).unwrap();
        }
        own
    }

    /// Who runs it; the group has the same number.
    fn user(&self) -> Option<u32> {
        let is_root = nix::unistd::getuid().is_root();
        (self.product == Product::RootlessPodman && is_root).then_some(NOBODY)
    }

    fn new(product: Product, host: impl FnOnce(&str) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path().to_str().unwrap());
        Self { folder, product, host, running: None }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn start(&mut self) {
        let log = File::options().append(true).create(true).open(self.at("log")).unwrap();
        let mut service = match self.product {
            Product::Docker => self.dockerd(),
            Product::Podman | Product::RootlessPodman => {
                let mut podman = self.podman_with(&["system", "service", "--time=0"]);
                podman.arg(&self.host);
                podman
            }
        };
        // Podman starts itself anew when it is not root's: what is killed is killed with that.
        service.process_group(0).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.running =
            Some(service.spawn().expect("the engine is installed: tests/images/engine, tests/images/podman"));
    }

    fn dockerd(&self) -> Command {
        let path = |flag: &str, name: &str| format!("--{flag}={}", self.at(name).display());
        let mut dockerd = command("dockerd");
        dockerd
            .args([path("data-root", "data"), path("exec-root", "exec"), path("pidfile", "pid")])
            .arg(format!("--host={}", self.host))
            // It must not touch the machine's network or the rules of the other engine's.
            .args(["--bridge=none", "--iptables=false", "--ip-forward=false", "--storage-driver=vfs"]);
        dockerd
    }

    fn podman_with(&self, words: &[&str]) -> Command {
        let settings = self.at("containers.conf");
        // A test may not raise limits of open files, which is what Podman does by itself; and it takes the hard one for the soft
        // one, so they are the same.
        let text = format!(
            "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n\
             [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = {:?}\n",
            self.at("networks")
        );
        std::fs::write(&settings, text).unwrap();
        let path = |flag: &str, name: &str| format!("--{flag}={}", self.at(name).display());
        let mut podman = command("podman");
        podman
            .env("CONTAINERS_CONF", settings)
            // Where its helpers leave files.
            .current_dir(self.folder.path())
            .args([path("root", "data"), path("runroot", "exec")])
            .args(["--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver=vfs"]);
        if let Some(user) = self.user() {
            podman.env("HOME", self.folder.path()).env("XDG_RUNTIME_DIR", self.at("run"));
            // One user is all there is: files of others become that one's.
            podman.arg("--storage-opt=vfs.ignore_chown_errors=true").uid(user).gid(user);
        }
        podman.args(words);
        podman
    }

    pub fn signal(&mut self, signal: Signal) {
        if let Some(mut child) = self.running.take() {
            killpg(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
            child.wait().unwrap();
        }
        // Killed, it leaves the numbers of its processes, and the next one waits for them. Its own child is killed with it,
        // but where the first process of the machine reaps nobody, it looks alive for ever.
        for name in ["pid", "exec/containerd/containerd.pid", "podman.sock"] {
            drop(std::fs::remove_file(self.at(name)));
        }
    }

    /// Makes the tiny image in it.
    pub fn import(&self) {
        let root = self.at("image");
        std::fs::create_dir_all(root.join("tmp")).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bin/tiny.c");
        let line = format!(
            "cc -static -o {root}/tiny {source} && tar -C {root} -cf {root}.tar tiny tmp",
            root = root.display(),
        );
        let made = command("sh").args(["-c", &line]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        docker_at(Some(&self.host), &["import", &format!("{}.tar", root.display()), TINY]);
    }
}

impl OwnEngine {
    /// What Podman leaves when it ends: its mounts, and the process that holds a user's namespaces.
    fn clear(&self) {
        let pause = std::fs::read_to_string(self.at("run/libpod/tmp/pause.pid")).unwrap_or_default();
        if let Ok(pause) = pause.trim().parse() {
            kill(Pid::from_raw(pause), Signal::SIGKILL).ok();
        }
        let folder = self.folder.path().display().to_string();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        for place in
            mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|at| at.starts_with(&folder))
        {
            drop(command("umount").args(["--lazy", place]).output());
        }
    }
}

impl Drop for OwnEngine {
    #[expect(clippy::print_stderr, reason = "what the engine said, beside what failed")]
    fn drop(&mut self) {
        if self.product != Product::Docker {
            // Its containers outlive it otherwise.
            drop(self.podman_with(&["rm", "--all", "--force", "--time=0"]).output());
        }
        self.signal(Signal::SIGTERM);
        if self.product != Product::Docker {
            self.clear();
        }
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", std::fs::read_to_string(self.at("log")).unwrap_or_default());
        }
    }
}
