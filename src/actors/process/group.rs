//! The processes of one run, and the guard that lets none of them outlive it.
//!
//! ```text
//! leader:   Unreaped ──everything dead, checked──► Reaped          (its pid and group number are ours only while Unreaped)
//! dropped before that: SIGKILL to group and cgroups at once, the rest is the undertaker's
//! ```

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

use super::cgroup::Cgroups;
use super::ended::{How, MemoryLimit, Usage};
use super::keeper::{self, Reaping};
use super::scratch::Private;
use super::token::Token;
use super::{scan, sys, undertaker};

/// First and longest pause between two looks at whether a killed run is empty.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What a run holds besides processes.
#[derive(Debug)]
pub(super) struct Holdings {
    pub token: Token,
    pub cgroups: Cgroups,
    /// Held for its removal.
    pub _private: Private,
}

/// The first process of a run, whose pid is also the group's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leader {
    /// Its pid cannot belong to anybody else, dead or alive.
    Unreaped(i32),
    /// Its pid is nothing to us any more.
    Reaped,
}

/// A run that has been started.
#[derive(Debug)]
pub(super) struct Group {
    guard: Guard,
    pidfd: AsyncFd<OwnedFd>,
}

impl Group {
    /// Must be called on a runtime.
    pub(super) fn watch(guard: Guard, pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self { guard, pidfd: sys::watch(pidfd)? })
    }

    /// Waits until the leader has ended. It is not reaped by that: its pid stays ours.
    pub(super) async fn exited(&self) -> How {
        loop {
            // The guard keeps readiness, so that a second call returns at once, unless the look finds the leader alive.
            let readable = self.pidfd.readable().await;
            if let Some(how) = self.look() {
                return how;
            }
            match readable {
                Ok(mut readable) => readable.clear_ready(),
                Err(_) => return std::future::pending().await, // The runtime ends, and with it this future.
            }
        }
    }

    fn look(&self) -> Option<How> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::PIDFd(self.pidfd.get_ref().as_fd()), flags) {
            Ok(WaitStatus::Exited(_, code)) => Some(How::Exited(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(How::Signalled(signal as i32)),
            _ => None,
        }
    }

    /// Asks the group to end. A stopped process is woken, or it could not.
    pub(super) fn terminate(&self) {
        self.guard.remains().signal(Signal::SIGTERM);
        self.guard.remains().signal(Signal::SIGCONT);
    }

    /// Kills until nothing is left, at most until `deadline`; whether nothing is.
    pub(super) async fn put_down(&self, deadline: Instant) -> bool {
        self.guard.remains().kill();
        if timeout_at(deadline, self.exited()).await.is_err() {
            return false;
        }
        let mut pause = LOOKS.0;
        while !self.guard.remains().clear().await {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOKS.1);
        }
        true
    }

    pub(super) fn memory_limit(&self) -> MemoryLimit {
        self.guard.remains().holdings.cgroups.memory_limit()
    }

    /// Reaps the leader, which has ended and was the last of its run, and removes what the run held.
    pub(super) async fn bury(mut self) -> Option<Usage> {
        let reaping = match self.guard.take_leader() {
            Leader::Unreaped(pid) => keeper::reap(pid).await.ok(),
            Leader::Reaped => None,
        };
        self.guard.release().await;
        reaping.and_then(Reaping::usage)
    }
}

/// Holds a run from the moment its leader exists.
#[derive(Debug)]
pub(super) struct Guard {
    /// `None` only in the guard's own last moments.
    remains: Option<Remains>,
}

const HELD: &str = "a guard gives its run away in `release` and `drop` only, which are its end";

impl Guard {
    pub(super) fn new(leader: i32, holdings: Holdings) -> Self {
        Self { remains: Some(Remains { leader: Leader::Unreaped(leader), holdings }) }
    }

    fn remains(&self) -> &Remains {
        self.remains.as_ref().expect(HELD)
    }

    /// From now on nobody signals the group: its number may soon be another's.
    fn take_leader(&mut self) -> Leader {
        let remains = self.remains.as_mut().expect(HELD);
        std::mem::replace(&mut remains.leader, Leader::Reaped)
    }

    /// Removes what the run held. The tool may have filled its HOME: that takes a thread that may block.
    async fn release(mut self) {
        let Some(mut remains) = self.remains.take() else {
            return;
        };
        let removing = tokio::task::spawn_blocking(move || {
            if !remains.holdings.cgroups.remove() {
                // The kernel lets go of the last process a little later than it says.
                undertaker::take(remains);
            }
        });
        // It goes on without us, if need be.
        removing.await.ok();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(remains) = self.remains.take() {
            remains.kill();
            undertaker::take(remains);
        }
    }
}

/// What is left of a run: perhaps processes, certainly what it holds.
#[derive(Debug)]
pub(super) struct Remains {
    leader: Leader,
    holdings: Holdings,
}

impl Remains {
    fn signal(&self, signal: Signal) {
        if let Leader::Unreaped(pid) = self.leader {
            // ESRCH: nobody is left to get it.
            killpg(Pid::from_raw(pid), signal).ok();
        }
    }

    /// SIGKILL to all that can be reached without searching.
    fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.holdings.cgroups.kill();
    }

    /// Kills, and tells whether there was nothing left to kill.
    async fn clear(&self) -> bool {
        if let Some(empty) = self.clear_cgroups() {
            return empty;
        }
        // Reading all of `/proc` takes milliseconds.
        tokio::task::spawn_blocking(self.hunt()).await.unwrap_or(false)
    }

    /// `None` when there are none, and so no telling.
    fn clear_cgroups(&self) -> Option<bool> {
        let empty = self.holdings.cgroups.is_empty()?;
        if !empty {
            self.kill();
        }
        Some(empty)
    }

    /// The search through `/proc` that stands in for a cgroup.
    fn hunt(&self) -> impl FnOnce() -> bool + Send + 'static {
        let token = self.holdings.token;
        let group = match self.leader {
            Leader::Unreaped(pid) => Some(pid),
            Leader::Reaped => None,
        };
        move || scan::hunt(|process| Some(process.group) == group || process.token() == Some(token)) == 0
    }

    /// One attempt at ending it all; whether it succeeded. For the undertaker: it blocks.
    pub(super) fn settle(&mut self) -> bool {
        let cleared = self.clear_cgroups().unwrap_or_else(|| self.hunt()());
        if let Leader::Unreaped(pid) = self.leader
            && cleared
            && let Ok(Reaping::Done(_)) = keeper::reap(pid).blocking_recv()
        {
            self.leader = Leader::Reaped;
        }
        cleared && self.leader == Leader::Reaped && self.holdings.cgroups.remove()
    }
}
