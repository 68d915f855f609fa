//! A thread with a bounded queue, for a resource that blocks. The thread lives as long as its [`Worker`]: dropped, it
//! finishes what it is at and ends; what still waits is dropped, and whoever asked is told by the closed reply.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longest wait for the queue to be worked off at an orderly end: a slow disk must not hold the daemon's end up.
const FINISH_PATIENCE: Duration = Duration::from_secs(5);

/// The owner's side.
pub(super) struct Worker<Job> {
    /// `None` after [`Worker::finish`].
    queue: Option<SyncSender<Job>>,
    abandoned: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

/// The thread's side.
pub(super) struct Intake<Job> {
    queue: Receiver<Job>,
    abandoned: Arc<AtomicBool>,
    /// Dropped with the thread, which tells the owner.
    _ends: oneshot::Sender<()>,
}

/// A job that was not taken.
pub(super) enum Refused<Job> {
    Full(Job),
    /// The thread has ended: a panic, or a database that could not be opened again.
    Ended(Job),
}

impl<Job: Send + 'static> Worker<Job> {
    /// Starts the thread: `open` acquires what it works with, `serve` works until the intake is empty for good. Waits
    /// for `open`.
    pub(super) async fn start<Held, Error: From<io::Error> + Send + 'static>(
        name: &str,
        limit: usize,
        open: impl FnOnce() -> Result<Held, Error> + Send + 'static,
        serve: impl FnOnce(Held, &Intake<Job>) + Send + 'static,
    ) -> Result<Self, Error> {
        let (sender, receiver) = sync_channel(limit);
        let (ends, ended) = oneshot::channel();
        let (opens, opened) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let intake = Intake { queue: receiver, abandoned: Arc::clone(&abandoned), _ends: ends };
        let body = move || match open() {
            Ok(held) => {
                // An error means that the start was given up: the intake is closed then.
                drop(opens.send(Ok(())));
                serve(held, &intake);
            }
            Err(error) => drop(opens.send(Err(error))),
        };
        thread::Builder::new().name(name.to_owned()).spawn(body)?;
        let worker = Self { queue: Some(sender), abandoned, ended };
        match opened.await {
            Ok(Ok(())) => Ok(worker),
            Ok(Err(error)) => Err(error),
            Err(_dropped) => Err(io::Error::other("the thread panicked while it started").into()),
        }
    }

    /// Queues a job, or gives it back at once.
    pub(super) fn offer(&self, job: Job) -> Result<(), Refused<Job>> {
        let Some(queue) = &self.queue else {
            return Err(Refused::Ended(job));
        };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) => Refused::Full(job),
            TrySendError::Disconnected(job) => Refused::Ended(job),
        })
    }

    /// Takes no more jobs and waits until those queued are done and the thread has ended.
    pub(super) async fn finish(&mut self) {
        drop(self.queue.take());
        if timeout(FINISH_PATIENCE, &mut self.ended).await.is_err() {
            tracing::warn!(
                "the store's thread did not finish in time; what it has not written is not acknowledged"
            );
        }
    }
}

impl<Job> Drop for Worker<Job> {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Release);
    }
}

/// What a wait for a job ended with.
pub(super) enum Wait<Job> {
    Job(Job),
    /// None came in time.
    Nothing,
    /// There will be none. In order: the owner finished; otherwise it died.
    Over {
        in_order: bool,
    },
}

impl<Job> Intake<Job> {
    /// The next job.
    pub(super) fn wait(&self) -> Wait<Job> {
        self.arrived(self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected))
    }

    /// The next job, if it comes soon.
    pub(super) fn wait_at_most(&self, patience: Duration) -> Wait<Job> {
        self.arrived(self.queue.recv_timeout(patience))
    }

    fn arrived(&self, received: Result<Job, RecvTimeoutError>) -> Wait<Job> {
        match (self.is_abandoned(), received) {
            (true, _) => Wait::Over { in_order: false },
            (false, Ok(job)) => Wait::Job(job),
            (false, Err(RecvTimeoutError::Timeout)) => Wait::Nothing,
            (false, Err(RecvTimeoutError::Disconnected)) => Wait::Over { in_order: true },
        }
    }

    /// A job that is there already.
    pub(super) fn more(&self) -> Option<Job> {
        self.queue.try_recv().ok()
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}
