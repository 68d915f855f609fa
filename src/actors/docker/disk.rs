//! Room on the disk: what a program in a container has written to a directory of this machine. Everything else that a tool sees is
//! read-only or memory.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::actors::space::usage;

/// Between two looks, at least; and how much longer than a look: directories of many files are looked at less often.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_PER_LOOK: u32 = 4;
/// What a file costs besides its blocks.
const INODE_BYTES: u64 = 256;

/// Resolves when there are more than `limit` bytes in the directories together. What cannot be read is not counted.
pub(super) async fn filled(directories: Vec<PathBuf>, limit: u64) {
    loop {
        let began = Instant::now();
        let wanted = directories.clone();
        let looked = tokio::task::spawn_blocking(move || is_over(wanted, limit)).await;
        if looked.is_ok_and(|over| over) {
            return;
        }
        sleep(PAUSE.max(began.elapsed() * PAUSE_PER_LOOK)).await;
    }
}

/// Ends when the limit is passed, so it is bounded by it: no entry is for nothing.
fn is_over(directories: Vec<PathBuf>, limit: u64) -> bool {
    let mut bytes = 0;
    usage::below(directories).any(|of_one| {
        bytes += of_one + INODE_BYTES;
        bytes > limit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_at_any_depth_count_and_links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::os::unix::fs::symlink("/", deep.join("all")).unwrap();
        let over = |limit| is_over(vec![folder.path().to_owned()], limit);
        assert!(!over(64 << 10));
        std::fs::write(deep.join("large"), vec![1; 128 << 10]).unwrap();
        assert!(over(64 << 10) && !over(1 << 20));
        for number in 0..8 {
            std::fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert!(over((128 << 10) + 8 * INODE_BYTES), "many files are something, too");
    }
}
