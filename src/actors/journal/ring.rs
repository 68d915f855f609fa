//! The last entries, in memory: bounded, never waited for, and still there when the disk is full or the writer is down.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::actors::clock;
use crate::domain::finding::clean_text;
use crate::domain::ids::JobId;
use crate::domain::said::Said;

/// Entries kept: some hundred jobs, and small enough for one message.
pub const ENTRIES_MAX: usize = 1_000;
/// Entries that wait for the disk, past which progress is not taken any more: the rest is for what counts.
const WAITING_MAX: usize = ENTRIES_MAX / 2;
/// Bytes of an entry's detail.
const DETAIL_BYTES_MAX: usize = 300;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, per life of the daemon.
    pub number: u64,
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// To a job.
    Job {
        job: JobId,
        #[serde(flatten)]
        said: Said,
    },
    /// To the daemon: `started`, `draining`, `actor_restarted`, `breaker_open`, `breaker_closed`, `disk`,
    /// `room`, `refused` or `lost`.
    Daemon { event: String, detail: String },
}

impl What {
    pub fn daemon(event: &str, detail: impl Into<String>) -> Self {
        Self::Daemon { event: event.to_owned(), detail: detail.into() }
    }

    pub fn submitted(job: JobId, target: String) -> Self {
        let detail = Some(target);
        Self::Job { job, said: Said { event: "submitted".to_owned(), run: None, state: None, detail } }
    }

    fn is_progress(&self) -> bool {
        matches!(self, Self::Job { said, .. } if said.is_progress())
    }

    fn clipped(mut self) -> Self {
        match &mut self {
            Self::Job { said, .. } => {
                said.detail = said.detail.take().map(|detail| clean_text(&detail, DETAIL_BYTES_MAX));
            }
            Self::Daemon { detail, .. } => *detail = clean_text(detail, DETAIL_BYTES_MAX),
        }
        self
    }
}

/// Where entries are put. Shared by everybody, over all lives of the writer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    ring: Arc<Mutex<Ring>>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Entries so far.
    count: u64,
    kept: VecDeque<Entry>,
    /// The last entry that is on the disk, or never will be.
    settled: u64,
    /// Entries that never reached the disk, since the last one that said so.
    lost: u64,
}

impl Journal {
    /// Puts an entry in. Never waits: over the bound the oldest goes, and progress goes first.
    pub fn say(&self, what: What) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if what.is_progress() && ring.waiting() > WAITING_MAX {
            ring.lost += 1;
            return;
        }
        ring.count += 1;
        let entry = Entry { number: ring.count, at: clock::now(), what: what.clipped() };
        if ring.kept.len() == ENTRIES_MAX
            && let Some(oldest) = ring.kept.pop_front()
            && oldest.number > ring.settled
        {
            ring.settled = oldest.number;
            ring.lost += 1;
        }
        ring.kept.push_back(entry);
    }

    /// The last entries, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().cloned().collect()
    }

    /// What waits for the disk.
    pub(super) fn waiting(&self) -> Vec<Entry> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.kept.iter().filter(|entry| entry.number > ring.settled).cloned().collect()
    }

    /// Entries up to this one are on the disk. Says how many before it never will be.
    pub(super) fn written(&self, through: u64) -> u64 {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.settled = ring.settled.max(through);
        std::mem::take(&mut ring.lost)
    }
}

impl Ring {
    fn waiting(&self) -> usize {
        usize::try_from(self.count - self.settled).unwrap_or(usize::MAX)
    }
}
