//! Opening what may have been swapped since it was looked at: never through a link, never waiting.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag};

use super::SnapshotError;

/// Opens the target by walking down from `/`: the path was checked against the allowed roots as it is, so a link that
/// appeared in it since then must not be followed.
pub(super) fn target(target: &Path) -> Result<Dir, SnapshotError> {
    let failed = |errno| SnapshotError::Target { path: target.to_owned(), errno };
    let mut components = target.components();
    if components.next() != Some(Component::RootDir) {
        return Err(failed(Errno::EINVAL));
    }
    let pass = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut fd = nix::fcntl::open("/", pass, Mode::empty()).map_err(failed)?;
    for component in components {
        let Component::Normal(name) = component else {
            return Err(failed(Errno::EINVAL));
        };
        fd = openat(&fd, name, pass, Mode::empty()).map_err(failed)?;
    }
    directory(fd.as_fd(), c".").map_err(failed)
}

pub(super) fn directory(parent: BorrowedFd<'_>, name: &CStr) -> nix::Result<Dir> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = openat(parent, name, flags, Mode::empty())?;
    Dir::from_fd(fd)
}

/// `O_NONBLOCK`: a file that was swapped for a pipe after it was looked at must not hold the walk.
pub(super) fn file(parent: BorrowedFd<'_>, name: &CStr) -> nix::Result<fs::File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty()).map(fs::File::from)
}

pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

pub(super) fn why_special(kind: SFlag) -> &'static str {
    match kind {
        SFlag::S_IFLNK => "a symbolic link",
        SFlag::S_IFSOCK => "a socket",
        SFlag::S_IFIFO => "a pipe",
        SFlag::S_IFBLK | SFlag::S_IFCHR => "a device",
        _ => "not a regular file",
    }
}
