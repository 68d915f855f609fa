//! The snapshot: what the tools of one job are shown instead of the user's tree.
//!
//! ```text
//! take → (walk, judge, copy) → seal → Snapshot → drop: unseal, remove
//! ```
//! One copy per job, shared by all its runs, immutable and content-hashed. Its file list is the denominator of every
//! coverage figure. It holds regular files with names that can be shown, and nothing that steers a tool or is
//! executed by one. What is not in it is named, in one of two lists: `excluded` is policy and costs the job nothing,
//! `left_out` was somebody's source and makes the job's statement a partial one.
//!
//! The user may edit, delete and rename while we read. So the walk never resolves a path twice: it holds a directory
//! by its descriptor and opens each entry from there without following a link (`walk`). Paths are resolved again in
//! our own directory only, which nobody else writes.
//!
//! Everything here blocks: call it on a blocking thread, and drop a [`Snapshot`] on one too.

mod content;
mod dispose;
mod open;
mod policy;
mod walk;

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

pub use dispose::sweep;
pub use policy::{BadPattern, Policy};

use crate::domain::outcome::Gap;
use dispose::Removal;

/// What a tree may cost. A file over a file's limit is left out and named; a tree over a tree's limit is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file. Past 5 MiB it is data or a bundle, and tools need minutes for it.
    pub file_bytes: usize,
    /// Bytes between two line ends. One line of 3 MB cost tools 60 s and 1.7 GB.
    pub line_bytes: usize,
    /// Brackets open at once in a text. At 3,000 a linter died of its stack and took the whole run's report along.
    pub brackets: usize,
    /// Directories inside each other.
    pub depth: usize,
    /// Bytes of a relative path: with the snapshot's own root in front it must stay under `PATH_MAX` (4,096).
    pub path_bytes: usize,
    /// Files copied.
    pub files: usize,
    /// Directory entries looked at, of any kind.
    pub entries: usize,
    /// Bytes copied: what one job may take of the disk.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 5 << 20,
            line_bytes: 1 << 20,
            brackets: 1_000,
            depth: 100,
            path_bytes: 3_000,
            files: 200_000,
            entries: 500_000,
            total_bytes: 2 << 30,
        }
    }
}

/// The snapshot of one tree. Gone from the disk when it is dropped.
#[derive(Debug)]
pub struct Snapshot {
    /// The copy's root; file paths are relative to it.
    pub root: PathBuf,
    /// Sorted by path.
    pub files: Vec<File>,
    /// Source that no tool is shown: too large, unreadable, unshowable. Sorted by path, one entry per file; a directory
    /// that could not be entered is one entry. An entry that is no tool's business need not degrade a job.
    pub left_out: Vec<Gap>,
    /// What is no source: version control data, links, sockets, the tools' own configuration. Sorted by path.
    pub excluded: Vec<Gap>,
    /// SHA-256 over the sorted paths and contents, and over what was left out, in hexadecimal.
    pub digest: String,
    /// Bytes of all files.
    pub bytes: u64,
    _removal: Removal,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative to the root, `/` between parts; printable UTF-8.
    pub path: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
}

/// No snapshot: nothing of it is left on the disk.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("target {path} cannot be opened: {errno}; it must be a readable directory, named without links")]
    Target { path: PathBuf, errno: Errno },
    #[error("target {path} has more than {limit} {what}; name a smaller directory or raise snapshot limits")]
    TooLarge { path: PathBuf, limit: u64, what: &'static str },
    #[error("snapshot cannot be written at {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cancelled while the target was copied")]
    Cancelled,
}

/// Copies `target` (an absolute path without links) to `destination`, which must not exist and lies in a directory
/// that only we write. Blocks for as long as the copy takes; looks at `cancel` before each entry.
pub fn take(
    target: &Path,
    destination: &Path,
    policy: &Policy,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Snapshot, SnapshotError> {
    let root = open::target(target)?;
    let removal = Removal::create(destination)?;
    let found = walk::Walk::new(target, Some(destination), policy, limits, cancel).go(root)?;
    removal.seal()?;
    Ok(Snapshot {
        root: destination.to_owned(),
        digest: digest(&found),
        files: found.files,
        left_out: found.left_out,
        excluded: found.excluded,
        bytes: found.bytes,
        _removal: removal,
    })
}

/// The digest that a snapshot of `target` would have now. Reads what a copy would read and writes nothing.
pub fn look(
    target: &Path,
    policy: &Policy,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<String, SnapshotError> {
    let root = open::target(target)?;
    Ok(digest(&walk::Walk::new(target, None, policy, limits, cancel).go(root)?))
}

/// Equal for equal trees, whatever order they were read in: what the tools are shown, and what they are not. Paths and
/// reasons hold no NUL, so no two lists hash alike.
fn digest(found: &walk::Found) -> String {
    let mut hasher = Sha256::new();
    for file in &found.files {
        hasher.update(file.path.as_bytes());
        hasher.update([0]);
        hasher.update(file.sha256);
    }
    for gap in &found.left_out {
        for text in [&gap.path, &gap.why] {
            hasher.update([0]);
            hasher.update(text.as_bytes());
        }
    }
    format!("{:x}", hasher.finalize())
}
