//! The reserve: a file that nobody needs. Its blocks are the disk's until it is removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;

use super::usage::BLOCK_BYTES;
use crate::domain::space::{Limits, Seen};

/// Its name in the data directory.
const NAME: &str = "ballast";

/// The reserve of one directory's disk.
#[derive(Debug, Clone)]
pub struct Ballast {
    directory: PathBuf,
}

impl Ballast {
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// What is free and what is held now. Free is what we may write: root's own reserve counts for root only.
    pub fn look(&self) -> io::Result<Seen> {
        let disk = statvfs(&self.directory)?;
        let free = disk.blocks_available().saturating_mul(disk.fragment_size());
        let held = match fs::metadata(self.path()) {
            Ok(file) => file.blocks().saturating_mul(BLOCK_BYTES),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Seen { free, held })
    }

    pub fn give_up(&self) -> io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reserves blocks without writing them. On a file system that cannot, there is no ballast.
    pub fn take(&self, bytes: u64) -> io::Result<()> {
        let length = i64::try_from(bytes).map_err(io::Error::other)?;
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.path())?;
        let taken = fallocate(&file, FallocateFlags::empty(), 0, length);
        if taken.is_err() {
            // A part of it would be a lie about what is held.
            self.give_up()?;
        }
        Ok(taken?)
    }
}

/// Before anything of a start is written: what a full disk left of an earlier life's reserve is given up.
pub fn make_room(directory: &Path, limits: Limits) -> io::Result<()> {
    let ballast = Ballast::of(directory);
    let seen = ballast.look()?;
    if seen.held > 0 && !limits.has_room(seen) {
        tracing::warn!(
            free = seen.free,
            held = seen.held,
            "the disk is nearly full; its reserve is given up"
        );
        ballast.give_up()?;
    }
    Ok(())
}
