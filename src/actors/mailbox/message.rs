//! What an actor may be sent, and on which lane it travels.

/// How a message enters and in which order it is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Takes a permit first; at most `MAILBOX_LIMIT` of them wait or are being handled.
    Data,
    /// Takes no permit and overtakes all waiting data: cancel, stop, health, timers. Never anything that a client can
    /// multiply without a bound of its own.
    Control,
}

/// A message of an actor: one documented enum per actor, at the top of its file.
pub trait Message: Send + 'static {
    fn lane(&self) -> Lane {
        Lane::Data
    }
}

/// What lies in ractor's own mailbox.
pub(crate) enum Envelope<M> {
    /// There is data in the gate's queue. At most one of these is on its way or being handled.
    Ring,
    /// A control message: it does not pass through the queue.
    Control(M),
    /// Take no more data; when the queue is empty, stop.
    Drain,
}
