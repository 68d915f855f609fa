//! What a sender holds. There is no other way to an actor of ours: ractor's reference stays inside.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorRef, MessagingErr};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::gate::{Entered, Gate};
use super::message::{Envelope, Lane, Message};
use super::reply::Reply;
use super::vitals::Vitals;

/// The bounded address of one life of an actor. Cheap to clone. A restarted actor has a new one: see [`super::Slot`].
pub struct Address<M: Message> {
    gate: Arc<Gate<M>>,
    actor: ActorRef<Envelope<M>>,
}

/// Why a message was not taken; the message comes back.
#[derive(thiserror::Error)]
pub enum SendError<M> {
    /// The mailbox is at its limit: retry later, or refuse the request that caused it.
    #[error("the mailbox is full; retry later")]
    Full(M),
    /// The actor is draining or dead: ask its slot for the present one.
    #[error("the actor is gone")]
    Closed(M),
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The mailbox stayed full: the request was never handled.
    #[error("{actor} is busy: its mailbox stayed full; retry later")]
    Full { actor: &'static str },
    /// The actor ended, or dropped the request, before it answered.
    #[error("{actor} ended before it answered")]
    Closed { actor: &'static str },
    /// The request was taken and may still be handled.
    #[error("{actor} gave no answer within {} ms", after.as_millis())]
    Timeout { actor: &'static str, after: Duration },
}

impl<M: Message> Address<M> {
    pub(crate) fn new(gate: Arc<Gate<M>>, actor: ActorRef<Envelope<M>>) -> Self {
        Self { gate, actor }
    }

    /// Sends, or refuses at once.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        match message.lane() {
            Lane::Control => self.send_control(message),
            Lane::Data => {
                let entered = self.gate.try_admit(message)?;
                self.ring(entered);
                Ok(())
            }
        }
    }

    /// Waits for a place, first come first served. Dropping the future sends nothing. Never wait like this from inside
    /// a handler for an actor that may wait for this one.
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        match message.lane() {
            Lane::Control => self.send_control(message),
            Lane::Data => match self.gate.reserve().await {
                Ok(place) => self.enter(message, place),
                Err(_closed) => Err(SendError::Closed(message)),
            },
        }
    }

    /// [`Address::send`] that gives up with `Full` after `patience`.
    pub async fn send_timeout(&self, message: M, patience: Duration) -> Result<(), SendError<M>> {
        self.send_by(message, Instant::now() + patience).await
    }

    async fn send_by(&self, message: M, deadline: Instant) -> Result<(), SendError<M>> {
        if message.lane() == Lane::Control {
            return self.send_control(message);
        }
        match timeout_at(deadline, self.gate.reserve()).await {
            Ok(Ok(place)) => self.enter(message, place),
            Ok(Err(_closed)) => Err(SendError::Closed(message)),
            Err(_elapsed) => Err(self.gate.refuse(message)),
        }
    }

    /// Sends a request and waits for its answer, both within `patience`.
    pub async fn call<R, F>(&self, request: F, patience: Duration) -> Result<R, CallError>
    where
        R: Send,
        F: FnOnce(Reply<R>) -> M,
    {
        let actor = self.name();
        let deadline = Instant::now() + patience;
        let (reply, answer) = Reply::channel();
        match self.send_by(request(reply), deadline).await {
            Ok(()) => {}
            Err(SendError::Full(_)) => return Err(CallError::Full { actor }),
            Err(SendError::Closed(_)) => return Err(CallError::Closed { actor }),
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_dropped)) => Err(CallError::Closed { actor }),
            Err(_elapsed) => Err(CallError::Timeout { actor, after: patience }),
        }
    }

    /// Messages that wait or are being handled.
    pub fn depth(&self) -> usize {
        self.gate.depth()
    }

    /// The most that may.
    pub fn limit(&self) -> usize {
        self.gate.limit()
    }

    /// Messages refused with `Full` so far.
    pub fn refused(&self) -> u64 {
        self.gate.refused()
    }

    /// Resolves when the actor is dead, however it died.
    pub async fn closed(&self) {
        self.gate.gone().cancelled().await;
    }

    /// Whether data is no longer taken: the actor drains, stops or is dead.
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// The kind of actor: `Server::NAME`.
    pub fn name(&self) -> &'static str {
        self.gate.vitals.name()
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.gate.vitals
    }

    /// Control from a sender that has a bound of its own: never refused while the actor lives.
    pub(crate) fn post(&self, message: M) -> Result<(), SendError<M>> {
        self.gate.control_arrives_unbounded();
        self.cast_control(message)
    }

    /// Takes no more data, finishes what waits, then stops.
    pub(crate) fn drain(&self) {
        self.gate.close_entrance();
        // An error means dead already.
        drop(self.actor.cast(Envelope::Drain));
    }

    /// Finishes the message being handled, then stops; what waits is dropped.
    pub(crate) fn stop(&self) {
        self.gate.close_entrance();
        self.gate.vitals.stopping().cancel();
        self.actor.stop(None);
    }

    /// Ends the actor where it is: its handler at the next await point, without `terminate`. To its supervisor that is a
    /// failure like a panic. For operators and for tests of containment; who wants an end in good order asks the
    /// supervisor.
    pub fn kill(&self) {
        self.gate.close_entrance();
        self.gate.vitals.stopping().cancel();
        self.actor.kill();
    }

    fn send_control(&self, message: M) -> Result<(), SendError<M>> {
        if !self.gate.control_arrives() {
            return Err(self.gate.refuse(message));
        }
        self.cast_control(message)
    }

    fn cast_control(&self, message: M) -> Result<(), SendError<M>> {
        match self.actor.cast(Envelope::Control(message)) {
            Ok(()) => Ok(()),
            Err(MessagingErr::SendErr(Envelope::Control(message))) => {
                self.gate.control_taken();
                Err(SendError::Closed(message))
            }
            Err(_) => unreachable!("an envelope comes back as it went, to an actor of its own type"),
        }
    }

    fn enter(&self, message: M, place: SemaphorePermit<'_>) -> Result<(), SendError<M>> {
        let entered = self.gate.admit(message, place)?;
        self.ring(entered);
        Ok(())
    }

    fn ring(&self, entered: Entered) {
        match entered {
            Entered::AlreadyRung => {}
            // An error means dead or dying: closing the gate then drops what was queued.
            Entered::Ring => drop(self.actor.cast(Envelope::Ring)),
        }
    }
}

impl<M: Message> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate), actor: self.actor.clone() }
    }
}

impl<M: Message> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} {})", self.name(), self.actor.get_id())
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Full(_) => f.write_str("Full"),
            SendError::Closed(_) => f.write_str("Closed"),
        }
    }
}
