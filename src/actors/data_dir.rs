//! The data directory: what lies where, made and tidied at start.
//!
//! ```text
//! <data_dir>/
//!   daemon.lock     held while a daemon runs; two daemons on one directory would each believe to be the only writer
//!   proctor.db      the store
//!   events.jsonl    the journal; older ones are .1 to .3
//!   ballast         the reserve of the disk
//!   token           the bearer token, 0600
//!   tokens          digests of the tokens of others, 0600; there when one was made
//!   daemon.json     where the running daemon listens; gone when none runs
//!   daemon-id       the directory's own id: what containers of its daemons are labelled with
//!   config/         our rules and tool configuration, as the tools are given them
//!   snapshots/      one directory per job under way
//!   runs/           one directory per run under way
//! ```

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};
use serde_json::json;

use super::jobs::snapshot;
use super::random;
use crate::domain::ids::DaemonId;
use crate::store::lock::{DATA_DIR_LOCK, Lock, LockError};
use crate::tools::catalogue::TOOL_CONFIG;

/// Our rules, written by us for use without a network.
static RULES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/config/rules");

/// The places in a data directory.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("data directory: cannot {what} {path}: {source}", path = path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Locked(#[from] LockError),
}

fn failing<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> DataDirError + 'a {
    move |source| DataDirError::Io { what, path: path.to_owned(), source }
}

impl DataDir {
    /// Makes the directory, for this user only, and takes its lock: one daemon at a time.
    pub fn lock(root: &Path) -> Result<Lock, DataDirError> {
        private_dir(root).map_err(failing("make", root))?;
        Ok(Lock::acquire(&root.join(DATA_DIR_LOCK))?)
    }

    /// Makes what is missing, writes our rules and configuration anew (a newer binary brings newer ones) and removes what
    /// runs of an earlier life left. Call it while holding the directory's lock.
    pub fn prepare(root: &Path) -> Result<Self, DataDirError> {
        let this = Self { root: root.to_owned() };
        if this.config().exists() {
            fs::remove_dir_all(this.config()).map_err(failing("empty", &this.config()))?;
        }
        for folder in [this.runs(), this.snapshots(), this.tool_config(), this.rules()] {
            private_dir(&folder).map_err(failing("make", &folder))?;
        }
        // Snapshots are sealed, and a tool may have closed a directory of its own: both are opened before they are removed.
        for leftovers in [this.snapshots(), this.runs()] {
            snapshot::sweep(&leftovers).map_err(failing("empty", &leftovers))?;
        }
        write_all(&TOOL_CONFIG, &this.tool_config())?;
        write_all(&RULES, &this.rules())?;
        Ok(this)
    }

    /// Says where the daemon listens, for the command line. Written beside and renamed: nobody reads half of it.
    pub fn announce(&self, address: SocketAddr) -> Result<(), DataDirError> {
        let path = self.announcement();
        let announcement = json!({"address": address, "pid": std::process::id(), "token_file": self.token()});
        let beside = path.with_extension("new");
        fs::write(&beside, announcement.to_string()).map_err(failing("write", &beside))?;
        fs::rename(&beside, &path).map_err(failing("write", &path))
    }

    /// The directory's id, made at the first start. What is left in a container engine by a daemon that died is known by it.
    pub fn daemon_id(&self) -> Result<DaemonId, DataDirError> {
        let path = self.root.join("daemon-id");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let not_one =
                    |_| io::Error::other("it holds no id; remove it, and then what its containers left");
                text.trim().parse().map_err(not_one).map_err(failing("read", &path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = DaemonId::from_random(random::bytes());
                let beside = path.with_extension("new");
                fs::write(&beside, format!("{id}\n")).map_err(failing("write", &beside))?;
                fs::rename(&beside, &path).map_err(failing("write", &path))?;
                Ok(id)
            }
            Err(error) => Err(failing("read", &path)(error)),
        }
    }

    /// Takes the announcement back. One that stays is harmless: its reader checks whether the daemon lives.
    pub fn retract(&self) {
        drop(fs::remove_file(self.announcement()));
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// Where the running daemon listens, for the command line.
    pub fn announcement(&self) -> PathBuf {
        self.root.join("daemon.json")
    }

    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub fn tool_config(&self) -> PathBuf {
        self.config().join("tools")
    }

    pub fn rules(&self) -> PathBuf {
        self.config().join("rules")
    }

    fn config(&self) -> PathBuf {
        self.root.join("config")
    }
}

/// Makes a directory for this user only, with its parents.
pub fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_all(from: &Dir<'_>, to: &Path) -> Result<(), DataDirError> {
    for entry in from.entries() {
        let name = entry.path().file_name().unwrap_or_default();
        let path = to.join(name);
        match entry {
            DirEntry::Dir(folder) => {
                private_dir(&path).map_err(failing("make", &path))?;
                write_all(folder, &path)?;
            }
            DirEntry::File(file) => {
                fs::write(&path, file.contents()).map_err(failing("write", &path))?;
                // A tool must not be able to change what the next tool is given.
                fs::set_permissions(&path, fs::Permissions::from_mode(0o444))
                    .map_err(failing("protect", &path))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To root every directory is open: the test says more where it is run by somebody else.
    #[test]
    fn what_a_tool_left_closed_does_not_keep_the_daemon_from_starting() {
        let world = tempfile::tempdir().unwrap();
        let closed = world.path().join("runs/run-1/work/closed");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("file"), "left").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        let data = DataDir::prepare(world.path()).unwrap();
        assert_eq!(fs::read_dir(data.runs()).unwrap().count(), 0);
        assert!(data.rules().is_dir() && data.tool_config().is_dir());
    }

    #[test]
    fn a_directory_keeps_its_id() {
        let world = tempfile::tempdir().unwrap();
        let id = DataDir::prepare(world.path()).unwrap().daemon_id().unwrap();
        assert_eq!(DataDir::prepare(world.path()).unwrap().daemon_id().unwrap(), id);
        fs::write(world.path().join("daemon-id"), "none").unwrap();
        assert!(DataDir::prepare(world.path()).unwrap().daemon_id().is_err());
    }
}
