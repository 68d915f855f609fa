//! Children as data: a name, how to start it, and the rules it lives by.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;

use super::handle::{Supervisor, SupervisorSlot};
use super::life::{Begun, Parent, Start};
use crate::actors::mailbox::Slot;
use crate::actors::server::{self, Server};
use crate::domain::restart::{Backoff, Intensity};
use crate::domain::supervision::{ChildId, Ended, Restart, Rules, Shutdown, StartError, Strategy};

/// A child.
#[derive(Clone)]
pub struct ChildSpec {
    pub(crate) id: ChildId,
    pub(crate) rules: Rules,
    pub(crate) start: Start,
}

impl ChildSpec {
    /// A server; `arguments` makes new ones for every life. Permanent, 5 s to stop.
    pub fn server<S: Server>(
        id: impl Into<ChildId>,
        arguments: impl Fn() -> S::Arguments + Send + Sync + 'static,
    ) -> Self {
        Self::server_in::<S>(id, &Slot::new(), arguments)
    }

    /// A server whose present address is found in `slot`.
    pub fn server_in<S: Server>(
        id: impl Into<ChildId>,
        slot: &Slot<S::Message>,
        arguments: impl Fn() -> S::Arguments + Send + Sync + 'static,
    ) -> Self {
        let slot = slot.clone();
        let start: Start =
            Arc::new(move |parent| start_server::<S>(arguments(), slot.clone(), parent).boxed());
        Self { id: id.into(), rules: Rules::WORKER, start }
    }

    /// A server that lives once, with arguments that exist once (a socket). Temporary.
    pub fn once<S: Server>(id: impl Into<ChildId>, slot: &Slot<S::Message>, arguments: S::Arguments) -> Self {
        let slot = slot.clone();
        let arguments = Mutex::new(Some(arguments));
        let start: Start = Arc::new(move |parent| {
            let arguments = arguments.lock().unwrap_or_else(PoisonError::into_inner).take();
            let slot = slot.clone();
            async move {
                match arguments {
                    Some(arguments) => start_server::<S>(arguments, slot, parent).await,
                    None => Err(StartError::Permanent("its arguments were used by its only life".to_owned())),
                }
            }
            .boxed()
        });
        Self { id: id.into(), rules: Rules { restart: Restart::Temporary, ..Rules::WORKER }, start }
    }

    /// A supervisor under this one; `spec` makes its table for every life. Permanent, stopped without a deadline.
    pub fn supervisor(
        id: impl Into<ChildId>,
        slot: &SupervisorSlot,
        spec: impl Fn() -> SupervisorSpec + Send + Sync + 'static,
    ) -> Self {
        let slot = slot.clone();
        let start: Start = Arc::new(move |parent| start_supervisor(spec(), slot.clone(), parent).boxed());
        Self { id: id.into(), rules: Rules::SUPERVISOR, start }
    }

    /// What it lives by.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    pub fn restart(mut self, restart: Restart) -> Self {
        self.rules.restart = restart;
        self
    }

    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.rules.shutdown = shutdown;
        self
    }

    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.rules.backoff = backoff;
        self
    }

    /// A permanent failure of this child melts its supervisor, too.
    pub fn essential(mut self) -> Self {
        self.rules.essential = true;
        self
    }
}

/// A supervisor's table.
pub struct SupervisorSpec {
    pub(crate) name: ChildId,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// `name` is what the tree shows for a root; a nested supervisor goes by its child id.
    pub fn new(name: impl Into<ChildId>, strategy: Strategy) -> Self {
        Self { name: name.into(), strategy, intensity: Intensity::default(), children: Vec::new() }
    }

    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// The next child: started after those before it, stopped before them.
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }
}

async fn start_server<S: Server>(
    arguments: S::Arguments,
    slot: Slot<S::Message>,
    parent: Parent,
) -> Result<Begun, StartError> {
    tokio::select! {
        biased;
        // Dropping the other branch drops the init, and whatever it had acquired.
        () = parent.cancel.cancelled() => Err(given_up()),
        started = server::start::<S>(arguments, Some(parent.cell)) => {
            let spawned = started?;
            slot.set(spawned.address.clone());
            Ok(Begun { life: Arc::new(spawned.address.clone()), ended: spawned.ended().boxed() })
        }
    }
}

/// A supervisor has started when its children have.
async fn start_supervisor(
    spec: SupervisorSpec,
    slot: SupervisorSlot,
    parent: Parent,
) -> Result<Begun, StartError> {
    let (supervisor, spawned) = Supervisor::launch(spec, Some(parent.cell)).await?;
    slot.set(supervisor.clone());
    tokio::select! {
        biased;
        booted = supervisor.booted() => match booted {
            Ok(()) => Ok(Begun { life: Arc::new(supervisor), ended: spawned.ended().boxed() }),
            Err(Ended::Melted(why)) => Err(StartError::Transient(why)),
            Err(Ended::Stopped) => Err(given_up()),
        },
        () = parent.cancel.cancelled() => {
            supervisor.request_stop();
            spawned.ended().await;
            Err(given_up())
        }
    }
}

fn given_up() -> StartError {
    StartError::Transient("it was stopped while it started".to_owned())
}
