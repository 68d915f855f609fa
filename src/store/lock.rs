//! One owner of a directory at a time, by `flock`: the kernel lets go of it however the owner ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Name of the lock that a daemon holds on its data directory as long as it lives.
pub const DATA_DIR_LOCK: &str = "daemon.lock";

/// Longest process id as text, with its line end.
const PID_BYTES_MAX: u64 = 16;

/// How long a lock may outlive its holder: a tool that was just being started has a copy of every descriptor between its fork
/// and its exec, and on a busy machine it may not get that far for a while.
const LINGERS_MAX: Duration = Duration::from_secs(3);
/// Between two tries.
const LINGER_PAUSE: Duration = Duration::from_millis(20);

/// A held lock. The file stays when it is dropped: removing it would let two owners lock two files of one name.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "{path} is held by process {holder}: another daemon uses this data directory; stop it or choose another"
    )]
    Held { path: PathBuf, holder: String },
    #[error("cannot lock {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl Lock {
    /// Takes the lock at `path`, or fails at once where its holder lives. Writes our process id into the file, for people and
    /// for whoever is refused. Blocks for [`LINGERS_MAX`] at most.
    #[expect(
        clippy::disallowed_methods,
        reason = "a start's first step: there is no work yet that could be held up"
    )]
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let until = Instant::now() + LINGERS_MAX;
        loop {
            match Self::try_once(path) {
                Err(LockError::Held { holder, .. }) if is_dead(&holder) && Instant::now() < until => {
                    std::thread::sleep(LINGER_PAUSE);
                }
                tried => return tried,
            }
        }
    }

    fn try_once(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // For people only: on a full disk the lock is held all the same.
                drop(sign(&mut file));
                Ok(Self { _file: file })
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                Err(LockError::Held { path: path.to_owned(), holder: holder(&mut file) })
            }
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Whether the process that signed is no more. What is no number, nobody knows.
fn is_dead(holder: &str) -> bool {
    holder.parse().is_ok_and(|pid: i32| pid > 0 && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}

/// Empty for the moment between a holder's lock and its signature.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(PID_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => text.trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_by_name_until_the_first_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATA_DIR_LOCK);
        let first = Lock::acquire(&path).unwrap();
        let error = Lock::acquire(&path).unwrap_err();
        let pid = std::process::id().to_string();
        assert!(matches!(&error, LockError::Held { holder, .. } if *holder == pid), "{error}");
        drop(first);
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_lock_that_outlives_its_holder_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATA_DIR_LOCK);
        let copy = Lock::acquire(&path).unwrap();
        // No process has this number: it is over the kernel's largest.
        std::fs::write(&path, "2147483647\n").unwrap();
        let (is_waited_for, waits) = std::sync::mpsc::channel();
        let successor = std::thread::spawn({
            let path = path.clone();
            move || {
                is_waited_for.send(()).unwrap();
                Lock::acquire(&path).map(drop)
            }
        });
        waits.recv().unwrap();
        drop(copy);
        successor.join().unwrap().unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = Lock::acquire(Path::new("/nowhere/daemon.lock")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/daemon.lock"), "{error}");
    }
}
