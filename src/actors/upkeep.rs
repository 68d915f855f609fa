//! The rows of the daemon's own upkeep, beside its jobs: who watches the disk and keeps the database within bounds.

use std::sync::Arc;

use jiff::Timestamp;

use super::journal::{JournalArguments, JournalServer};
use super::retention::{Retention, RetentionArguments};
use super::rows::Plan;
use super::space::{Space, SpaceArguments};
use super::store::Store;
use super::supervise::{Backoff, ChildSpec};
use crate::config;
use crate::domain::space::Limits;

/// What the disk is kept to.
pub(super) fn limits(storage: &config::Storage) -> Limits {
    Limits { free_min: storage.free_bytes_min, ballast: storage.ballast_bytes }
}

impl Plan<'_> {
    /// Under `services`: a crash of one is no other's business.
    pub(super) fn upkeep(&self) -> Vec<ChildSpec> {
        // The journal first: it is stopped last, and has then heard of all that ended.
        vec![self.journal(), self.space(), self.retention()]
    }

    fn journal(&self) -> ChildSpec {
        let arguments = JournalArguments {
            directory: self.data.root().to_owned(),
            journal: self.doors.journal.clone(),
            tree: self.tree(),
            health: self.doors.health.clone(),
            room: self.doors.room.clone(),
        };
        ChildSpec::server::<JournalServer>("journal", move || arguments.clone()).backoff(Backoff::MANAGER)
    }

    fn retention(&self) -> ChildSpec {
        let arguments = RetentionArguments {
            keep: self.config.retention,
            store: Store::new(self.doors.store.clone()),
            room: self.doors.room.clone(),
            clock: Arc::new(Timestamp::now),
        };
        ChildSpec::server::<Retention>("retention", move || arguments.clone()).backoff(Backoff::MANAGER)
    }

    fn space(&self) -> ChildSpec {
        let arguments = SpaceArguments {
            directory: self.data.root().to_owned(),
            limits: limits(&self.config.storage),
            room: self.doors.room.clone(),
            health: self.doors.health.clone(),
        };
        ChildSpec::server::<Space>("space", move || arguments.clone()).backoff(Backoff::MANAGER)
    }
}
