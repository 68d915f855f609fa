//! OTP's `gen_server` on ractor: an actor is a struct, its messages an enum, its limits constants.
//!
//! ```text
//! init ──▶ idle ◀──▶ handling ──▶ terminate ──▶ gone         stop, drain, or Err(Stop)
//!   │                   └───────────────────────▶ gone         panic, kill: guards' Drop does the releasing
//!   └──▶ StartError
//! ```
//!
//! The server's own value never outlives what others hear of its end: a handler owns it while it runs, so a panic or a
//! kill drops it there; on a stop it is dropped before ractor tells anybody. Who replaces it finds its guards released.
//! What an actor's death means is said by its supervisor's table, never here.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::mailbox::gate::Gate;
use super::mailbox::message::Envelope;
use super::mailbox::{Address, Message};
use crate::domain::supervision::Exit;

pub use crate::domain::supervision::StartError;

/// Data messages handled for one ring before ractor looks at its other ports again: enough to make the ring's cost
/// vanish (1/32 of a mailbox round), few enough that a batch of pure computing stays far under a millisecond.
const BATCH_MESSAGES: usize = 32;

/// An actor. Its file reads: header, limits, messages, the struct, this trait, one method per message.
pub trait Server: Sized + Send + 'static {
    /// The kind of actor, in logs, metrics and the tree.
    const NAME: &'static str;
    /// Data messages that may wait or be handled at once.
    const MAILBOX_LIMIT: usize;
    /// A message that is longer in its handler than this is a stall, and is said to be one. `None`: whose handler waits for
    /// the work itself.
    const STALLS_AFTER: Option<Duration> = Some(Duration::from_secs(5));
    type Message: Message;
    /// The complete list of what the actor may touch.
    type Arguments: Send + 'static;

    /// Acquires what the actor owns. A slow init blocks nobody but those who need this actor.
    fn init(
        arguments: Self::Arguments,
        context: &Context<Self::Message>,
    ) -> impl Future<Output = Result<Self, StartError>> + Send;

    /// Handles one message: one `match`, one call per arm.
    fn handle(
        &mut self,
        message: Self::Message,
        context: &Context<Self::Message>,
    ) -> impl Future<Output = Result<(), Stop>> + Send;

    /// A courtesy before the end by stop, drain or `Err(Stop)`. Never called after a panic or a kill: what must be
    /// released is released by guards' `Drop`.
    fn terminate(&mut self, _context: &Context<Self::Message>) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A handler's decision to end its actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Its work is done.
    Normal,
    /// What it serves ends in good order, and so does it.
    Shutdown,
    /// It cannot go on; the supervisor decides what follows.
    Abnormal(String),
}

impl From<Stop> for Exit {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Normal => Exit::Normal,
            Stop::Shutdown => Exit::Shutdown,
            Stop::Abnormal(why) => Exit::Abnormal(why),
        }
    }
}

/// What an actor knows of itself.
pub struct Context<M: Message> {
    address: Address<M>,
    cell: ActorCell,
    tasks: Mutex<JoinSet<()>>,
}

impl<M: Message> Context<M> {
    fn new(address: Address<M>, cell: ActorCell) -> Self {
        Self { address, cell, tasks: Mutex::new(JoinSet::new()) }
    }

    /// Its own address, to hand to others.
    pub fn address(&self) -> &Address<M> {
        &self.address
    }

    /// Sends what the actor begins with to itself: called in `init`, so that a start is quick and the work is a message.
    ///
    /// # Errors
    /// The mailbox does not take it: it is not the first.
    pub fn post_first(&self, message: M) -> Result<(), StartError> {
        self.address
            .try_send(message)
            .map_err(|_| StartError::Transient("a new mailbox refused its first message".to_owned()))
    }

    /// Cancelled as soon as somebody asks the actor to stop: what a long handler must watch.
    pub fn stopping(&self) -> &CancellationToken {
        self.address.vitals().stopping()
    }

    /// Runs work beside the handler. It is owned by this actor and aborted with it, however it dies.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// Sends `message` to the actor itself after `delay`, on the message's own lane.
    pub fn send_after(&self, delay: Duration, message: M) {
        let address = self.address.clone();
        self.spawn(async move {
            tokio::time::sleep(delay).await;
            // An error means that the actor has ended, and with it the reason for its timer.
            drop(address.send(message).await);
        });
    }

    /// The ractor cell of this actor, for linking children to it.
    pub(crate) fn cell(&self) -> &ActorCell {
        &self.cell
    }
}

/// One started life of a server.
pub struct Spawned<M: Message> {
    pub address: Address<M>,
    task: JoinHandle<()>,
}

impl<M: Message> Spawned<M> {
    /// Takes no more data, finishes what waits, then stops.
    pub fn drain(&self) {
        self.address.drain();
    }

    /// Finishes the message in hand, then stops; what waits is dropped.
    pub fn stop(&self) {
        self.address.stop();
    }

    /// Resolves when the actor's task is gone, and with it everything it owned; says how it ended.
    pub async fn ended(self) -> Exit {
        // A join error means aborted with the runtime: nobody is left to care.
        drop(self.task.await);
        self.address.vitals().ending()
    }
}

/// Starts a server outside of any tree: for tests and benchmarks. What the daemon runs is a child of a supervisor.
pub async fn spawn<S: Server>(arguments: S::Arguments) -> Result<Spawned<S::Message>, StartError> {
    start::<S>(arguments, None).await
}

/// Starts a server, linked to `parent`, whose death then kills it. Dropping the future abandons the start.
pub(crate) async fn start<S: Server>(
    arguments: S::Arguments,
    parent: Option<ActorCell>,
) -> Result<Spawned<S::Message>, StartError> {
    let gate = Arc::new(Gate::new(S::NAME, S::MAILBOX_LIMIT, S::STALLS_AFTER));
    let boot = Boot { arguments, gate: Arc::clone(&gate) };
    let started = match parent {
        Some(parent) => Runner::<S>::spawn_linked(None, Runner(PhantomData), boot, parent).await,
        None => Runner::<S>::spawn(None, Runner(PhantomData), boot).await,
    };
    match started {
        Ok((actor, task)) => Ok(Spawned { address: Address::new(gate, actor), task }),
        Err(error) => Err(start_error(error)),
    }
}

fn start_error(error: SpawnErr) -> StartError {
    match error {
        SpawnErr::StartupFailed(cause) => match cause.downcast::<StartError>() {
            Ok(own) => *own,
            Err(other) => StartError::Transient(other.to_string()),
        },
        other => StartError::Transient(other.to_string()),
    }
}

/// The one ractor actor behind every server.
struct Runner<S>(PhantomData<fn() -> S>);

struct Boot<S: Server> {
    arguments: S::Arguments,
    gate: Arc<Gate<S::Message>>,
}

/// The server with its mailbox. `None` after its end, and while a handler owns it.
struct Life<S: Server>(Option<Box<Alive<S>>>);

struct Alive<S: Server> {
    server: S,
    context: Context<S::Message>,
    // Last: the mailbox closes after the server's guards have let go.
    inbox: Inbox<S::Message>,
}

/// The receiving side; its drop, at whatever end, closes the gate.
struct Inbox<M>(Arc<Gate<M>>);

impl<M> Drop for Inbox<M> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<S: Server> Actor for Runner<S> {
    type Msg = Envelope<S::Message>;
    type State = Life<S>;
    type Arguments = Boot<S>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        boot: Boot<S>,
    ) -> Result<Life<S>, ActorProcessingErr> {
        let inbox = Inbox(Arc::clone(&boot.gate));
        let context = Context::new(Address::new(boot.gate, myself.clone()), myself.get_cell());
        let init = AssertUnwindSafe(S::init(boot.arguments, &context)).catch_unwind().await;
        match init.unwrap_or_else(|panic| Err(StartError::Transient(panicked(&*panic)))) {
            Ok(server) => Ok(Life(Some(Box::new(Alive { server, context, inbox })))),
            Err(error) => Err(Box::new(error)),
        }
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        life: &mut Life<S>,
    ) -> Result<(), ActorProcessingErr> {
        // Nothing is handled after the end: ractor's stop overtakes messages, but a drain may race with it.
        let Some(mut alive) = life.0.take() else {
            return Ok(());
        };
        let outcome = AssertUnwindSafe(alive.open(envelope, &myself)).catch_unwind().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(stop)) => alive.end(stop.into(), &myself),
            Err(panic) => {
                let why = panicked(&*panic);
                tracing::error!(actor = S::NAME, "{why}");
                alive.context.address.vitals().ends(Exit::Abnormal(why.clone()));
                drop(alive);
                return Err(why.into());
            }
        }
        life.0 = Some(alive);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, life: &mut Life<S>) -> Result<(), ActorProcessingErr> {
        let Some(mut alive) = life.0.take() else {
            return Ok(());
        };
        let Alive { server, context, .. } = &mut *alive;
        let outcome = AssertUnwindSafe(server.terminate(context)).catch_unwind().await;
        alive.context.address.vitals().ends(match outcome {
            Ok(()) => Exit::Shutdown,
            Err(panic) => Exit::Abnormal(panicked(&*panic)),
        });
        Ok(())
    }

    /// Links serve one purpose: a dead supervisor takes its children with it. Exits are heard from a child's warden,
    /// which waits until the child's task is gone; ractor's event comes before that.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        _: SupervisionEvent,
        _: &mut Life<S>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl<S: Server> Alive<S> {
    async fn open(
        &mut self,
        envelope: Envelope<S::Message>,
        myself: &ActorRef<Envelope<S::Message>>,
    ) -> Result<(), Stop> {
        let gate = Arc::clone(&self.inbox.0);
        match envelope {
            Envelope::Control(message) => {
                gate.control_taken();
                gate.vitals.begin_handling();
                self.server.handle(message, &self.context).await?;
            }
            Envelope::Ring => self.work_through(&gate, myself).await?,
            Envelope::Drain if gate.is_empty() => self.end(Exit::Shutdown, myself),
            // What the queue holds has rung: its last batch finds the entrance closed and ends.
            Envelope::Drain => {}
        }
        gate.vitals.end_handling();
        Ok(())
    }

    /// One ring: a batch of data. The bell stays rung while the queue may hold more, and the next ring goes to the end
    /// of ractor's mailbox, behind the control that came in meanwhile.
    async fn work_through(
        &mut self,
        gate: &Gate<S::Message>,
        myself: &ActorRef<Envelope<S::Message>>,
    ) -> Result<(), Stop> {
        for _ in 0..BATCH_MESSAGES {
            let Some((message, place)) = gate.take() else {
                if gate.is_closed() {
                    self.end(Exit::Shutdown, myself);
                }
                return Ok(());
            };
            gate.vitals.begin_handling();
            self.server.handle(message, &self.context).await?;
            drop(place);
            if gate.is_interrupted() {
                break;
            }
        }
        // An error means that the actor is ending.
        drop(myself.cast(Envelope::Ring));
        Ok(())
    }

    fn end(&self, exit: Exit, myself: &ActorRef<Envelope<S::Message>>) {
        let vitals = self.context.address.vitals();
        vitals.ends(exit);
        self.inbox.0.close_entrance();
        vitals.stopping().cancel();
        myself.stop(None);
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned());
    format!("panicked: {text}")
}
