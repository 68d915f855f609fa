//! What a life of the job engine finds: jobs that have not ended, of which by construction none is under way.

use rusqlite::Connection;

use super::record::{self, Record};
use super::{StoreError, jobs};
use crate::domain::job::{HandBack, JobEvent, JobState, JobView};
use crate::domain::lease::Fence;
use crate::domain::rescue::{self, Fate, Tries, ended};

/// Jobs that one look finds: as many as can wait and run (the most that `jobs.queue_max` and `jobs.running_max` allow).
pub const OPEN_JOBS_MAX: u32 = 10_000;

/// Takes up what has not ended: a job that ran is handed back or, where that is hopeless, ended; one that waited waits
/// on. To be called before a life of the job engine lets the first job in. Returns the jobs that wait, oldest first.
pub fn recover(connection: &Connection, tries: Tries, at: &str) -> Result<Vec<JobView>, StoreError> {
    jobs::forget_plans(connection)?;
    let mut waiting = Vec::new();
    for (key, mut job) in jobs::open_jobs(connection, OPEN_JOBS_MAX)? {
        let of_this_boot = jobs::is_of_this_boot(connection, key)?;
        let why = if of_this_boot { HandBack::EngineDied } else { HandBack::DaemonDied };
        let event = match (job.state, rescue::fate(&job, why, tries, 0.0)) {
            // It was not running: only a job that nobody wants any more does not wait on.
            (JobState::Queued, Fate::End { state: JobState::Cancelled, error }) => {
                ended(JobState::Cancelled, error, at)
            }
            (JobState::Queued, _) => {
                waiting.push(job);
                continue;
            }
            (_, Fate::HandBack { .. }) => JobEvent::HandedBack { why },
            (_, Fate::End { state, error }) => ended(state, error, at),
        };
        record::record(connection, &Record::new(job.id, Fence::Attempt(job.attempt), event.clone(), at))?;
        if job.apply(event) && job.state == JobState::Queued {
            waiting.push(job);
        }
    }
    Ok(waiting)
}

/// Jobs that have not ended, whoever holds them; at most [`OPEN_JOBS_MAX`].
pub fn open(connection: &Connection) -> Result<Vec<JobView>, StoreError> {
    Ok(jobs::open_jobs(connection, OPEN_JOBS_MAX)?.into_iter().map(|(_, job)| job).collect())
}
