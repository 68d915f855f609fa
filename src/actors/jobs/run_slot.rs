//! What a run holds while it uses CPU and memory of the host.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::actors::mailbox::Address;
use crate::domain::adaptive::Strain;
use crate::domain::ids::RunId;

use super::manager::JobsMessage;

/// A granted slot. Gives itself back when dropped, so a run that panics or is killed keeps nothing.
#[derive(Debug)]
pub struct RunSlot {
    run: RunId,
    jobs: Address<JobsMessage>,
    strain: Mutex<Strain>,
}

impl RunSlot {
    pub(super) fn new(run: RunId, jobs: Address<JobsMessage>) -> Self {
        Self { run, jobs, strain: Mutex::new(Strain::Unknown) }
    }

    /// What a call within the slot showed. The most telling one stands.
    pub(super) fn showed(&self, strain: Strain) {
        let mut worst = self.worst();
        *worst = strain.max(*worst);
    }

    fn worst(&self) -> MutexGuard<'_, Strain> {
        self.strain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        // A manager that is gone has no slots left to give back.
        drop(self.jobs.post(JobsMessage::GiveBack { run: self.run, strain: *self.worst() }));
    }
}
