//! SQLite's write-ahead log, read before SQLite does. Recovery ends without a word at the first frame that does not add
//! up: right for a write that a crash tore, silent loss where the disk damaged what was acknowledged. This tells the
//! two apart.
//!
//! The wal-index (`-shm`) is the witness: SQLite enters a commit there only after its fsync, so a log that holds fewer
//! frames than its index counts has lost some. After a power cut the index may be gone or old; then only a gap with two
//! commits behind it convicts, because at most the last one can have been under way. What stays undetected is said in
//! `docs/decisions/0010-disk-faults.md`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes of the log's header, of a frame's header, and of what we read of the index.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const INDEX: usize = 136;
/// One copy of the index's header; there are two, and they are equal when it is whole.
const INDEX_HEADER: usize = 48;
/// The low bit says that checksums read big-endian words.
const MAGIC: u32 = 0x377f_0682;
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 512..=65_536;
const READ_BYTES: usize = 1 << 20;

/// Why the log cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("{0}")]
    Damaged(String),
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// What a log holds that can be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Frames up to the last whole commit.
    pub committed: u32,
    /// Frames of this generation behind it that recovery drops: of a write that never came to its end.
    pub dropped: u32,
}

/// Checks the log of the database at `path`. Only where this process has not opened the database yet: to close a file
/// drops the locks that other connections of the process hold on it.
pub fn check(path: &Path) -> Result<Held, LogError> {
    let index = Index::read(&beside(path, "-shm"))?;
    let owed = |held: u32| index.filter(|index| index.backfilled < index.frames && held < index.frames);
    let lost = |index: Index, held: u32| {
        let Index { frames, backfilled, .. } = index;
        LogError::Damaged(format!(
            "its log holds {held} frames of commits and {frames} were acknowledged, {backfilled} of them copied"
        ))
    };
    let Some(log) = Log::read(&beside(path, "-wal"))? else {
        return owed(0).map_or(Ok(Held::default()), |index| Err(lost(index, 0)));
    };
    let witness = index.filter(|index| index.salts == log.salts);
    match (witness, owed(log.held.committed)) {
        (Some(index), Some(_)) => Err(lost(index, log.held.committed)),
        (None, _) if log.later_commits > 1 => Err(LogError::Damaged(format!(
            "its log does not add up after frame {}, with {} commits behind it",
            log.held.committed, log.later_commits
        ))),
        _ => Ok(log.held),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The part of the wal-index that counts.
#[derive(Debug, Clone, Copy)]
struct Index {
    salts: [u8; 8],
    frames: u32,
    /// Frames that are in the database, too, and synced there.
    backfilled: u32,
}

impl Index {
    /// `None` when it is missing or not whole: it then proves nothing.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = [0; INDEX];
        match File::open(path).and_then(|mut file| file.read_exact(&mut bytes)) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let (header, copy) = (&bytes[..INDEX_HEADER], &bytes[INDEX_HEADER..2 * INDEX_HEADER]);
        let native = |at: usize| u32::from_ne_bytes(word(&bytes, at));
        let sum = Sum::default().over(&header[..40], u32::from_ne_bytes);
        let is_whole = header == copy && header[12] == 1 && (sum.0, sum.1) == (native(40), native(44));
        let mut salts = [0; 8];
        salts.copy_from_slice(&header[32..40]);
        Ok(is_whole.then(|| Self { salts, frames: native(16), backfilled: native(96) }))
    }
}

/// The running checksum: each frame's goes on from the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn over(self, bytes: &[u8], number: fn([u8; 4]) -> u32) -> Self {
        let Self(mut one, mut two) = self;
        for pair in bytes.chunks_exact(8) {
            one = one.wrapping_add(number(word(pair, 0))).wrapping_add(two);
            two = two.wrapping_add(number(word(pair, 4))).wrapping_add(one);
        }
        Self(one, two)
    }
}

fn word(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

fn big(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(word(bytes, at))
}

struct Log {
    salts: [u8; 8],
    held: Held,
    /// Commits of this generation behind the last that adds up.
    later_commits: u32,
}

impl Log {
    /// `None` when there is no log, or an empty one.
    fn read(path: &Path) -> Result<Option<Self>, LogError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut file = BufReader::with_capacity(READ_BYTES, file);
        let mut header = [0; HEADER];
        if !filled(&mut file, &mut header)? {
            return Ok(None);
        }
        let magic = big(&header, 0);
        let number = if magic & 1 == 1 { u32::from_be_bytes } else { u32::from_le_bytes };
        let sum = Sum::default().over(&header[..24], number);
        let page = usize::try_from(big(&header, 8)).unwrap_or(usize::MAX);
        let is_header = magic & !1 == MAGIC && sum == Sum(big(&header, 24), big(&header, 28));
        if !is_header || !PAGE_BYTES.contains(&page) {
            // Written and synced before the first frame: only a log without frames can have a torn one.
            let mut byte = [0];
            return match filled(&mut file, &mut byte)? {
                true => Err(LogError::Damaged("the header of its log does not add up".to_owned())),
                false => Ok(None),
            };
        }
        let mut salts = [0; 8];
        salts.copy_from_slice(&header[16..24]);
        Self::frames(file, Self { salts, held: Held::default(), later_commits: 0 }, page, sum, number)
            .map(Some)
    }

    fn frames(
        mut file: impl Read,
        mut log: Self,
        page: usize,
        mut sum: Sum,
        number: fn([u8; 4]) -> u32,
    ) -> Result<Self, LogError> {
        let mut frame = vec![0; FRAME_HEADER + page];
        let (mut seen, mut adds_up) = (0_u32, true);
        while filled(&mut file, &mut frame)? {
            if frame[8..16] != log.salts {
                // Of an earlier generation, which this one has not overwritten yet. One damaged frame looks the same:
                // those behind it still count.
                adds_up = false;
                continue;
            }
            seen = seen.saturating_add(1);
            sum = sum.over(&frame[..8], number).over(&frame[FRAME_HEADER..], number);
            adds_up &= big(&frame, 0) != 0 && sum == Sum(big(&frame, 16), big(&frame, 20));
            let is_commit = big(&frame, 4) != 0;
            match (adds_up, is_commit) {
                (true, true) => log.held.committed = seen,
                (false, true) => log.later_commits += 1,
                (_, false) => {}
            }
        }
        log.held.dropped = seen - log.held.committed;
        Ok(log)
    }
}

/// Whether the buffer could be filled; the end of the file in the middle of it is one.
fn filled(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
