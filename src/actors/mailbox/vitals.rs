//! What one life of an actor shows to others without being asked: since when it handles a message, whether it was
//! told to stop, how it ended. Written by the actor's runner, read by supervisors and by the live tree.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::supervision::Exit;

/// One life of an actor.
#[derive(Debug)]
pub struct Vitals {
    name: &'static str,
    stalls_after: Option<Duration>,
    born: Instant,
    /// Microseconds after `born`, plus one, at which the current message's handling began; 0 while idle.
    handling: AtomicU64,
    stopping: CancellationToken,
    ending: OnceLock<Exit>,
}

impl Vitals {
    pub(crate) fn new(name: &'static str, stalls_after: Option<Duration>) -> Self {
        Self {
            name,
            stalls_after,
            born: Instant::now(),
            handling: AtomicU64::new(0),
            stopping: CancellationToken::new(),
            ending: OnceLock::new(),
        }
    }

    /// The kind of actor: `Server::NAME`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How long it has lived.
    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// How long the current message has been in its handler; `None` while idle.
    pub fn handling_for(&self) -> Option<Duration> {
        let began = self.handling.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.age().saturating_sub(Duration::from_micros(began)))
    }

    /// Whether the current message is in its handler for longer than its kind of actor may take.
    pub fn is_stalled(&self) -> bool {
        self.stalls_after.zip(self.handling_for()).is_some_and(|(limit, taken)| taken > limit)
    }

    /// Cancelled as soon as somebody asks the actor to stop: what a long handler watches.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    pub(crate) fn begin_handling(&self) {
        let began = u64::try_from(self.age().as_micros()).unwrap_or(u64::MAX - 1);
        self.handling.store(began + 1, Ordering::Relaxed);
    }

    pub(crate) fn end_handling(&self) {
        self.handling.store(0, Ordering::Relaxed);
    }

    /// The first to say why it ended is right: what follows is only the consequence.
    pub(crate) fn ends(&self, exit: Exit) {
        self.ending.get_or_init(|| exit);
    }

    /// How it ended, asked after its task is gone: whoever left no word was killed.
    pub(crate) fn ending(&self) -> Exit {
        self.ending.get().cloned().unwrap_or(Exit::Killed)
    }
}
