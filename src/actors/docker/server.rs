//! The actor that has the connection to the engine, and removes what guards let go.
//!
//! ```text
//! connecting ──it answers──▶ ready ──it answers no more──▶ unavailable ──1 s, doubling to 10 s──▶ (a try)
//!      └──────── none there ─────────────────────────────────▲   └──it answers──▶ ready
//! ```
//! Owns: the connection, and the removals under way. Who speaks to it: guards that are dropped ([`super::held::Hold`]); itself.
//! No engine is no failure: the state says so, and everything that needs none goes on. Its death: requests under way go on,
//! they are their callers'; its successor connects again and sweeps what was let go meanwhile. When it is stopped it removes all
//! that is left: those who had something were stopped before it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::door::{Docker, EngineState};
use super::engine::{Engine, House};
use super::error::Unavailable;
use super::held::Thing;
use super::link;
use super::places::Places;
use crate::actors::journal::{Journal, What};
use crate::actors::mailbox::{Address, Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::domain::container::{Identity, Policy};

/// It speaks to itself; removals travel as control.
const MAILBOX_LIMIT: usize = 16;
/// Before the next look for an engine, after the first that found none, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Removals at once: an engine's disk does not get faster by more.
const REMOVALS_AT_ONCE: usize = 4;
/// Tries of one removal before it is left to the sweep, and the pause after the first, doubling.
const REMOVAL_TRIES: u32 = 4;
const REMOVAL_PAUSE: Duration = Duration::from_millis(500);
/// For the last sweep. A daemon that is started for one scan has no successor that would do it, and an engine on a busy machine
/// takes seconds for a container.
const LAST_SWEEP: Duration = Duration::from_secs(10);
/// To stop, the last sweep included.
pub const STOP: Duration = LAST_SWEEP.saturating_add(Duration::from_secs(1));

#[derive(Debug)]
pub enum DockerMessage {
    /// Time to look for an engine.
    Connect,
    Connected {
        engine: Engine,
    },
    /// There is none, or it answers no more.
    Lost {
        unavailable: Unavailable,
    },
    /// Nobody holds this any more.
    Remove {
        thing: Thing,
    },
}

impl Message for DockerMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

/// What it needs to know, complete.
#[derive(Clone)]
pub struct DockerArguments {
    pub door: Docker,
    pub identity: Identity,
    pub policy: Policy,
    pub places: Places,
    pub journal: Journal,
}

pub struct DockerServer {
    arguments: DockerArguments,
    engine: Option<Engine>,
    retry: Duration,
    removals: Arc<Semaphore>,
}

impl Server for DockerServer {
    const NAME: &'static str = "docker";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = DockerMessage;
    type Arguments = DockerArguments;

    async fn init(arguments: DockerArguments, context: &Context<DockerMessage>) -> Result<Self, StartError> {
        drop(context.address().post(DockerMessage::Connect));
        let removals = Arc::new(Semaphore::new(REMOVALS_AT_ONCE));
        Ok(Self { arguments, engine: None, retry: RETRY.0, removals })
    }

    async fn handle(&mut self, message: DockerMessage, context: &Context<DockerMessage>) -> Result<(), Stop> {
        match message {
            DockerMessage::Connect => self.connect(context),
            DockerMessage::Connected { engine } => self.connected(engine),
            DockerMessage::Lost { unavailable } => self.lost(unavailable, context),
            DockerMessage::Remove { thing } => self.remove(thing, context),
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &Context<DockerMessage>) {
        let Some(engine) = &self.engine else { return };
        if timeout(LAST_SWEEP, clear(engine)).await != Ok(true) {
            tracing::warn!("something is left in the Docker engine; the next start removes it");
        }
    }
}

impl DockerServer {
    fn connect(&self, context: &Context<DockerMessage>) {
        let DockerArguments { door, identity, policy, places, .. } = self.arguments.clone();
        let house = House { identity, policy, held: door.held().clone(), slot: door.slot().clone() };
        let mut end = End::new(context.address().clone());
        context.spawn(async move {
            let why = match link::connect(&places, house).await {
                Ok(engine) => {
                    drop(end.address.post(DockerMessage::Connected { engine: engine.clone() }));
                    link::keep(&engine).await
                }
                Err(unavailable) => unavailable,
            };
            end.because(why);
        });
    }

    fn connected(&mut self, engine: Engine) {
        let info = engine.info();
        let detail = format!("{} {} at {}, API {}", info.product, info.version, info.host, info.api);
        tracing::info!("the Docker engine is there: {detail}");
        self.arguments.journal.say(What::daemon("engine_ready", detail));
        self.retry = RETRY.0;
        // What is held there is not in another engine that happens to answer while this one is away.
        self.arguments.places = self.arguments.places.only(&info.host);
        self.engine = Some(engine.clone());
        self.arguments.door.publish(EngineState::Ready(engine));
    }

    fn lost(&mut self, unavailable: Unavailable, context: &Context<DockerMessage>) {
        let before = self.arguments.door.state().borrow().clone();
        let is_news = !matches!(before, EngineState::Unavailable(known) if known == unavailable);
        if is_news {
            tracing::warn!("{unavailable}");
            self.arguments.journal.say(What::daemon("engine_unavailable", unavailable.why.clone()));
        }
        self.engine = None;
        self.arguments.door.publish(EngineState::Unavailable(unavailable));
        context.send_after(self.retry, DockerMessage::Connect);
        self.retry = (self.retry * 2).min(RETRY.1);
    }

    /// Without an engine nothing is done: the sweep that follows the next connection finds that nobody holds it.
    fn remove(&self, thing: Thing, context: &Context<DockerMessage>) {
        let Some(engine) = self.engine.clone() else { return };
        let removals = Arc::clone(&self.removals);
        context.spawn(async move {
            // Cannot fail: nobody closes it.
            let Ok(_place) = removals.acquire_owned().await else { return };
            remove(&engine, &thing).await;
        });
    }
}

/// Removes all that is left, as often as it takes: a network goes after the containers on it, which may be going already. False:
/// the engine cannot say what there is.
async fn clear(engine: &Engine) -> bool {
    loop {
        match engine.clear().await {
            Ok(swept) if swept.failed == 0 => return true,
            Ok(_) => sleep(REMOVAL_PAUSE).await,
            Err(_) => return false,
        }
    }
}

async fn remove(engine: &Engine, thing: &Thing) {
    let mut pause = REMOVAL_PAUSE;
    for attempt in 1..=REMOVAL_TRIES {
        match engine.remove(thing).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(attempt, "{thing} was not removed: {error}"),
        }
        sleep(pause).await;
        pause *= 2;
    }
    tracing::warn!("{thing} could not be removed; the next sweep tries again");
}

/// Tells the actor that its connection ended, also when the task panicked.
struct End {
    address: Address<DockerMessage>,
    why: Option<Unavailable>,
}

impl End {
    const fn new(address: Address<DockerMessage>) -> Self {
        Self { address, why: None }
    }

    fn because(&mut self, why: Unavailable) {
        self.why = Some(why);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let defect =
            || Unavailable::new("the watch over it crashed", "please report it; it is started again");
        let unavailable = self.why.take().unwrap_or_else(defect);
        // An error means that the actor has ended, and its connection with it.
        drop(self.address.post(DockerMessage::Lost { unavailable }));
    }
}
