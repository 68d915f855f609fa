//! What a run holds while it uses CPU and memory of the host.

use crate::actors::mailbox::Address;
use crate::domain::ids::RunId;

use super::manager::JobsMessage;

/// A granted slot. Gives itself back when dropped, so a run that panics or is killed keeps nothing.
#[derive(Debug)]
pub struct RunSlot {
    run: RunId,
    jobs: Address<JobsMessage>,
}

impl RunSlot {
    pub(super) fn new(run: RunId, jobs: Address<JobsMessage>) -> Self {
        Self { run, jobs }
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        // A manager that is gone has no slots left to give back.
        drop(self.jobs.post(JobsMessage::GiveBack { run: self.run }));
    }
}
