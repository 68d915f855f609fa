//! Finds the program before anything is started, so that a missing one is told apart from one that fails.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::command::Command;
use super::ended::{How, Obstacle};

/// The absolute path of the program, or why it cannot be started.
pub(super) fn program(command: &Command) -> Result<PathBuf, How> {
    let program = &command.program;
    if program.is_absolute() {
        return executable(program).map(|()| program.clone());
    }
    if program.components().count() != 1 {
        return Err(blocked(format!(
            "the program {} is neither absolute nor a bare name",
            program.display()
        )));
    }
    let path = command.env.iter().rfind(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    search(program, path.unwrap_or(OsStr::new("")))
}

fn search(name: &Path, path: &OsStr) -> Result<PathBuf, How> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|candidate| executable(candidate).is_ok())
        .ok_or_else(|| missing(format!("{} is in no folder of PATH {}", name.display(), path.display())))
}

fn executable(path: &Path) -> Result<(), How> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing(format!("{} does not exist", path.display())),
        _ => blocked(format!("cannot look at {}: {error}", path.display())),
    })?;
    if !metadata.is_file() {
        return Err(blocked(format!("{} is not a file", path.display())));
    }
    access(path, AccessFlags::X_OK)
        .map_err(|error| blocked(format!("{} is not executable: {}", path.display(), error.desc())))
}

/// There is no such program: installing it helps.
pub(super) fn missing(detail: String) -> How {
    How::NotStarted { obstacle: Obstacle::Missing, detail }
}

/// Something else stands in the way.
pub(super) fn blocked(detail: String) -> How {
    How::NotStarted { obstacle: Obstacle::Other, detail }
}
