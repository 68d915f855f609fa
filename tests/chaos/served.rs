//! `proctor serve` as a process. Dropped, it is killed and waited for, so that no scenario leaves a daemon.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proctor::cli::client::Client;
use proctor::cli::daemon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::{POLL, World, until};

/// Longest wait for a daemon to be ready: many times what it takes.
const READY_MAX: Duration = Duration::from_secs(60);
/// Longest wait for the end of a process that was told to end.
const END_MAX: Duration = Duration::from_secs(60);
/// Lines of the daemon's log that are shown when it does not do as expected.
const LOG_LINES: usize = 12;

/// Where a daemon is to kill itself: at the `pass`th time it passes the point.
#[derive(Debug, Clone, Copy)]
pub struct DieAt {
    pub point: &'static str,
    pub pass: usize,
}

pub struct Served {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
    /// From exec to ready.
    pub took: Duration,
}

impl Served {
    /// Starts a daemon and waits until `/readyz` says so.
    pub async fn start(world: &World, die_at: Option<DieAt>) -> Self {
        match Self::try_start(world, die_at).await {
            Some(served) => served,
            None => panic!("the daemon ended before it was ready:\n{}", log_tail(world)),
        }
    }

    /// `None` when it killed itself before it was ready, as it was asked to.
    pub async fn try_start(world: &World, die_at: Option<DieAt>) -> Option<Self> {
        let began = Instant::now();
        let mut child = spawn(world, die_at);
        let pid = pid_of(&child);
        world.started(pid);
        let end = began + READY_MAX;
        loop {
            let running = daemon::find(&world.data_dir()).ok().flatten().filter(|running| running.pid == pid);
            if let Some(running) = running
                && get(running.address, "/readyz").await.is_some_and(|answer| answer.ends_with("ready\n"))
            {
                let token = running.token().expect("the daemon made its token");
                return Some(Self { child, address: running.address, token, took: began.elapsed() });
            }
            if let Some(status) = child.try_wait().expect("a child of ours") {
                let as_asked = die_at.is_some() && status.signal() == Some(Signal::SIGKILL as i32);
                assert!(as_asked, "ended before it was ready, {status}:\n{}", log_tail(world));
                return None;
            }
            assert!(Instant::now() < end, "not ready within {READY_MAX:?}:\n{}", log_tail(world));
            tokio::time::sleep(POLL).await;
        }
    }

    pub fn pid(&self) -> i32 {
        pid_of(&self.child)
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address, &self.token).await.expect("a daemon that serves")
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("a child of ours that was not waited for");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for the end.
    pub async fn wait(&mut self) -> ExitStatus {
        assert!(until(END_MAX, || self.ended().is_some()).await, "the daemon did not end within {END_MAX:?}");
        self.ended().expect("it has ended")
    }

    /// SIGTERM, and the exit code.
    pub async fn stop(mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait().await.code()
    }

    /// The value of a series of `/metrics`, 0 when it is not there (yet).
    pub async fn metric(&self, series: &str) -> f64 {
        let text = get(self.address, "/metrics").await.unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary itself is under test")]
fn spawn(world: &World, die_at: Option<DieAt>) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(world.log()).expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_proctor"));
    command.args(world.arguments()).env_clear().env("HOME", world.folder()).current_dir(world.folder());
    if let Some(DieAt { point, pass }) = die_at {
        command.env("PROCTOR_DIE_AT", format!("{point}:{pass}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the daemon starts")
}

fn pid_of(child: &Child) -> i32 {
    child.id().try_into().expect("a pid")
}

pub fn log_tail(world: &World) -> String {
    let text = fs::read_to_string(world.log()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

/// A GET, and all that comes back.
async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    };
    exchange.await.ok()
}
