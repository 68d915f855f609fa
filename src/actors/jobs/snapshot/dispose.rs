//! A snapshot's directory: made, sealed, and removed again, whatever happens in between.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::SnapshotError;

/// Nobody adds to, removes from or renames in a sealed directory.
const SEALED: u32 = 0o555;
/// Ours to fill and to empty.
const OPEN: u32 = 0o700;

/// Owns the directory: dropping it removes it.
#[derive(Debug)]
pub(super) struct Removal(PathBuf);

impl Removal {
    /// Makes the directory; one that is there already is somebody else's and stays.
    pub(super) fn create(path: &Path) -> Result<Self, SnapshotError> {
        fs::create_dir(path).map_err(|source| SnapshotError::Write { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn seal(&self) -> Result<(), SnapshotError> {
        set_modes(&self.0, SEALED).map_err(|source| SnapshotError::Write { path: self.0.clone(), source })
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        let removed = off_the_workers(|| remove(&self.0));
        if let Err(error) = removed {
            tracing::warn!(path = %self.0.display(), %error, "snapshot not removed; the sweep at the next start will");
        }
    }
}

/// Whoever lets go last removes thousands of files, and that may be an actor: its worker hands its other tasks on first.
/// (A current-thread runtime has no other worker to hand them to, and allows no such thing.)
fn off_the_workers<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Removes what an earlier life of the daemon left in the directory of snapshots. The caller holds the lock of the data
/// directory, so nothing in it is in use. Returns how many were removed.
pub fn sweep(snapshots: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(snapshots) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        remove(&entry?.path())?;
        removed += 1;
    }
    Ok(removed)
}

fn remove(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    set_modes(path, OPEN)?;
    fs::remove_dir_all(path)
}

/// Sets the mode of a directory and of all directories below it. A directory is opened before its entries are read
/// and, where it is closed, both orders work: its owner may always change its mode.
fn set_modes(directory: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(directory, fs::Permissions::from_mode(mode))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            set_modes(&entry.path(), mode)?;
        }
    }
    Ok(())
}
