//! The entrance of one actor: permits, the queue of data, and the counters shown outside.
//!
//! Invariant of the bell: `rung` is true exactly while one `Ring` is in ractor's mailbox or being handled. Both sides
//! change it under the queue's lock, together with the queue: a sender that finds it false sets it and rings; the
//! actor clears it only in the same critical section in which it found the queue empty. So data can lie in the queue
//! with nobody on the way to fetch it only if the actor is dead, and then [`Gate::close`] has emptied the queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::sync::CancellationToken;

use super::address::SendError;
use super::vitals::Vitals;

/// Control messages that may wait at once. Control is small and rare; a thousand waiting ones mean that the actor
/// stalls or that something which is data travels as control.
const CONTROL_WAITING_MAX: usize = 1_024;

pub(crate) struct Gate<M> {
    limit: usize,
    permits: Semaphore,
    queue: Mutex<Queue<M>>,
    control_waiting: AtomicUsize,
    refused: AtomicU64,
    gone: CancellationToken,
    pub(crate) vitals: Vitals,
}

struct Queue<M> {
    items: VecDeque<M>,
    rung: bool,
    closed: bool,
}

/// Whether the sender must ring.
pub(crate) enum Entered {
    Ring,
    AlreadyRung,
}

impl<M> Gate<M> {
    pub(crate) fn new(name: &'static str, limit: usize, stalls_after: Option<Duration>) -> Self {
        Self {
            limit,
            permits: Semaphore::new(limit),
            queue: Mutex::new(Queue { items: VecDeque::new(), rung: false, closed: false }),
            control_waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            gone: CancellationToken::new(),
            vitals: Vitals::new(name, stalls_after),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Messages that wait or are being handled.
    pub(crate) fn depth(&self) -> usize {
        self.limit.saturating_sub(self.permits.available_permits())
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Waits for a place, first come first served; an error means closed.
    pub(crate) async fn reserve(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.permits.acquire().await
    }

    pub(crate) fn admit(&self, message: M, place: SemaphorePermit<'_>) -> Result<Entered, SendError<M>> {
        // From here on the place is given back by whoever takes the message out: `Place`, `close` or `enter`.
        place.forget();
        self.enter(message)
    }

    pub(crate) fn try_admit(&self, message: M) -> Result<Entered, SendError<M>> {
        match self.permits.try_acquire() {
            Ok(place) => self.admit(message, place),
            Err(TryAcquireError::Closed) => Err(SendError::Closed(message)),
            Err(TryAcquireError::NoPermits) => Err(self.refuse(message)),
        }
    }

    pub(crate) fn refuse(&self, message: M) -> SendError<M> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("proctor_mailbox_refused_total", "actor" => self.vitals.name()).increment(1);
        SendError::Full(message)
    }

    fn enter(&self, message: M) -> Result<Entered, SendError<M>> {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            self.permits.add_permits(1);
            return Err(SendError::Closed(message));
        }
        queue.items.push_back(message);
        if std::mem::replace(&mut queue.rung, true) { Ok(Entered::AlreadyRung) } else { Ok(Entered::Ring) }
    }

    /// The next message and its place, which is free again when the [`Place`] is dropped: handled, panicked or killed.
    pub(crate) fn take(&self) -> Option<(M, Place<'_, M>)> {
        let mut queue = self.lock();
        match queue.items.pop_front() {
            Some(message) => Some((message, Place { gate: self })),
            None => {
                queue.rung = false;
                None
            }
        }
    }

    pub(crate) fn control_arrives(&self) -> bool {
        let admitted = self.control_waiting.fetch_add(1, Ordering::Relaxed) < CONTROL_WAITING_MAX;
        if !admitted {
            self.control_taken();
        }
        admitted
    }

    /// For senders that have a bound of their own (a supervisor's children report to it).
    pub(crate) fn control_arrives_unbounded(&self) {
        self.control_waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn control_taken(&self) {
        self.control_waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the actor should let go of data: something more urgent waits.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.control_waiting.load(Ordering::Relaxed) > 0 || self.vitals.stopping().is_cancelled()
    }

    /// Nothing new enters; what waits is still handled. Blocked senders wake and are told.
    pub(crate) fn close_entrance(&self) {
        self.lock().closed = true;
        self.permits.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().items.is_empty()
    }

    /// The actor is dead: what waits is dropped (callers see their reply closed), blocked senders wake.
    pub(crate) fn close(&self) {
        self.close_entrance();
        // Dropped outside the lock: a message's `Drop` may run anything, even a send to this very gate.
        let left = std::mem::take(&mut self.lock().items);
        self.permits.add_permits(left.len());
        drop(left);
        self.vitals.end_handling();
        self.gone.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, Queue<M>> {
        // Nothing panics while the lock is held, so a poisoned queue is still a whole one.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of the message being handled.
pub(crate) struct Place<'a, M> {
    gate: &'a Gate<M>,
}

impl<M> Drop for Place<'_, M> {
    fn drop(&mut self) {
        self.gate.permits.add_permits(1);
    }
}
