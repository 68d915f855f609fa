//! The walk: every entry of the target once, by descriptors, links never followed.
//!
//! A path is a question that may be answered differently each time it is asked. So a directory is opened from its
//! parent's descriptor with `O_NOFOLLOW`, and a file is judged by what its own descriptor says after it was opened: a
//! rename in between changes which file is read, never where it lies. What vanishes while we look was not there.

use std::ffi::{CStr, CString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstat, fstatat};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::policy::{Policy, Siblings, is_showable};
use super::{File, Limits, SnapshotError, content, open};
use crate::domain::finding::clean_text;
use crate::domain::outcome::Gap;

/// Of a copied file: read by everybody, written by nobody, executed by nobody.
const FILE_MODE: u32 = 0o444;
/// Of a path that is named as missing; the longest path the kernel opens.
const PATH_SHOWN_BYTES_MAX: usize = 4_096;

/// What a walk has found so far.
#[derive(Default)]
pub(super) struct Found {
    pub files: Vec<File>,
    pub left_out: Vec<Gap>,
    pub excluded: Vec<Gap>,
    pub bytes: u64,
    entries: usize,
}

pub(super) struct Walk<'a> {
    target: &'a Path,
    /// Where to copy to; `None` only looks.
    destination: Option<&'a Path>,
    policy: &'a Policy,
    limits: &'a Limits,
    cancel: &'a CancellationToken,
    found: Found,
    /// One file's bytes, reused.
    buffer: Vec<u8>,
}

/// A directory yet to be entered.
struct Pending {
    parent: Rc<Dir>,
    name: CString,
    place: Place,
}

/// Where in the target we are.
struct Place {
    /// Relative; lossy where a name is not UTF-8, and such a place is always barred. Empty for the root.
    path: String,
    depth: usize,
    /// Why every file from here on is left out.
    barred: Option<&'static str>,
}

/// A directory being read.
struct Here<'w> {
    fd: &'w Rc<Dir>,
    place: &'w Place,
    siblings: Siblings,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        target: &'a Path,
        destination: Option<&'a Path>,
        policy: &'a Policy,
        limits: &'a Limits,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self { target, destination, policy, limits, cancel, found: Found::default(), buffer: Vec::new() }
    }

    /// Depth first, so that the descriptors held at once are those of one branch.
    pub(super) fn go(mut self, root: Dir) -> Result<Found, SnapshotError> {
        let place = Place { path: String::new(), depth: 0, barred: None };
        let mut pending = Vec::new();
        self.directory(root, &place, &mut pending)?;
        while let Some(next) = pending.pop() {
            match open::directory(next.parent.as_fd(), &next.name) {
                Ok(fd) => self.directory(fd, &next.place, &mut pending)?,
                Err(Errno::ENOENT) => {}
                Err(errno) => self.leave_out(next.place.path, format!("cannot be entered: {}", errno.desc())),
            }
        }
        self.found.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.found.left_out.sort();
        self.found.excluded.sort();
        Ok(self.found)
    }

    fn directory(
        &mut self,
        mut fd: Dir,
        place: &Place,
        pending: &mut Vec<Pending>,
    ) -> Result<(), SnapshotError> {
        let names = match self.names(&mut fd) {
            Ok(names) => names?,
            Err(errno) => {
                self.leave_out(place.path.clone(), format!("cannot be listed: {}", errno.desc()));
                return Ok(());
            }
        };
        let fd = Rc::new(fd);
        let here = Here { fd: &fd, place, siblings: Siblings::of(names.iter().map(|name| name.to_bytes())) };
        for name in names {
            if self.cancel.is_cancelled() {
                return Err(SnapshotError::Cancelled);
            }
            pending.extend(self.entry(&here, name)?);
        }
        Ok(())
    }

    /// The names in a directory, in an order that does not depend on the file system.
    fn names(&mut self, directory: &mut Dir) -> nix::Result<Result<Vec<CString>, SnapshotError>> {
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.found.entries += 1;
            if self.found.entries > self.limits.entries {
                return Ok(Err(self.too_large(self.limits.entries as u64, "directory entries")));
            }
            names.push(name.to_owned());
        }
        names.sort();
        // A rename under way can show one name twice.
        names.dedup();
        Ok(Ok(names))
    }

    fn entry(&mut self, here: &Here<'_>, name: CString) -> Result<Option<Pending>, SnapshotError> {
        let text = name.to_string_lossy();
        let path = match here.place.path.as_str() {
            "" => text.to_string(),
            parent => format!("{parent}/{text}"),
        };
        let stat = match fstatat(here.fd.as_fd(), name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => {
                self.leave_out(path, format!("cannot be looked at: {}", errno.desc()));
                return Ok(None);
            }
        };
        match open::kind(&stat) {
            SFlag::S_IFDIR => Ok(self.subdirectory(here, name, path)),
            SFlag::S_IFREG => {
                self.regular(here, &name, path)?;
                Ok(None)
            }
            special => {
                self.exclude(path, open::why_special(special));
                Ok(None)
            }
        }
    }

    fn subdirectory(&mut self, here: &Here<'_>, name: CString, path: String) -> Option<Pending> {
        let text = name.to_string_lossy();
        if let Some(why) = self.policy.excludes_directory(&text) {
            self.exclude(path, why);
            return None;
        }
        let depth = here.place.depth + 1;
        if depth > self.limits.depth {
            let why = format!("more than {} directories deep", self.limits.depth);
            self.leave_out(path, why);
            return None;
        }
        let barred = here.place.barred.or_else(|| match name.to_str() {
            Err(_) => Some("in a directory whose name is not UTF-8"),
            Ok(text) => self.policy.bars_directory(text, &path),
        });
        Some(Pending { parent: Rc::clone(here.fd), place: Place { path, depth, barred }, name })
    }

    fn regular(&mut self, here: &Here<'_>, name: &CStr, path: String) -> Result<(), SnapshotError> {
        if let Some(why) = self.policy.excludes(&name.to_string_lossy(), &path, here.siblings) {
            self.exclude(path, why);
            return Ok(());
        }
        let unshowable = || (!is_showable(&path)).then_some("its path has characters that cannot be shown");
        let no_text = || name.to_str().is_err().then_some("its name is not UTF-8");
        let too_long = || (path.len() > self.limits.path_bytes).then_some("its path is too long");
        if let Some(why) = here.place.barred.or_else(no_text).or_else(unshowable).or_else(too_long) {
            self.leave_out(path, why.to_owned());
            return Ok(());
        }
        match self.read(here.fd.as_fd(), name) {
            Ok(None) => self.keep(path),
            Ok(Some(objection)) => {
                self.leave_out(path, objection);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                self.leave_out(path, format!("cannot be read: {error}"));
                Ok(())
            }
        }
    }

    /// Reads one file into the buffer; `Some` says why it is not kept.
    fn read(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<String>> {
        let file = open::file(parent, name)?;
        let stat = fstat(file.as_fd())?;
        if open::kind(&stat) != SFlag::S_IFREG {
            return Ok(Some("changed into something else while it was read".to_owned()));
        }
        let limit = self.limits.file_bytes;
        let too_large = || Some(format!("larger than {limit} bytes"));
        if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > limit as u64 {
            return Ok(too_large());
        }
        self.buffer.clear();
        // One byte more than allowed shows a file that grew since its size was asked.
        file.take(limit as u64 + 1).read_to_end(&mut self.buffer)?;
        if self.buffer.len() > limit {
            return Ok(too_large());
        }
        Ok(content::objection(&self.buffer, self.limits))
    }

    /// Takes the buffer in as a file of the snapshot.
    fn keep(&mut self, path: String) -> Result<(), SnapshotError> {
        let bytes = self.buffer.len() as u64;
        if self.found.files.len() == self.limits.files {
            return Err(self.too_large(self.limits.files as u64, "files"));
        }
        self.found.bytes += bytes;
        if self.found.bytes > self.limits.total_bytes {
            return Err(self.too_large(self.limits.total_bytes, "bytes"));
        }
        if let Some(destination) = self.destination {
            let at = destination.join(&path);
            write(&at, &self.buffer).map_err(|source| SnapshotError::Write { path: at, source })?;
        }
        let sha256 = Sha256::digest(&self.buffer).into();
        self.found.files.push(File { path, bytes, sha256 });
        Ok(())
    }

    fn leave_out(&mut self, path: String, why: String) {
        self.found.left_out.push(gap(&path, &why));
    }

    fn exclude(&mut self, path: String, why: &str) {
        self.found.excluded.push(gap(&path, why));
    }

    fn too_large(&self, limit: u64, what: &'static str) -> SnapshotError {
        SnapshotError::TooLarge { path: PathBuf::from(self.target), limit, what }
    }
}

/// Names what is not in the snapshot, in words that can be shown.
fn gap(path: &str, why: &str) -> Gap {
    Gap { path: clean_text(path, PATH_SHOWN_BYTES_MAX), why: why.to_owned() }
}

fn write(at: &Path, bytes: &[u8]) -> io::Result<()> {
    let create = || fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(at);
    let mut file = match create() {
        // Directories are made for the first file in them: an empty one would be nothing to examine.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(at.parent().expect("a file lies below the destination"))?;
            create()?
        }
        other => other?,
    };
    file.write_all(bytes)
}
