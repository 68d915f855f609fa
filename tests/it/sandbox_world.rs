//! What the sandbox tests share: a data directory full of things a tool must not reach, a process and sockets that belong to
//! somebody else, and a tool that tries. Not under `/tmp`, which the sandbox replaces, and
//! in which the checkout itself may lie.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use proctor::actors::process::sandbox::Walls;
use proctor::actors::process::{Command, Ended, Sandbox, run};
use tokio_util::sync::CancellationToken;

use crate::process_world::PATIENCE;

/// Everything this machine must have, for the tests to test the real thing; `scripts/test` sees to bubblewrap.
pub const ALL: Walls = Walls::ALL;
/// A machine without bubblewrap.
pub const NO_BUBBLEWRAP: Walls = Walls { bubblewrap: false, ..Walls::ALL };

/// What the tool said of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Escaped(String),
    Held(String),
    Broken(String),
}

pub struct Prison {
    place: tempfile::TempDir,
    pub tcp: TcpListener,
    pub udp: UdpSocket,
    pub _docker: UnixListener,
    pub _abstract: UnixListener,
    pub abstract_name: String,
    bystander: Child,
}

impl Prison {
    #[expect(clippy::disallowed_methods, reason = "a bystander is started, not a tool")]
    pub fn new() -> Self {
        let place = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = |name: &str| place.path().join(name);
        for folder in ["snapshot", "rules", "tool_config", "run-a/work", "run-b/work", "home/.ssh", "bin"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        for file in
            ["snapshot/app.py", "rules/r.yaml", "tool_config/c.toml", "run-b/work/report", "home/.ssh/id"]
        {
            fs::write(path(file), "content of somebody else").unwrap();
        }
        for file in ["proctor.db", "token"] {
            fs::write(path(file), "content of the daemon").unwrap();
        }
        fs::copy("/bin/true", path("bin/hidden")).unwrap();
        let abstract_name = format!("proctor-test-{}", place.path().file_name().unwrap().display());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let bystander =
            std::process::Command::new("/bin/sleep").arg("1000").env("SECRET", "s").spawn().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        Self {
            tcp,
            udp,
            _docker: UnixListener::bind(path("docker.sock")).unwrap(),
            _abstract: UnixListener::bind_addr(&address).unwrap(),
            abstract_name,
            bystander,
            place,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub fn bystander(&self) -> u32 {
        self.bystander.id()
    }

    pub fn bystander_lives(&mut self) -> bool {
        self.bystander.try_wait().unwrap().is_none()
    }

    /// What a run of the real thing may see, and Python.
    pub fn sandbox(&self, walls: Walls) -> Sandbox {
        let mut readable = ["snapshot", "rules", "tool_config"].map(|name| self.path(name)).to_vec();
        readable.extend([fixtures(), python().1.clone()]);
        let writable = vec![self.path("run-a/work")];
        Sandbox { readable, writable, walls: Some(walls), ..Sandbox::default() }
    }

    /// `escape.py` with these attempts.
    pub fn command(&self, sandbox: Option<Sandbox>, attempts: &[String]) -> Command {
        let mut command = Command::new(&python().0, self.path("run-a"));
        command.args = vec!["-I".into(), fixtures().join("escape.py").into()];
        command.args.extend(attempts.iter().map(Into::into));
        command.cwd = Some(self.path("run-a/work"));
        command.shim = Some(env!("CARGO_BIN_EXE_proctor").into());
        command.limits.wall = PATIENCE;
        command.sandbox = sandbox;
        command
    }

    /// What came of every attempt.
    pub async fn try_all(&self, sandbox: Option<Sandbox>, attempts: &[String]) -> BTreeMap<String, Said> {
        let ended = run(self.command(sandbox, attempts), CancellationToken::new()).await;
        let said = said(&ended);
        let names: Vec<&str> = attempts.iter().map(|one| one.split('=').next().unwrap()).collect();
        for name in &names {
            assert!(said.contains_key(*name), "nothing was said of {name}: {ended:?}\n{said:?}");
        }
        said
    }
}

impl Drop for Prison {
    fn drop(&mut self) {
        self.bystander.kill().ok();
        self.bystander.wait().ok();
    }
}

fn said(ended: &Ended) -> BTreeMap<String, Said> {
    let text = String::from_utf8_lossy(&ended.stdout.tail).into_owned();
    let line = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let (word, detail) = rest.split_once(' ').unwrap_or((rest, ""));
        let said = match word {
            "escaped" => Said::Escaped(detail.to_owned()),
            "held" => Said::Held(detail.to_owned()),
            _ => Said::Broken(detail.to_owned()),
        };
        Some((name.to_owned(), said))
    };
    text.lines().filter_map(line).collect()
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin")
}

/// The machine's Python and where its libraries are: it may be anywhere.
#[expect(clippy::disallowed_methods, reason = "the machine is asked, no tool is started")]
pub fn python() -> &'static (PathBuf, PathBuf) {
    static PYTHON: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let ask = "import os, sys; print(os.path.realpath(sys.executable)); print(sys.base_prefix)";
        let output = std::process::Command::new("python3")
            .args(["-c", ask])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(PathBuf::from);
        (lines.next().unwrap(), lines.next().unwrap())
    })
}
