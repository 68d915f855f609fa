//! Further tokens, each with a principal of its own: the file `tokens` in the data directory, 0600, a line `NAME DIGEST`
//! for each. Only digests are kept, so whoever reads the file cannot come in by it.
//!
//! The command line changes the file, whether a daemon runs or not; the daemon looks at it whenever somebody asks to come
//! in. It is replaced whole, so a reader sees the old list or the new one. A list that cannot be read lets nobody in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::token::{DIGEST_BYTES, OWNER, Token, TokenFileError, digest};
use crate::domain::ids::Principal;

/// Name of the file in the data directory.
const FILE: &str = "tokens";
/// Tokens of one list: every upgrade compares with each of them, and the gateway keeps a share of work for each.
pub const TOKENS_MAX: usize = 1_000;
/// Longest name of a holder, in bytes: it is shown in tables.
const NAME_BYTES_MAX: usize = 64;

/// Why the list was not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenListError {
    #[error("cannot {verb} the list of tokens {}: {source}", path.display())]
    Io { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("the list of tokens {} can be read by others (mode {mode:o}); run chmod 600 on it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("the list of tokens {} is damaged in line {line}; remove that line", path.display())]
    Damaged { path: PathBuf, line: usize },
    #[error(
        "{0:?} is no name for a token: 1 to {NAME_BYTES_MAX} of a-z, 0-9, `-`, `_` and `.`, and not `{OWNER}`"
    )]
    BadName(String),
    #[error("there is a token for {0} already; revoke it to get another")]
    Taken(String),
    #[error("there is no token for {0}; `proctor token list` names those there are")]
    Unknown(String),
    #[error("there are {TOKENS_MAX} tokens already, and no more are allowed; revoke one")]
    Full,
    #[error(transparent)]
    Token(#[from] TokenFileError),
}

/// A token that opens the door, and whose it is.
pub type Entry = ([u8; DIGEST_BYTES], Principal);

/// The list of one data directory.
#[derive(Debug, Clone)]
pub struct TokenList {
    path: PathBuf,
}

/// Which file it was: a replaced one has another inode, and one that was written to or opened to others another time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl TokenList {
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE) }
    }

    /// `None` when there is no file.
    pub fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        Some(Stamp { inode: metadata.ino(), changed: (metadata.ctime(), metadata.ctime_nsec()) })
    }

    /// All entries, in the order of their making; none when there is no file.
    pub fn read(&self) -> Result<Vec<Entry>, TokenListError> {
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(self.failing("read"))?,
        };
        if metadata.mode() & 0o077 != 0 {
            return Err(TokenListError::Exposed { path: self.path.clone(), mode: metadata.mode() & 0o777 });
        }
        let text = fs::read_to_string(&self.path).map_err(self.failing("read"))?;
        let damaged = |index: usize| TokenListError::Damaged { path: self.path.clone(), line: index + 1 };
        text.lines().enumerate().map(|(index, line)| entry(line).ok_or_else(|| damaged(index))).collect()
    }

    /// Makes a token for `name`. It is in nobody's hands but the caller's.
    pub fn add(&self, name: &str) -> Result<Token, TokenListError> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name == OWNER || !name.bytes().all(is_plain) {
            return Err(TokenListError::BadName(name.to_owned()));
        }
        let _alone = self.lock()?;
        let mut entries = self.read()?;
        if entries.iter().any(|(_, principal)| principal.0 == name) {
            return Err(TokenListError::Taken(name.to_owned()));
        }
        if entries.len() >= TOKENS_MAX {
            return Err(TokenListError::Full);
        }
        let token = Token::random()?;
        entries.push((digest(token.reveal()), Principal(name.to_owned())));
        self.replace(&entries)?;
        Ok(token)
    }

    /// From here on nobody comes in by the token of `name`.
    pub fn revoke(&self, name: &str) -> Result<(), TokenListError> {
        let _alone = self.lock()?;
        let mut entries = self.read()?;
        let before = entries.len();
        entries.retain(|(_, principal)| principal.0 != name);
        if entries.len() == before {
            return Err(TokenListError::Unknown(name.to_owned()));
        }
        self.replace(&entries)
    }

    /// Two changes at once would lose one of them. Waits: a change takes milliseconds.
    fn lock(&self) -> Result<Flock<File>, TokenListError> {
        let path = self.path.with_extension("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(self.failing("lock"))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno.into())
            .map_err(self.failing("lock"))
    }

    fn replace(&self, entries: &[Entry]) -> Result<(), TokenListError> {
        let line = |(digest, principal): &Entry| format!("{} {}\n", principal.0, hex(digest));
        let text: String = entries.iter().map(line).collect();
        let beside = self.path.with_extension("new");
        let written = || {
            // One that a command left when it died is nobody's: the lock is ours.
            let options =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
            let mut file = options?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        written().map_err(self.failing("write"))
    }

    fn failing(&self, verb: &'static str) -> impl FnOnce(io::Error) -> TokenListError {
        let path = self.path.clone();
        move |source| TokenListError::Io { verb, path, source }
    }
}

fn entry(line: &str) -> Option<Entry> {
    let (name, digest) = line.split_once(' ')?;
    Some((unhex(digest)?, Principal(name.to_owned())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(pair).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
#[path = "token_list_tests.rs"]
mod tests;
