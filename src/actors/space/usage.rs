//! The room that directories take. Links are not followed; what cannot be read counts nothing.

use std::fs::{self, ReadDir};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// Unit of `st_blocks`, whatever the file system's own is.
pub(super) const BLOCK_BYTES: u64 = 512;

/// Bytes on the disk of each entry below these directories, as they are come upon: whoever has seen enough goes no further.
pub fn below(mut pending: Vec<PathBuf>) -> impl Iterator<Item = u64> {
    let mut open: Option<ReadDir> = None;
    std::iter::from_fn(move || {
        loop {
            let Some(entry) = open.as_mut().and_then(Iterator::next) else {
                open = fs::read_dir(pending.pop()?).ok();
                continue;
            };
            let Ok(entry) = entry else { continue };
            // Of a link itself.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                pending.push(entry.path());
            }
            return Some(metadata.blocks() * BLOCK_BYTES);
        }
    })
}
