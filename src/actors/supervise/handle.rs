//! What others hold of a supervisor: its requests, its end, and the live tree. The tree is read from the tables
//! themselves, so no busy actor delays it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ractor::ActorCell;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::keeper::{Command, Keeper};
use super::life::Life;
use super::spec::{ChildSpec, SupervisorSpec};
use crate::actors::mailbox::{Address, CallError, Reply, SendError, Slot};
use crate::actors::server::{self, Server, Spawned};
use crate::domain::supervision::{
    Child, ChildId, Down, Ended, Event, Generation, Kind, Refusal, StartError, Status, Supervision,
};
use crate::domain::tree::TreeNode;

/// A running supervisor. Cheap to clone; dropping it changes nothing.
#[derive(Clone)]
pub struct Supervisor {
    address: Address<Command>,
    shared: Arc<Shared>,
}

/// What the keeper decides on and others read.
pub(crate) struct Shared {
    name: ChildId,
    table: Mutex<Table>,
    pub(super) booted: CancellationToken,
    pub(super) ended: OnceLock<Ended>,
}

/// The one place for the state of the children.
pub(super) struct Table {
    pub(super) machine: Supervision,
    pub(super) lives: HashMap<Generation, Arc<dyn Life>>,
}

/// Why a request about a child was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChildError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("failed to start: {0}")]
    NotStarted(StartError),
    /// The supervisor ended before it answered.
    #[error(transparent)]
    Supervisor(#[from] CallError),
}

/// A child as `which_children` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildView {
    pub id: ChildId,
    pub kind: Kind,
    pub status: Status,
    pub restarts: u32,
    pub last_failure: Option<String>,
}

/// OTP's `count_children`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildCounts {
    pub specs: usize,
    /// Those that run.
    pub active: usize,
    pub supervisors: usize,
    pub workers: usize,
}

impl Supervisor {
    /// Starts a root. Its children start in order from here on: [`Supervisor::booted`] waits for them.
    pub async fn start(spec: SupervisorSpec) -> Result<Self, StartError> {
        let (supervisor, _detached) = Self::launch(spec, None).await?;
        Ok(supervisor)
    }

    pub(super) async fn launch(
        spec: SupervisorSpec,
        parent: Option<ActorCell>,
    ) -> Result<(Self, Spawned<Command>), StartError> {
        let shared = Arc::new(Shared {
            name: spec.name.clone(),
            table: Mutex::new(Table {
                machine: Supervision::new(spec.strategy, spec.intensity),
                lives: HashMap::new(),
            }),
            booted: CancellationToken::new(),
            ended: OnceLock::new(),
        });
        let spawned = server::start::<Keeper>((Arc::clone(&shared), spec.children), parent).await?;
        Ok((Self { address: spawned.address.clone(), shared }, spawned))
    }

    /// Waits until every child has started, or is down for good; fails if the supervisor ends before.
    pub async fn booted(&self) -> Result<(), Ended> {
        tokio::select! {
            biased;
            () = self.shared.booted.cancelled() => Ok(()),
            ended = self.wait() => Err(ended),
        }
    }

    /// Waits until it is gone and says how it ended. Nothing of its children runs then.
    pub async fn wait(&self) -> Ended {
        self.address.closed().await;
        let killed = || Ended::Melted("the supervisor itself failed or was killed".to_owned());
        self.shared.ended.get().cloned().unwrap_or_else(killed)
    }

    /// Stops the children in reverse order, each by its own rules, then itself. What is left at `deadline` is killed.
    pub async fn shutdown(&self, deadline: Duration) -> Ended {
        self.request_stop();
        match tokio::time::timeout(deadline, self.wait()).await {
            Ok(ended) => ended,
            Err(_elapsed) => {
                self.hurry();
                self.wait().await
            }
        }
    }

    /// Kills what is left: a shutdown's second signal.
    pub fn hurry(&self) {
        self.post(Event::Hurry);
    }

    /// Ends the supervisor itself where it is; its children are killed with it. To its parent that is a failure: see
    /// [`Address::kill`].
    pub fn kill(&self) {
        self.address.kill();
    }

    /// Begins to stop; [`Supervisor::wait`] says when it is over.
    pub fn request_stop(&self) {
        self.post(Event::Stop);
    }

    /// Adds a child and waits for its start. If that fails there is no such child.
    pub async fn start_child(&self, spec: ChildSpec) -> Result<(), ChildError> {
        self.ask(|reply| Command::StartChild { spec, reply }).await
    }

    /// Starts a temporary server and waits for its init: a session, a job, a run.
    pub async fn start_server<S: Server>(
        &self,
        id: impl Into<ChildId>,
        arguments: S::Arguments,
    ) -> Result<Address<S::Message>, ChildError> {
        let slot = Slot::new();
        self.start_child(ChildSpec::once::<S>(id, &slot, arguments)).await?;
        let over = || StartError::Transient("it ended right after its start".to_owned());
        slot.last().ok_or_else(|| ChildError::NotStarted(over()))
    }

    /// Stops a child and waits until it is gone. Temporary and dynamic ones are forgotten, others stay down.
    pub async fn terminate_child(&self, id: &ChildId) -> Result<(), ChildError> {
        self.ask(|reply| Command::TerminateChild { id: id.clone(), reply }).await
    }

    /// Starts a child that is down: stopped, done or unavailable.
    pub async fn restart_child(&self, id: &ChildId) -> Result<(), ChildError> {
        self.ask(|reply| Command::RestartChild { id: id.clone(), reply }).await
    }

    /// Forgets a child that is down.
    pub async fn delete_child(&self, id: &ChildId) -> Result<(), ChildError> {
        self.ask(|reply| Command::DeleteChild { id: id.clone(), reply }).await
    }

    /// In start order.
    pub fn which_children(&self) -> Vec<ChildView> {
        self.shared.table().machine.children().map(ChildView::of).collect()
    }

    pub fn count_children(&self) -> ChildCounts {
        let mut counts = ChildCounts::default();
        for child in self.shared.table().machine.children() {
            counts.specs += 1;
            counts.active += usize::from(child.is_running());
            match child.rules.kind {
                Kind::Supervisor => counts.supervisors += 1,
                Kind::Worker => counts.workers += 1,
            }
        }
        counts
    }

    /// The live tree from here down.
    pub fn tree(&self) -> TreeNode {
        // The rows are copied first: no two tables are ever locked at once.
        let rows: Vec<(ChildView, Option<Arc<dyn Life>>)> = {
            let table = self.shared.table();
            let life = |child: &Child| table.lives.get(&child.generation()?).map(Arc::clone);
            table.machine.children().map(|child| (ChildView::of(child), life(child))).collect()
        };
        TreeNode {
            id: self.shared.name.to_string(),
            kind: Kind::Supervisor,
            state: self.word().to_owned(),
            restarts: 0,
            last_failure: None,
            actor: Some(self.address.view()),
            children: rows.into_iter().map(|(child, life)| child.node(life.as_deref())).collect(),
        }
    }

    /// Kills the first actor of this name under this supervisor, wherever it is; false if there is none. For tests of
    /// containment.
    #[cfg(feature = "fault-injection")]
    pub fn kill_below(&self, id: &str) -> bool {
        // The rows are copied first: no two tables are ever locked at once.
        let rows: Vec<(ChildId, Arc<dyn Life>)> = {
            let table = self.shared.table();
            let life = |child: &Child| table.lives.get(&child.generation()?).map(Arc::clone);
            let living = |child: &Child| Some((child.id.clone(), life(child)?));
            table.machine.children().filter_map(living).collect()
        };
        if let Some((_, life)) = rows.iter().find(|(name, _)| name.as_str() == id) {
            life.kill();
            return true;
        }
        rows.iter().any(|(_, life)| life.kill_below(id))
    }

    /// Whether it still handles what it is told. Resolves when it does; false when it is gone.
    pub async fn answers(&self) -> bool {
        let (reply, answer) = Reply::channel();
        self.address.send(Command::Answer { reply }).await.is_ok() && answer.await.is_ok()
    }

    pub(super) fn address(&self) -> &Address<Command> {
        &self.address
    }

    fn word(&self) -> &'static str {
        match self.shared.ended.get() {
            Some(_) => "stopped",
            None if self.shared.booted.is_cancelled() => "running",
            None => "starting",
        }
    }

    fn post(&self, event: Event) {
        // An error means gone already.
        drop(self.address.post(Command::Event(event)));
    }

    async fn ask(
        &self,
        request: impl FnOnce(Reply<Result<(), ChildError>>) -> Command,
    ) -> Result<(), ChildError> {
        let actor = self.address.name();
        let (reply, answer) = Reply::channel();
        match self.address.send(request(reply)).await {
            Ok(()) => {}
            Err(SendError::Full(_)) => return Err(CallError::Full { actor }.into()),
            Err(SendError::Closed(_)) => return Err(CallError::Closed { actor }.into()),
        }
        // Without a deadline: a start takes as long as the child's init, and the caller may leave at any time.
        answer.await.map_err(|_dropped| CallError::Closed { actor })?
    }
}

impl Shared {
    pub(super) fn name(&self) -> &ChildId {
        &self.name
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // A poisoned table means a bug in the machine; what it holds is still the best there is to show.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChildView {
    fn of(child: &Child) -> Self {
        Self {
            id: child.id.clone(),
            kind: child.rules.kind,
            status: child.status.clone(),
            restarts: child.restarts,
            last_failure: child.last_failure.clone(),
        }
    }

    fn node(self, life: Option<&dyn Life>) -> TreeNode {
        TreeNode {
            id: self.id.to_string(),
            kind: self.kind,
            state: self.status.word().to_owned(),
            restarts: self.restarts,
            last_failure: self.last_failure,
            actor: life.map(Life::view),
            children: life.map(Life::children).unwrap_or_default(),
        }
    }

    /// Why it is down, if it cannot start.
    pub fn unavailable(&self) -> Option<&str> {
        match &self.status {
            Status::Down(Down::Unavailable(why)) => Some(why),
            _ => None,
        }
    }
}

/// A supervisor that survives its own restart: see [`Slot`].
#[derive(Clone)]
pub struct SupervisorSlot {
    present: watch::Sender<Option<Supervisor>>,
}

impl SupervisorSlot {
    pub fn new() -> Self {
        Self { present: watch::Sender::new(None) }
    }

    /// The supervisor of now; `None` before its first start and while it is down.
    pub fn get(&self) -> Option<Supervisor> {
        self.present.borrow().as_ref().filter(|supervisor| !supervisor.address.is_closed()).cloned()
    }

    pub(super) fn set(&self, supervisor: Supervisor) {
        self.present.send_replace(Some(supervisor));
    }
}

impl Default for SupervisorSlot {
    fn default() -> Self {
        Self::new()
    }
}
