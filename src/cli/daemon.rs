//! Finds the running daemon: it announces itself in its data directory, and what is announced is checked, since a
//! daemon that was killed leaves its announcement behind.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::Deserialize;

use super::client::{Client, ClientError};
use crate::actors::gateway::token::{Token, TokenFileError};

/// In the data directory, next to the token.
const ANNOUNCEMENT: &str = "daemon.json";

/// Where a daemon listens and where its token is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Running {
    pub address: SocketAddr,
    pub pid: i32,
    pub token_file: PathBuf,
}

/// Why no daemon could be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    #[error("no daemon runs on {}; start one with `proctor serve`", data_dir.display())]
    NotRunning { data_dir: PathBuf },
    #[error("{} is not readable as a daemon's announcement: {why}; restart the daemon", path.display())]
    BadAnnouncement { path: PathBuf, why: String },
    #[error("{0}; run this as the user the daemon runs as")]
    Token(#[from] TokenFileError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The daemon announced in `data_dir`, if its process lives.
pub fn find(data_dir: &Path) -> Result<Option<Running>, ReachError> {
    let path = data_dir.join(ANNOUNCEMENT);
    let bad = |why: String| ReachError::BadAnnouncement { path: path.clone(), why };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let running: Running = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    Ok(is_alive(running.pid).then_some(running))
}

/// The same, for whom there must be one.
pub fn running(data_dir: &Path) -> Result<Running, ReachError> {
    find(data_dir)?.ok_or_else(|| ReachError::NotRunning { data_dir: data_dir.to_owned() })
}

/// Connects to the daemon of `data_dir`.
pub async fn reach(data_dir: &Path) -> Result<Client, ReachError> {
    let running = running(data_dir)?;
    Ok(Client::connect(running.address, &running.token()?).await?)
}

impl Running {
    pub fn token(&self) -> Result<String, ReachError> {
        read_token(&self.token_file)
    }
}

/// Refuses a file that others can read, as the daemon does.
pub fn read_token(path: &Path) -> Result<String, ReachError> {
    Ok(Token::read(path)?.reveal().to_owned())
}

/// Signal 0 asks whether a process exists. One that we may not signal exists too.
fn is_alive(pid: i32) -> bool {
    pid > 0 && matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(text: &str) -> Result<Option<Running>, ReachError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(ANNOUNCEMENT), text).unwrap();
        find(folder.path())
    }

    #[test]
    fn a_dead_daemons_announcement_is_passed_over() {
        let ours = std::process::id();
        let text = |pid| format!(r#"{{"address":"127.0.0.1:7878","pid":{pid},"token_file":"/t","more":1}}"#);
        assert_eq!(announced(&text(ours)).unwrap().unwrap().address.port(), 7878);
        // The kernel's largest pid is below this one.
        assert_eq!(announced(&text(i32::MAX as u32)).unwrap(), None);
        assert_eq!(find(tempfile::tempdir().unwrap().path()).unwrap(), None);
    }

    #[test]
    fn a_broken_announcement_says_so() {
        let error = announced("{").unwrap_err().to_string();
        assert!(error.contains("daemon.json is not readable as a daemon's announcement"), "{error}");
    }
}
