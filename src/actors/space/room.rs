//! What the rest of the daemon sees of the disk: whether there is room for new work. Reads memory, waits for nobody.

use std::path::PathBuf;

use tokio::sync::watch;

/// Shared by the watcher, over all its lives, and whoever asks. Cheap to clone. There is room until somebody has looked.
#[derive(Debug, Clone)]
pub struct Room {
    lack: watch::Sender<Option<NoRoom>>,
}

/// There is too little room for new work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has {} MiB free for jobs, and new ones are taken from {} MiB on (storage.free_bytes_min): make room there",
    directory.display(), free >> 20, free_min >> 20
)]
pub struct NoRoom {
    pub directory: PathBuf,
    /// Bytes, without the reserve.
    pub free: u64,
    pub free_min: u64,
}

impl Room {
    /// Whether a new job may be let in.
    pub fn check(&self) -> Result<(), NoRoom> {
        self.lack.borrow().clone().map_or(Ok(()), Err)
    }

    /// To be waited on for a change.
    pub fn watch(&self) -> watch::Receiver<Option<NoRoom>> {
        self.lack.subscribe()
    }

    pub(super) fn is(&self, lack: Option<NoRoom>) {
        let was_short = self.lack.borrow().is_some();
        match (&lack, was_short) {
            (Some(lack), false) => tracing::error!(%lack, "no new jobs are taken"),
            (None, true) => tracing::info!("there is room again; new jobs are taken"),
            _ => {}
        }
        self.lack.send_replace(lack);
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { lack: watch::Sender::new(None) }
    }
}
