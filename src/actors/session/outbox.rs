//! What waits for one session's socket. Written by the session and its calls, emptied by the connection's writer.
//!
//! Bounds: small answers are counted, and a peer that lets too many wait is a slow consumer; long answers wait for
//! room instead, each in its own call; progress is dropped first, for the newest is worth more than all before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::protocol::errors::CloseReason;
use crate::protocol::limits::Limits;

/// The queue towards one socket.
#[derive(Debug)]
pub struct Outbox {
    messages_max: usize,
    bytes_max: usize,
    queue: Mutex<Queue>,
    /// The writer has something to do.
    wake: Notify,
    /// The reader may go on.
    relief: Notify,
    /// Bytes of long answers that may wait.
    room: Arc<Semaphore>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    ping: bool,
    closing: Option<CloseReason>,
}

#[derive(Debug)]
struct Item {
    text: String,
    lossy: bool,
    _room: Option<OwnedSemaphorePermit>,
}

/// What the writer is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Batch {
    /// Send these, after a ping if one is due.
    Messages { texts: Vec<String>, ping: bool },
    /// Everything is sent: close.
    Close(CloseReason),
}

/// Messages taken by the writer at once.
const BATCH_MAX: usize = 32;

impl Outbox {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            messages_max: limits.outbound_messages,
            bytes_max: limits.outbound_bytes,
            queue: Mutex::new(Queue::default()),
            wake: Notify::new(),
            relief: Notify::new(),
            room: Arc::new(Semaphore::new(limits.outbound_bytes)),
            closed: CancellationToken::new(),
        })
    }

    /// A small answer: never waits. A peer that has let too many of them wait is closed.
    pub fn answer(&self, text: String) {
        self.push(Item { text, lossy: false, _room: None });
    }

    /// An answer of any size: waits for room, so that it is the call that waits and not the session.
    pub async fn deliver(&self, text: String) {
        let bytes = u32::try_from(text.len().min(self.bytes_max)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes);
        let room = tokio::select! {
            room = room => room.ok(),
            () = self.closed.cancelled() => return,
        };
        self.push(Item { text, lossy: false, _room: room });
    }

    /// Progress: dropped while others wait.
    pub fn progress(&self, text: String) {
        let busy = self.lock().items.len() >= self.messages_max / 2;
        if !busy {
            self.push(Item { text, lossy: true, _room: None });
        }
    }

    /// Sends a WebSocket ping.
    pub fn ping(&self) {
        self.lock().ping = true;
        self.wake.notify_one();
    }

    /// Takes nothing more; what waits is still sent. The first reason stands.
    pub fn close(&self, reason: CloseReason) {
        self.lock().closing.get_or_insert(reason);
        self.closed.cancel();
        self.wake.notify_one();
        self.relief.notify_one();
    }

    /// Resolves when it takes nothing more.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until few enough messages wait that another request may be read.
    pub async fn relieved(&self) {
        while self.is_congested() {
            self.relief.notified().await;
        }
    }

    fn is_congested(&self) -> bool {
        let queue = self.lock();
        queue.closing.is_none()
            && (queue.items.len() >= self.messages_max / 2 || queue.bytes >= self.bytes_max / 2)
    }

    /// What to do next.
    pub async fn next(&self) -> Batch {
        loop {
            if let Some(batch) = self.take() {
                // Outside the lock: a permit stored here is found by a reader that is about to wait.
                self.relief.notify_one();
                return batch;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut queue = self.lock();
        let ping = std::mem::take(&mut queue.ping);
        let count = queue.items.len().min(BATCH_MAX);
        let texts: Vec<String> = queue.items.drain(..count).map(|item| item.text).collect();
        queue.bytes -= texts.iter().map(String::len).sum::<usize>();
        match (texts.is_empty() && !ping, queue.closing) {
            (false, _) => Some(Batch::Messages { texts, ping }),
            (true, Some(reason)) => Some(Batch::Close(reason)),
            (true, None) => None,
        }
    }

    fn push(&self, item: Item) {
        let mut queue = self.lock();
        if queue.closing.is_some() {
            return;
        }
        if self.is_over(&queue, &item) {
            queue.drop_progress();
        }
        if self.is_over(&queue, &item) {
            drop(queue);
            return self.close(CloseReason::SlowConsumer);
        }
        queue.bytes += item.text.len();
        queue.items.push_back(item);
        drop(queue);
        self.wake.notify_one();
    }

    /// Long answers have their room already; at most as many of them wait as calls run.
    fn is_over(&self, queue: &Queue, item: &Item) -> bool {
        let small = item._room.is_none();
        small
            && (queue.items.len() >= self.messages_max || queue.bytes + item.text.len() > 2 * self.bytes_max)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while the lock is held, so a poisoned queue is still a whole one.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn drop_progress(&mut self) {
        self.items.retain(|item| !item.lossy);
        self.bytes = self.items.iter().map(|item| item.text.len()).sum();
    }
}

/// The session's end of its outbox: however the session ends, its socket is closed and says why.
#[derive(Debug)]
pub struct Mouth(Arc<Outbox>);

impl Mouth {
    pub const fn new(outbox: Arc<Outbox>) -> Self {
        Self(outbox)
    }

    pub const fn outbox(&self) -> &Arc<Outbox> {
        &self.0
    }
}

impl Drop for Mouth {
    fn drop(&mut self) {
        // A session that ended in order has closed it already; what is left is a panic or a kill.
        self.0.close(CloseReason::InternalError);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(messages: usize, bytes: usize) -> Arc<Outbox> {
        Outbox::new(&Limits { outbound_messages: messages, outbound_bytes: bytes, ..Limits::default() })
    }

    fn texts(words: &[&str]) -> Batch {
        Batch::Messages { texts: words.iter().map(|word| (*word).to_owned()).collect(), ping: false }
    }

    #[tokio::test]
    async fn messages_leave_in_order_and_what_waits_is_sent_before_closing() {
        let outbox = outbox(8, 100);
        outbox.answer("a".into());
        outbox.progress("b".into());
        outbox.close(CloseReason::Draining);
        outbox.answer("late".into());
        outbox.close(CloseReason::InternalError);
        assert_eq!(outbox.next().await, texts(&["a", "b"]));
        assert_eq!(outbox.next().await, Batch::Close(CloseReason::Draining));
    }

    #[tokio::test]
    async fn progress_is_dropped_first_and_then_the_peer() {
        let outbox = outbox(4, 100);
        outbox.progress("p1".into());
        outbox.progress("p2".into());
        outbox.progress("p3".into());
        for answer in ["a", "b", "c", "d"] {
            outbox.answer(answer.into());
        }
        assert!(!outbox.is_closed());
        assert_eq!(outbox.lock().items.len(), 4, "no progress left");
        outbox.answer("e".into());
        assert!(outbox.is_closed());
        assert_eq!(outbox.next().await, texts(&["a", "b", "c", "d"]));
        assert_eq!(outbox.next().await, Batch::Close(CloseReason::SlowConsumer));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_waits_for_room_and_is_let_go_when_the_socket_closes() {
        let outbox = outbox(8, 10);
        outbox.deliver("0123456789ab".into()).await;
        let mut second = Box::pin(outbox.deliver("x".into()));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(outbox.next().await, texts(&["0123456789ab"]));
        second.await;
        outbox.deliver("123456789".into()).await;
        let third = outbox.deliver("y".into());
        outbox.close(CloseReason::Normal);
        third.await;
    }

    #[tokio::test]
    async fn a_reader_waits_while_answers_pile_up() {
        let outbox = outbox(4, 100);
        outbox.relieved().await;
        outbox.answer("a".into());
        outbox.answer("b".into());
        let mut waiting = Box::pin(outbox.relieved());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        outbox.next().await;
        waiting.await;
    }

    #[tokio::test]
    async fn a_session_that_vanishes_leaves_a_reason() {
        let outbox = outbox(4, 100);
        drop(Mouth::new(Arc::clone(&outbox)));
        assert_eq!(outbox.next().await, Batch::Close(CloseReason::InternalError));
    }
}
