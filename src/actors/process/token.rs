//! The name of a run, carried in its environment and in the name of its cgroup, so that processes of a dead daemon can be
//! told from processes of a living one: `<pid namespace>.<pid>.<start time>.<number>`.
//!
//! The first three name the daemon. A run is a leftover when its daemon is dead, whoever finds it; a daemon in another pid
//! namespace cannot be looked up, so its runs are none of our business.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::scan;

/// The environment variable that carries the token.
pub(super) const VARIABLE: &str = "PROCTOR_RUN";

/// One run of one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token {
    daemon: Daemon,
    run: u64,
}

/// One life of one daemon process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Daemon {
    /// Inode of the pid namespace.
    namespace: u64,
    pid: i32,
    /// Clock ticks from boot to the start of the process: pids are reused, this pair is not.
    started: u64,
}

impl Token {
    /// A token no other run of this machine has had since boot.
    pub(super) fn next() -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        Self { daemon: Daemon::ours(), run: RUNS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Whether the daemon that started the run is gone.
    pub(super) fn is_leftover(self) -> bool {
        self.daemon.namespace == Daemon::ours().namespace && !self.daemon.is_alive()
    }
}

impl Daemon {
    fn ours() -> Self {
        static OURS: OnceLock<Daemon> = OnceLock::new();
        *OURS.get_or_init(|| {
            let pid = nix::unistd::getpid().as_raw();
            let started = scan::Process::read(pid).map_or(0, |process| process.started);
            Daemon { namespace: pid_namespace().unwrap_or(0), pid, started }
        })
    }

    fn is_alive(self) -> bool {
        scan::Process::read(self.pid).is_some_and(|process| process.started == self.started)
    }
}

/// `pid:[4026531836]` → 4026531836.
fn pid_namespace() -> Option<u64> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Daemon { namespace, pid, started } = self.daemon;
        write!(f, "{namespace}.{pid}.{started}.{}", self.run)
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(NotAToken);
        let daemon = Daemon {
            namespace: number(next()?)?,
            pid: i32::try_from(number(next()?)?).map_err(|_| NotAToken)?,
            started: number(next()?)?,
        };
        let run = number(next()?)?;
        match parts.next() {
            None => Ok(Self { daemon, run }),
            Some(_) => Err(NotAToken),
        }
    }
}

/// A text that names no run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAToken;

fn number(text: &str) -> Result<u64, NotAToken> {
    text.parse().map_err(|_| NotAToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text() {
        let token = Token::next();
        assert_eq!(token.to_string().parse(), Ok(token));
        assert_ne!(token, Token::next());
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "1.2.3", "1.2.3.4.5", "1.x.3.4", "1.99999999999.3.4"] {
            assert_eq!(text.parse::<Token>(), Err(NotAToken), "{text}");
        }
    }

    #[test]
    fn a_run_is_a_leftover_only_when_its_daemon_is_dead() {
        let live = Token::next();
        assert!(!live.is_leftover());
        let reborn = Daemon { started: live.daemon.started + 1, ..live.daemon };
        assert!(Token { daemon: reborn, run: 0 }.is_leftover());
        let foreign = Daemon { namespace: live.daemon.namespace + 1, ..reborn };
        assert!(!Token { daemon: foreign, run: 0 }.is_leftover());
    }
}
