//! What is sent to the engine as files: the directory an image is built from, and files for a container.
//!
//! A directory is read twice: once to see that it is within its limits, once to be sent. `.dockerignore` counts as in
//! Docker, in what is common: comments, `*`, `**`, `?`, `[…]`, and `!` for what is kept after all; the last pattern wins.
//! Links are sent as links, special files not at all.

use std::fs;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{Stream, stream};
use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::domain::container::FileIn;

/// Bytes sent at once, and how many such pieces may wait for the engine.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_WAITING: usize = 8;
/// A file of patterns that is longer is none.
const IGNORE_BYTES_MAX: u64 = 1 << 20;
const IGNORE_FILE: &str = ".dockerignore";

/// Why a directory cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("{path} cannot be read: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} has no {dockerfile}", directory.display())]
    NoDockerfile { directory: PathBuf, dockerfile: String },
    #[error(
        "{} holds more than {limit} {what} to build from; leave out what the image does not need, in its {IGNORE_FILE}",
        directory.display()
    )]
    TooLarge { directory: PathBuf, limit: u64, what: &'static str },
    #[error("{IGNORE_FILE} line {line}: {pattern:?} is no pattern: {why}")]
    Pattern { line: usize, pattern: String, why: String },
}

/// What a directory may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextLimits {
    pub bytes: u64,
    pub files: u64,
}

/// A directory that was looked through.
#[derive(Debug)]
pub struct BuildContext {
    root: PathBuf,
    /// Relative to the root, in order.
    entries: Vec<PathBuf>,
    /// Of the files together.
    pub bytes: u64,
}

impl BuildContext {
    /// Looks through a directory. Blocks.
    pub fn read(root: &Path, dockerfile: &str, limits: ContextLimits) -> Result<Self, ContextError> {
        let plain =
            Path::new(dockerfile).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !plain || !root.join(dockerfile).is_file() {
            let dockerfile = dockerfile.to_owned();
            return Err(ContextError::NoDockerfile { directory: root.to_owned(), dockerfile });
        }
        let ignored = Ignored::read(root)?;
        let mut context = Self { root: root.to_owned(), entries: Vec::new(), bytes: 0 };
        let mut pending = vec![PathBuf::new()];
        while let Some(folder) = pending.pop() {
            for path in children(root, &folder)? {
                let at = root.join(&path);
                let metadata = fs::symlink_metadata(&at).map_err(failing(&at))?;
                let needed = path == Path::new(dockerfile) || path == Path::new(IGNORE_FILE);
                let left_out = ignored.holds(&path) && !needed;
                if metadata.is_dir() {
                    // What is in it may be kept after all.
                    if !left_out || ignored.has_exceptions || dockerfile.contains('/') {
                        pending.push(path.clone());
                    }
                }
                if !left_out && (metadata.is_file() || metadata.is_dir() || metadata.is_symlink()) {
                    context.bytes += if metadata.is_file() { metadata.len() } else { 0 };
                    context.entries.push(path);
                    context.within(limits)?;
                }
            }
        }
        context.entries.sort();
        Ok(context)
    }

    fn within(&self, limits: ContextLimits) -> Result<(), ContextError> {
        let too_large = |limit, what| ContextError::TooLarge { directory: self.root.clone(), limit, what };
        if self.bytes > limits.bytes {
            return Err(too_large(limits.bytes, "bytes"));
        }
        if self.entries.len() as u64 > limits.files {
            return Err(too_large(limits.files, "files"));
        }
        Ok(())
    }

    /// The directory as a tar archive, read as the engine takes it. A file that cannot be read ends it with an error.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        // It ends with its reader: a send to nobody fails.
        drop(tokio::task::spawn_blocking(move || {
            let mut pipe = Pipe { sender: sender.clone(), piece: Vec::with_capacity(PIECE_BYTES) };
            if let Err(error) = self.write(&mut pipe).and_then(|()| pipe.flush()) {
                drop(sender.blocking_send(Err(error)));
            }
        }));
        stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
    }

    /// The same for the same names, kinds, modes and bytes. Blocks.
    pub fn digest(&self) -> Result<[u8; 32], ContextError> {
        let mut hash = Sha256::new();
        for path in &self.entries {
            self.add(&mut hash, path).map_err(failing(&self.root.join(path)))?;
        }
        Ok(hash.finalize().into())
    }

    fn add(&self, hash: &mut Sha256, path: &Path) -> io::Result<()> {
        let at = self.root.join(path);
        let metadata = fs::symlink_metadata(&at)?;
        let name = path.as_os_str().as_encoded_bytes();
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update(metadata.mode().to_be_bytes());
        if metadata.is_symlink() {
            hash.update(fs::read_link(&at)?.as_os_str().as_encoded_bytes());
        } else if metadata.is_file() {
            let file = open(&at)?;
            let length = file.metadata()?.size();
            hash.update(length.to_be_bytes());
            io::copy(&mut file.take(length), hash)?;
        }
        Ok(())
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(out);
        for path in &self.entries {
            self.append(&mut archive, path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", self.root.join(path).display()))
            })?;
        }
        archive.finish()
    }

    fn append<W: Write>(&self, archive: &mut tar::Builder<W>, path: &Path) -> io::Result<()> {
        let at = self.root.join(path);
        let metadata = fs::symlink_metadata(&at)?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&metadata);
        // Whoever owns it here is nobody there.
        header.set_uid(0);
        header.set_gid(0);
        if metadata.is_symlink() {
            return archive.append_link(&mut header, path, fs::read_link(&at)?);
        }
        if metadata.is_dir() {
            return archive.append_data(&mut header, path, io::empty());
        }
        let file = open(&at)?;
        let length = file.metadata()?.size();
        header.set_size(length);
        // A file that grows meanwhile must not spill over into the next.
        archive.append_data(&mut header, path, file.take(length))
    }
}

/// A file and nothing else: what became a link since it was looked at is not followed, what became a pipe not waited for.
fn open(path: &Path) -> io::Result<fs::File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    Ok(file)
}

fn failing(path: &Path) -> impl FnOnce(io::Error) -> ContextError + '_ {
    move |source| ContextError::Io { path: path.to_owned(), source }
}

fn children(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, ContextError> {
    let at = root.join(folder);
    let read = fs::read_dir(&at).map_err(failing(&at))?;
    let names = read.map(|entry| entry.map(|entry| folder.join(entry.file_name())));
    names.collect::<io::Result<_>>().map_err(failing(&at))
}

/// The patterns of `.dockerignore`.
struct Ignored {
    /// In order; whether each leaves out or keeps.
    patterns: Vec<(GlobMatcher, bool)>,
    has_exceptions: bool,
}

impl Ignored {
    fn read(root: &Path) -> Result<Self, ContextError> {
        let path = root.join(IGNORE_FILE);
        // A link would lead out of the directory, and a bad pattern is quoted in an error.
        let mut text = String::new();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= IGNORE_BYTES_MAX => {
                let file = open(&path).map_err(failing(&path))?;
                file.take(IGNORE_BYTES_MAX).read_to_string(&mut text).map_err(failing(&path))?;
            }
            _ => {}
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, ContextError> {
        let mut patterns = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (pattern, leaves_out) =
                line.strip_prefix('!').map_or((line, true), |kept| (kept.trim(), false));
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            let glob = glob.map_err(|error| ContextError::Pattern {
                line: number + 1,
                pattern: pattern.to_owned(),
                why: error.kind().to_string(),
            })?;
            patterns.push((glob.compile_matcher(), leaves_out));
        }
        let has_exceptions = patterns.iter().any(|(_, leaves_out)| !leaves_out);
        Ok(Self { patterns, has_exceptions })
    }

    /// Whether a path is left out: by itself, or with a directory above it.
    fn holds(&self, path: &Path) -> bool {
        let matching = |glob: &GlobMatcher| path.ancestors().any(|above| glob.is_match(above));
        let last = self.patterns.iter().rev().find(|(glob, _)| matching(glob));
        last.is_some_and(|(_, leaves_out)| *leaves_out)
    }
}

/// Where the archive is written to, piece by piece.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// A tar archive of files with absolute paths, to be unpacked at `/`.
pub(super) fn archive_of(files: &[FileIn]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.owner.0);
        header.set_gid(file.owner.1);
        archive.append_data(&mut header, file.path.trim_start_matches('/'), file.content.as_slice())?;
    }
    archive.into_inner()
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
