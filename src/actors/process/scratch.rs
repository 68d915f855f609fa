//! The files of a run: a private HOME and TMPDIR that go with it, and the files its streams are spilled to, which stay.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A private place for what the tool leaves behind; removed on drop.
#[derive(Debug)]
pub(super) struct Private {
    place: TempDir,
}

impl Private {
    pub(super) fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.place.path().join("tmp")
    }
}

/// One stream's file, open for writing.
#[derive(Debug)]
pub(super) struct SpillFile {
    pub path: PathBuf,
    pub file: File,
}

/// Everything [`prepare`] makes.
#[derive(Debug)]
pub(super) struct Scratch {
    pub private: Private,
    pub stdout: SpillFile,
    pub stderr: SpillFile,
}

/// Makes the files of a run in its scratch directory. Blocks on the disk.
pub(super) fn prepare(scratch: &Path) -> io::Result<Scratch> {
    let mode = std::fs::Permissions::from_mode(0o700);
    let place = tempfile::Builder::new().prefix("private-").permissions(mode).tempdir_in(scratch)?;
    let private = Private { place };
    std::fs::create_dir(private.home())?;
    std::fs::create_dir(private.tmp())?;
    Ok(Scratch { private, stdout: spill_file(scratch, "stdout")?, stderr: spill_file(scratch, "stderr")? })
}

/// The files of both streams, for what needs nothing else of a run here. Blocks on the disk.
pub(super) fn spill_files(scratch: &Path) -> io::Result<(SpillFile, SpillFile)> {
    Ok((spill_file(scratch, "stdout")?, spill_file(scratch, "stderr")?))
}

fn spill_file(scratch: &Path, name: &str) -> io::Result<SpillFile> {
    let path = scratch.join(name);
    Ok(SpillFile { file: File::create(&path)?, path })
}
