//! The client: what the rest of the daemon knows of the store. Every method is bounded in time, and a write that
//! returned `Ok` is on the disk.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::sleep;

use super::server::StoreMessage;
use super::writer::{Committed, Done, fault_of};
use crate::actors::journal::{Journal, What};
use crate::actors::mailbox::{Address, CallError, Reply, Slot};
use crate::domain::fingerprint::Stamped;
use crate::domain::ids::{JobId, Principal};
use crate::domain::job::{JobEvent, JobView};
use crate::domain::lease::Fence;
use crate::domain::rescue::Tries;
use crate::domain::said::Said;
use crate::store::events::{self, StoredEvent};
use crate::store::findings::{self, FindingsPage, FindingsQuery};
use crate::store::jobs::{self, JobsCursor, JobsPage, JobsQuery};
use crate::store::keys::{self, Key, Known};
use crate::store::record::{self, LetIn, Record, Submission};
use crate::store::recover;
use crate::store::retention::{self, Due, Policy, Step};
use crate::store::{StoreError, findings::export};

/// Longest wait for a write. A group takes milliseconds; a disk that takes seconds is about to fail.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Tries to write an event, and the pause after the first; it doubles. Together three seconds: a store that restarts takes
/// its callers down with it, so only a short one is waited out.
const RECORD_TRIES: u32 = 5;
const RECORD_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for a read. Pages are small; an export of a large job takes a second.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// The way to the store. Cheap to clone; survives a restart of the actor, whose address it looks up at each use.
#[derive(Clone)]
pub struct Store {
    slot: Slot<StoreMessage>,
    /// Hears of what was written.
    journal: Journal,
}

/// Now, as it is stored: RFC 3339, UTC.
pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// What becomes of a write that was refused before it was begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    PassedOn,
    WaitedOut,
}

/// Writes what is the same written twice as written once: so a write of which nobody knows is tried again. From then on a
/// refusal is no answer either, for it says nothing of the try before it.
async fn again<T, W>(refusal: Refusal, write: impl Fn() -> W) -> Result<T, StoreError>
where
    W: Future<Output = Result<T, StoreError>>,
{
    let (mut pause, mut is_unknown) = (RECORD_PAUSE, false);
    for _ in 1..RECORD_TRIES {
        match write().await {
            Err(StoreError::Unknown { .. }) => is_unknown = true,
            Err(StoreError::Busy | StoreError::Down | StoreError::Disk(_))
                if is_unknown || refusal == Refusal::WaitedOut => {}
            Err(error) if is_unknown => return Err(StoreError::Unknown { why: error.to_string() }),
            answered => return answered,
        }
        sleep(pause).await;
        pause *= 2;
    }
    match write().await {
        Err(error) if is_unknown => Err(StoreError::Unknown { why: error.to_string() }),
        answered => answered,
    }
}

impl Store {
    /// The store whose present address is in `slot`.
    pub fn new(slot: Slot<StoreMessage>) -> Self {
        Self { slot, journal: Journal::default() }
    }

    /// The same, with a journal of its own choice.
    #[must_use]
    pub fn telling(self, journal: Journal) -> Self {
        Self { journal, ..self }
    }

    /// The store at one address: for one life of the actor, outside of a tree.
    pub fn bound_to(address: Address<StoreMessage>) -> Self {
        let slot = Slot::new();
        slot.set(address);
        Self::new(slot)
    }

    /// Lets a job in, unless its key or an equal job that waits says that it is there already. A refusal is passed on: who
    /// asked decides whether to wait.
    pub async fn submit(&self, submission: Submission) -> Result<LetIn, StoreError> {
        let submission = Arc::new(submission);
        again(Refusal::PassedOn, || self.submit_once(&submission)).await
    }

    async fn submit_once(&self, submission: &Arc<Submission>) -> Result<LetIn, StoreError> {
        let written = Arc::clone(submission);
        let let_in = self.write(move |connection| record::submit(connection, &written)).await?;
        if let_in == LetIn::New {
            self.journal.say(What::submitted(submission.job.id, submission.job.request.target.to_string()));
        }
        Ok(let_in)
    }

    /// What a client's own name stands for, if it was used before.
    pub async fn look_up(&self, principal: Principal, key: Key) -> Result<Option<Known>, StoreError> {
        self.read(move |connection| keys::look_up(connection, &principal, &key)).await
    }

    /// Lets a client's own name stand for a job, unless it stands for one.
    pub async fn bind(&self, principal: Principal, key: Key, job: JobId) -> Result<Known, StoreError> {
        self.write(move |connection| keys::bind(connection, &principal, &key, job)).await
    }

    /// Writes an event of a job, with what it changes and, for a run's end, with its findings: all of it or nothing.
    /// Says whether it changed anything: an event that comes too late does not, nor does one that is there already. A
    /// refusal is waited out, for a while: a result must not be lost to one full queue.
    pub async fn record(
        &self,
        job: JobId,
        fence: Fence,
        event: JobEvent,
        findings: Vec<Stamped>,
    ) -> Result<bool, StoreError> {
        let record = Arc::new(Record { job, fence, event, findings, at: now() });
        again(Refusal::WaitedOut, || self.record_once(&record)).await
    }

    async fn record_once(&self, record: &Arc<Record>) -> Result<bool, StoreError> {
        let written = Arc::clone(record);
        let changed = self.write(move |connection| record::record(connection, &written)).await?;
        if changed {
            self.journal.say(What::Job { job: record.job, said: Said::of(&record.event) });
        }
        Ok(changed)
    }

    /// Takes up every job that has not ended. To be called before the first job is let in: by construction nothing is under
    /// way then. Returns the jobs that wait, oldest first.
    pub async fn recover(&self, tries: Tries) -> Result<Vec<JobView>, StoreError> {
        let at = now();
        self.write(move |connection| recover::recover(connection, tries, &at)).await
    }

    /// Every job that has not ended, oldest first; see [`recover::OPEN_JOBS_MAX`].
    pub async fn open_jobs(&self) -> Result<Vec<JobView>, StoreError> {
        self.read(recover::open).await
    }

    /// A job of this principal.
    pub async fn job(&self, principal: Principal, id: JobId) -> Result<Option<JobView>, StoreError> {
        self.read(move |connection| jobs::of_principal(connection, &principal, id)).await
    }

    /// Jobs of a principal, newest first.
    pub async fn jobs(
        &self,
        query: impl Into<JobsQuery>,
        after: Option<JobsCursor>,
        limit: u32,
    ) -> Result<JobsPage, StoreError> {
        let query = query.into();
        self.read(move |connection| jobs::page(connection, &query, after, limit)).await
    }

    /// Findings, worst first.
    pub async fn findings(
        &self,
        query: FindingsQuery,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<FindingsPage, StoreError> {
        self.read(move |connection| findings::page(connection, &query, cursor.as_deref(), limit)).await
    }

    /// A job with its findings, for an export; see [`export`] for how many at most.
    pub async fn export(
        &self,
        principal: Principal,
        id: JobId,
    ) -> Result<Option<(JobView, Vec<Stamped>)>, StoreError> {
        self.read(move |connection| export(connection, &principal, id)).await
    }

    /// A job's events from number `from` on; `None` if it is not this principal's.
    pub async fn events(
        &self,
        principal: Principal,
        id: JobId,
        from: u64,
    ) -> Result<Option<Vec<StoredEvent>>, StoreError> {
        self.read(move |connection| events::page(connection, &principal, id, from)).await
    }

    /// Whether both of its threads work: each is asked for nothing, which costs no fsync.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await?;
        self.read(|_| Ok(())).await
    }

    /// Blocks the writer's thread for `time`, as a disk that hangs does.
    #[cfg(feature = "fault-injection")]
    pub async fn hang(&self, time: Duration) -> Result<(), StoreError> {
        self.write(move |_| {
            let until = std::time::Instant::now() + time;
            while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
                std::thread::park_timeout(left);
            }
            Ok(())
        })
        .await
    }

    /// What may be deleted under this policy now.
    pub async fn due(&self, policy: Policy) -> Result<Due, StoreError> {
        self.read(move |connection| retention::due(connection, &policy)).await
    }

    /// One bounded step of what is due.
    pub async fn sweep(&self, due: Due) -> Result<Step, StoreError> {
        self.write(move |connection| retention::step(connection, &due)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let request = |reply: Reply<Result<T, StoreError>>| {
            StoreMessage::Write(Box::new(move |connection| {
                let result = connection.and_then(work);
                Done {
                    kept: result.is_ok(),
                    fault: fault_of(&result),
                    answer: Box::new(move |committed| reply.send(after_commit(result, committed))),
                }
            }))
        };
        let address = self.slot.get().ok_or(StoreError::Down)?;
        match address.call(request, WRITE_PATIENCE).await {
            Ok(result) => result,
            Err(CallError::Full { .. }) => Err(StoreError::Busy),
            Err(error) => Err(StoreError::Unknown { why: error.to_string() }),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let request = |reply: Reply<Result<T, StoreError>>| {
            StoreMessage::Read(Box::new(move |connection| {
                if !reply.is_abandoned() {
                    reply.send(connection.and_then(work));
                }
            }))
        };
        let address = self.slot.get().ok_or(StoreError::Down)?;
        match address.call(request, READ_PATIENCE).await {
            Ok(result) => result,
            Err(CallError::Full { .. }) => Err(StoreError::Busy),
            Err(error) => Err(StoreError::NoAnswer { why: error.to_string() }),
        }
    }
}

/// A write that failed by itself wrote nothing, whatever became of its group.
fn after_commit<T>(result: Result<T, StoreError>, committed: Committed) -> Result<T, StoreError> {
    match (result, committed) {
        (Ok(_), Committed::Unknown { why }) => Err(StoreError::Unknown { why }),
        (result, _) => result,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The tries that were made of what answers so, and the last answer.
    async fn tried(refusal: Refusal, answers: &[fn() -> Result<u8, StoreError>]) -> (usize, String) {
        let made = RefCell::new(0);
        let write = || {
            let answer = answers[(*made.borrow()).min(answers.len() - 1)]();
            *made.borrow_mut() += 1;
            std::future::ready(answer)
        };
        let answer = again(refusal, write).await;
        (made.into_inner(), format!("{answer:?}"))
    }

    const UNKNOWN: fn() -> Result<u8, StoreError> = || Err(StoreError::Unknown { why: "cut off".into() });
    const BUSY: fn() -> Result<u8, StoreError> = || Err(StoreError::Busy);
    const WRONG: fn() -> Result<u8, StoreError> = || Err(StoreError::BadCursor);
    const WRITTEN: fn() -> Result<u8, StoreError> = || Ok(7);

    #[tokio::test(start_paused = true)]
    async fn a_refusal_hides_no_write_that_may_be_on_the_disk() {
        use Refusal::{PassedOn, WaitedOut};
        let all = RECORD_TRIES as usize;
        for (refusal, answers, tries, last) in [
            (PassedOn, &[WRITTEN][..], 1, "Ok(7)"),
            (PassedOn, &[BUSY], 1, "Err(Busy)"),
            (WaitedOut, &[BUSY], all, "Err(Busy)"),
            (WaitedOut, &[BUSY, WRITTEN], 2, "Ok(7)"),
            (PassedOn, &[UNKNOWN, BUSY, WRITTEN], 3, "Ok(7)"),
            (PassedOn, &[UNKNOWN, BUSY], all, "Err(Unknown"),
            (PassedOn, &[UNKNOWN, WRONG], 2, "Err(Unknown"),
            (WaitedOut, &[WRONG], 1, "Err(BadCursor)"),
        ] {
            let (made, answer) = tried(refusal, answers).await;
            assert_eq!(made, tries, "{answer}");
            assert!(answer.starts_with(last), "{answer}");
        }
    }
}
