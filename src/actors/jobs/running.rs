//! The subtree of each job under way: the job's actor and the supervisor of its runs.

use super::job::{Job, JobArguments, JobParts};
use crate::actors::mailbox::Slot;
use crate::actors::supervise::{ChildError, ChildSpec, Restart, Strategy, SupervisorSlot, SupervisorSpec};
use crate::domain::ids::JobId;

/// Runs of one job: one per tool of the catalogue, with room for a user's own.
const RUNS_MAX: usize = 256;

/// Starts and ends jobs under the supervisor of all running ones.
#[derive(Clone, Default)]
pub struct RunningJobs {
    slot: SupervisorSlot,
}

impl RunningJobs {
    /// The supervisor's row. `cap` jobs may run at once.
    pub fn row(&self, cap: usize) -> ChildSpec {
        ChildSpec::supervisor("running", &self.slot, move || {
            SupervisorSpec::new("running", Strategy::Dynamic { cap })
        })
    }

    /// Starts a job's subtree and waits until the job has begun.
    pub async fn start(&self, arguments: JobArguments) -> Result<(), ChildError> {
        let supervisor = self.slot.get().ok_or_else(gone)?;
        let runs = SupervisorSlot::new();
        let id = child_id(arguments.id);
        let job = ChildSpec::once::<Job>("job", &Slot::new(), JobParts { arguments, runs: runs.clone() });
        // Neither is restarted. When the job is gone the manager ends this subtree, and with it the runs left over.
        let table = move || {
            let runs = ChildSpec::supervisor("runs", &runs, || {
                SupervisorSpec::new("runs", Strategy::Dynamic { cap: RUNS_MAX })
            });
            SupervisorSpec::new("job", Strategy::OneForOne)
                .child(runs.restart(Restart::Temporary))
                .child(job.clone())
        };
        let subtree = ChildSpec::supervisor(id, &SupervisorSlot::new(), table);
        supervisor.start_child(subtree.restart(Restart::Temporary)).await
    }

    /// Ends what is left of a job's subtree. Harmless when nothing is.
    pub async fn end(&self, job: JobId) {
        if let Some(supervisor) = self.slot.get() {
            // An error means that it is gone already.
            drop(supervisor.terminate_child(&child_id(job).as_str().into()).await);
        }
    }
}

fn child_id(job: JobId) -> String {
    format!("job-{job}")
}

fn gone() -> ChildError {
    use crate::actors::mailbox::CallError;
    ChildError::Supervisor(CallError::Closed { actor: "running jobs" })
}
