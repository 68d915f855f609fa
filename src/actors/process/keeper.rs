//! The keeper: one thread, started with the first run, that never ends. It alone spawns children and it alone reaps them.
//!
//! Why a thread: the death signal of a child is tied to the thread that spawned it, and runtime threads come and go. Why
//! one: whoever reaps must know every child, or it would steal another's exit status.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::oneshot;

use super::ended::Usage;
use super::group::{Guard, Holdings};
use super::sys;

/// Whether orphans of runs become our children, see [`super::become_subreaper`].
pub(super) static SUBREAPER: AtomicBool = AtomicBool::new(false);

/// A shim to start, and what its run holds.
#[derive(Debug)]
pub(super) struct Launch {
    pub shim: PathBuf,
    pub arguments: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub cwd: PathBuf,
    pub holdings: Holdings,
}

/// A started run and the reading ends of its pipes; `told` is the shim's ([`super::told`]).
#[derive(Debug)]
pub(super) struct Launched {
    pub guard: Guard,
    pub pidfd: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    pub told: PipeReader,
}

/// Starts the shim. Dropping this future leaves no process: the guard in the lost answer kills it.
pub(super) async fn spawn(launch: Launch) -> io::Result<Launched> {
    let (reply, answer) = oneshot::channel();
    order(Order::Spawn { launch: Box::new(launch), reply });
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the keeper of child processes has ended")))
}

/// Collects a child.
pub(super) fn reap(pid: i32) -> oneshot::Receiver<Reaping> {
    let (reply, answer) = oneshot::channel();
    order(Order::Reap { pid, reply });
    answer
}

/// What came of an attempt to collect a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaping {
    Running,
    /// It is gone. What it cost is unknown when somebody else collected it.
    Done(Option<Usage>),
}

impl Reaping {
    pub(super) const fn usage(self) -> Option<Usage> {
        match self {
            Self::Running => None,
            Self::Done(usage) => usage,
        }
    }
}

enum Order {
    Spawn { launch: Box<Launch>, reply: oneshot::Sender<io::Result<Launched>> },
    Reap { pid: i32, reply: oneshot::Sender<Reaping> },
}

/// Unbounded because it may be asked from `Drop`, which must not wait; it holds at most two orders per run alive.
fn order(order: Order) {
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        keep_exit_statuses();
        let (sender, orders) = mpsc::channel();
        let thread = std::thread::Builder::new().name("process-keeper".to_owned());
        thread
            .spawn(move || Keeper::default().serve(&orders))
            .expect("a daemon that cannot start one thread is lost");
        sender
    });
    // A keeper that is gone drops the reply with the order, and whoever waits for it sees that.
    keeper.send(order).ok();
}

/// A daemon started with SIGCHLD ignored, as some supervisors do, would lose every exit status: the kernel throws them away.
/// Any handler undoes that; nobody needs to read this flag.
fn keep_exit_statuses() {
    let registered = signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::default());
    if let Err(error) = registered {
        tracing::error!(%error, "failed to handle SIGCHLD; if it is ignored, exits cannot be seen");
    }
}

#[derive(Default)]
struct Keeper {
    /// Leaders that were spawned and not reaped.
    leaders: HashSet<i32>,
}

impl Keeper {
    fn serve(mut self, orders: &mpsc::Receiver<Order>) {
        for order in orders {
            match order {
                // An answer nobody waits for is dropped, and what is in it cleans up after itself.
                Order::Spawn { launch, reply } => drop(reply.send(self.spawn(*launch))),
                Order::Reap { pid, reply } => drop(reply.send(self.reap(pid))),
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn spawn(&mut self, launch: Launch) -> io::Result<Launched> {
        let Launch { shim, arguments, env, cwd, holdings } = launch;
        let (told, teller) = io::pipe()?;
        let mut child = std::process::Command::new(shim)
            .args(arguments)
            .env_clear()
            .envs(env)
            .current_dir(cwd)
            .stdin(teller)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pid = i32::try_from(child.id()).expect("the kernel's pids are positive i32");
        self.leaders.insert(pid);
        // From here on an early return kills.
        let guard = Guard::new(pid, holdings);
        let pidfd = pidfd_open(Pid::from_raw(pid).expect("a pid is not 0"), PidfdFlags::empty())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let taken = "both were asked for three lines above";
        let (stdout, stderr) = (stdout.expect(taken).into(), stderr.expect(taken).into());
        Ok(Launched { guard, pidfd, stdout, stderr, told })
    }

    fn reap(&mut self, pid: i32) -> Reaping {
        if !self.leaders.contains(&pid) {
            return Reaping::Done(None);
        }
        let usage = match sys::try_reap(pid) {
            Ok(None) => return Reaping::Running,
            Ok(Some(usage)) => Some(usage),
            Err(error) => {
                tracing::error!(pid, %error, "a child of ours was reaped by somebody else");
                None
            }
        };
        self.leaders.remove(&pid);
        self.reap_orphans();
        Reaping::Done(usage)
    }

    /// Orphans of runs that ended under us as their subreaper. Looked at before they are taken: a leader's exit status
    /// belongs to its run. A dead leader at the front hides those behind it until it is reaped itself, and that ends here.
    fn reap_orphans(&self) {
        while SUBREAPER.load(Ordering::Relaxed) {
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let dead = match waitid(Id::All, look) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => pid,
                _ => return,
            };
            if self.leaders.contains(&dead.as_raw()) {
                return;
            }
            if waitid(Id::Pid(dead), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG).is_err() {
                return;
            }
        }
    }
}
