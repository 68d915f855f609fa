//! `/proc`, read: who is alive, in which group, with which token. All functions block for a few milliseconds.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::token::{Token, VARIABLE};

/// Bytes of an environment that are searched for the token: the kernel allows 2 MiB for it and the arguments by default.
const ENVIRONMENT_BYTES: u64 = 4 << 20;

/// A line of `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: i32,
    pub zombie: bool,
    pub parent: i32,
    pub group: i32,
    /// Clock ticks since boot.
    pub started: u64,
}

impl Process {
    /// `None` when there is no such process (any more).
    pub(super) fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(pid: i32, stat: &str) -> Option<Self> {
        // The name is in parentheses and may itself hold spaces and parentheses: the last one closes it.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            zombie: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// The token in its environment; `None` for processes of others, and for those that cleared theirs.
    pub(super) fn token(self) -> Option<Token> {
        let mut environment = Vec::new();
        let file = std::fs::File::open(format!("/proc/{}/environ", self.pid)).ok()?;
        file.take(ENVIRONMENT_BYTES).read_to_end(&mut environment).ok()?;
        environment.split(|byte| *byte == 0).find_map(token_of)
    }

    /// Sends SIGKILL if the process is still the one that was read: the descriptor pins it, then its start time is
    /// compared, so a reused pid is never hit.
    pub(super) fn kill(self) {
        let Some(pinned) = self.pin() else { return };
        if Self::read(self.pid).is_some_and(|now| now.started == self.started) {
            // The only failure left is that it has just died.
            pidfd_send_signal(&pinned, Signal::KILL).ok();
        }
    }

    fn pin(self) -> Option<OwnedFd> {
        pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()
    }
}

/// Every process that is not a zombie.
pub(super) fn living() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
        .filter(|process| !process.zombie)
        .collect()
}

/// Kills every living process that is `prey`; how many there were.
pub(super) fn hunt(prey: impl Fn(Process) -> bool) -> usize {
    let found: Vec<Process> = living().into_iter().filter(|process| prey(*process)).collect();
    found.iter().for_each(|process| process.kill());
    found.len()
}

fn token_of(entry: &[u8]) -> Option<Token> {
    let value = entry.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"=")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) S (b)) Z 3 5 5 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        let expected = Process { pid: 7, zombie: true, parent: 3, group: 5, started: 4711 };
        assert_eq!(Process::parse(7, stat), Some(expected));
        assert_eq!(Process::parse(7, "7 (cut"), None);
    }

    #[test]
    fn we_are_alive_and_carry_no_token() {
        let ours = i32::try_from(std::process::id()).expect("a pid is positive and small");
        let process = living().into_iter().find(|process| process.pid == ours).expect("we are running");
        assert_eq!(process.token(), None);
    }

    #[test]
    fn the_token_is_read_from_its_own_variable_only() {
        let token = Token::next();
        assert_eq!(token_of(format!("{VARIABLE}={token}").as_bytes()), Some(token));
        assert_eq!(token_of(format!("X{VARIABLE}={token}").as_bytes()), None);
    }
}
