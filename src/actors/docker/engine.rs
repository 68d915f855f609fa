//! The engine, as those see it who ask something of it. Requests run in the caller's own task, each with a bound; what they
//! make is held by a guard from before the engine hears of it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use tokio::time::{Instant, sleep, timeout};

use super::error::{EngineError, Unavailable};
use super::held::{Held, Hold, Thing};
use super::server::DockerMessage;
use crate::actors::mailbox::Slot;
use crate::actors::random;
use crate::domain::container::{ContainerState, Identity, Policy};

/// A question about something that is there. An engine under load takes some seconds.
pub(super) const QUICK: Duration = Duration::from_secs(20);
/// Making or removing something: file systems, networks and name spaces take longer than words.
pub(super) const SLOW: Duration = Duration::from_secs(60);
/// What to do about an engine whose networks are its own.
pub(super) const ROOTLESS: &str = "apps and ZAP need an engine that runs as root of this machine (docker.host); tools in images work with this one";
/// How long an answer that the client does not understand may be one of a moment, and when it is asked for again.
const MOMENT: Duration = Duration::from_secs(5);
const MOMENT_PAUSE: Duration = Duration::from_millis(100);
/// Random bytes in the name of an object: two of them never meet.
const NAME_BYTES: usize = 6;

/// What is known of the engine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `unix:///…` or `tcp://…`.
    pub host: String,
    /// `Docker` or `Podman`.
    pub product: String,
    /// Such as `20.10.24`.
    pub version: String,
    /// The version of the API that is spoken.
    pub api: String,
    /// Of runc or whatever runs the containers, where the engine says it.
    pub runc: Option<String>,
    pub rootless: bool,
}

/// A connection to an engine that answered. Cheap to clone. When the engine has gone, every request says so; the door
/// (`Docker`) has the next one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    client: bollard::Docker,
    info: EngineInfo,
    identity: Identity,
    policy: Policy,
    held: Held,
    slot: Slot<DockerMessage>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.inner.info).finish()
    }
}

/// Whose objects it makes, and within which rules.
#[derive(Debug, Clone)]
pub(super) struct House {
    pub identity: Identity,
    pub policy: Policy,
    pub held: Held,
    pub slot: Slot<DockerMessage>,
}

impl Engine {
    pub(super) fn new(client: bollard::Docker, info: EngineInfo, house: House) -> Self {
        let House { identity, policy, held, slot } = house;
        Self { inner: Arc::new(Inner { client, info, identity, policy, held, slot }) }
    }

    pub fn info(&self) -> &EngineInfo {
        &self.inner.info
    }

    /// Whether this machine has a way to the addresses of its containers.
    pub fn reaches_containers(&self) -> Result<(), EngineError> {
        let EngineInfo { rootless, host, .. } = self.info();
        if !rootless {
            return Ok(());
        }
        let why = format!("{host} is rootless: this machine has no way to the addresses of its containers");
        Err(Unavailable::new(why, ROOTLESS).into())
    }

    pub fn identity(&self) -> Identity {
        self.inner.identity
    }

    pub(super) fn client(&self) -> &bollard::Docker {
        &self.inner.client
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    pub(super) fn held(&self) -> &Held {
        &self.inner.held
    }

    /// A name that no object has.
    pub(super) fn name(word: &str) -> String {
        let random: String = random::bytes::<NAME_BYTES>().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("proctor-{word}-{random}")
    }

    pub(super) fn hold(&self, thing: Thing) -> (Hold, tokio::sync::watch::Receiver<ContainerState>) {
        Hold::new(thing, &self.inner.held, &self.inner.slot)
    }

    /// Asks, within `patience`. `what` completes "cannot …".
    pub(super) async fn ask<T>(
        &self,
        what: &str,
        patience: Duration,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        match timeout(patience, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(EngineError::of(what, error)),
            Err(_elapsed) => Err(EngineError::TimedOut { what: what.to_owned(), after: patience }),
        }
    }

    /// Asks how containers are. Between two states of Docker's Podman has more (`stopped`, `initialized`), and the client takes no
    /// answer that names one: such a moment is waited for.
    pub(super) async fn look_at<T, F: Future<Output = Result<T, Error>>>(
        &self,
        what: &str,
        patience: Duration,
        request: impl Fn() -> F,
    ) -> Result<T, EngineError> {
        let began = Instant::now();
        let asking = async {
            loop {
                match request().await {
                    Err(Error::JsonDataError { .. }) if began.elapsed() < MOMENT => sleep(MOMENT_PAUSE).await,
                    answer => return answer,
                }
            }
        };
        self.ask(what, patience, asking).await
    }
}
