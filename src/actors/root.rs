//! The whole daemon as one value: made from configuration, drained, ended. Whoever embeds it (`proctor serve`, `proctor
//! scan` without a running daemon, the tests) runs the very same tree.
//!
//! ```text
//! root              rest_for_one: each row depends on those before it
//! ├─ store          the single writer
//! ├─ services       one_for_one: a crash of one is no other's business
//! │  ├─ looks       what is in a target now, for requests that equal one under way
//! │  └─ jobs        one_for_all: `running` and `manager`, see `jobs/`
//! ├─ gateway        rest_for_one: `sessions` and `listener`, see `gateway/`
//! └─ notify         tells the service manager how the others are
//! ```
//! The root's own end (more restarts than it bears) is final: [`Daemon::ended`] says why, `main` exits non-zero, and the
//! service manager decides.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::apps::Apps;
use super::breakers::Breakers;
use super::data_dir::{DataDir, DataDirError};
use super::docker::Docker;
use super::drain::{BudgetSpent, Drain};
use super::gateway::token::{Token, TokenFileError};
use super::gateway::{GatewayMessage, listener};
use super::jobs::JobsMessage;
use super::jobs::looks::LooksMessage;
use super::jobs::snapshot::{BadPattern, Policy};
use super::journal::{Journal, What};
use super::mailbox::Slot;
use super::notify::{NotifyMessage, ServiceManager};
use super::pressure::Meter;
use super::process;
use super::random;
use super::rows::Plan;
use super::space::Room;
use super::space::ballast::make_room;
use super::store::{Health, StoreMessage};
use super::supervise::{Ended, Supervisor};
use super::upkeep::limits;
use super::zap::{self, Zap};
use crate::config::Config;
use crate::domain::container::Identity;
use crate::domain::drain::Stages;
use crate::domain::ids::BootId;
use crate::domain::tree::TreeNode;
use crate::store::lock::Lock;
use crate::tools::catalogue::{Catalogue, ManifestError};

/// How long the start of all children may take: a store of a gigabyte is checked and opened in it.
const BOOT_PATIENCE: Duration = Duration::from_secs(60);
/// How long the parts of a tree that did not start may take to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What the daemon is told beside its configuration.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Directories that may be examined where the configuration names none.
    pub roots: Vec<PathBuf>,
    /// The program that turns itself into a tool: this binary, unless a test says otherwise.
    pub shim: PathBuf,
    /// Who wants to hear how the daemon is.
    pub manager: Option<ServiceManager>,
    /// What memory is measured by; `None`: nothing is held back for it.
    pub meter: Option<Meter>,
}

/// A running daemon.
pub struct Daemon {
    root: Supervisor,
    doors: Doors,
    address: SocketAddr,
    data: DataDir,
    /// Held for as long as the daemon lives, and let go last.
    _lock: Lock,
}

/// The addresses that survive restarts.
#[derive(Clone, Default)]
pub(super) struct Doors {
    pub root: Arc<OnceLock<Supervisor>>,
    pub store: Slot<StoreMessage>,
    pub jobs: Slot<JobsMessage>,
    pub looks: Slot<LooksMessage>,
    pub breakers: Breakers,
    pub docker: Docker,
    pub apps: Apps,
    pub gateway: Slot<GatewayMessage>,
    /// Whether the store's writes reach the disk.
    pub health: Health,
    pub notify: Slot<NotifyMessage>,
    /// Whether there is room for new jobs.
    pub room: Room,
    /// What the daemon did lately.
    pub journal: Journal,
}

/// Why there is no daemon. Each names what to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartFailed {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the disk of the data directory cannot be looked at: {0}")]
    Room(io::Error),
    #[error("{} manifest error(s):\n{}", .0.len(), listed(.0))]
    Manifests(Vec<ManifestError>),
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error(transparent)]
    Token(#[from] TokenFileError),
    #[error(
        "cannot listen on {address}: {source}; choose another with `gateway.listen`, or stop what listens there"
    )]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the daemon could not start: {0}")]
    Tree(String),
    #[error("the daemon did not start within {} s: {waiting} was not ready", BOOT_PATIENCE.as_secs())]
    TooSlow { waiting: String },
}

fn listed(errors: &[ManifestError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}

impl Daemon {
    /// Starts everything and returns when the gateway serves.
    pub async fn start(config: &Config, surroundings: Surroundings) -> Result<Self, StartFailed> {
        let lock = DataDir::lock(&config.daemon.data_dir)?;
        make_room(&config.daemon.data_dir, limits(&config.storage)).map_err(StartFailed::Room)?;
        // Before the directories are emptied: a tool that still runs would fill them again, and the start would fail.
        let swept = process::sweep();
        if swept.processes > 0 {
            tracing::warn!(processes = swept.processes, "ended what a daemon that died had left running");
        }
        let data = DataDir::prepare(&config.daemon.data_dir)?;
        let catalogue = Catalogue::with_own(&config.daemon.manifests_dir).map_err(StartFailed::Manifests)?;
        let token = Token::read_or_create(&data.token())?;
        let listen = |source| StartFailed::Listen { address: config.gateway.listen, source };
        let listener = listener::bind(config.gateway.listen).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let roots = match config.targets.roots.is_empty() {
            true => surroundings.roots,
            false => config.targets.roots.clone(),
        };
        let policy = Policy::new(catalogue.left_out().map(|(pattern, _)| pattern))?;
        let doors = Doors::default();
        let identity = Identity { daemon: data.daemon_id()?, boot: BootId::from_random(random::bytes()) };
        let plan = Plan {
            config,
            roots: &roots,
            shim: surroundings.shim,
            manager: surroundings.manager,
            meter: surroundings.meter,
            pressure: watch::Sender::default(),
            data: &data,
            identity,
            catalogue: Arc::new(catalogue),
            policy,
            token: &token,
            listener: Arc::new(listener),
            doors: &doors,
            zap: Zap::new(
                zap::Settings::of(&config.zap, &config.docker),
                doors.docker.clone(),
                doors.breakers.clone(),
            ),
        };
        let root = boot(&plan, &doors).await?;
        data.announce(address)?;
        doors.journal.say(What::daemon("started", format!("proctor {}", env!("CARGO_PKG_VERSION"))));
        if let Some(notify) = doors.notify.get() {
            drop(notify.post(NotifyMessage::Serving));
        }
        Ok(Self { root, doors, address, data, _lock: lock })
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the bearer token, 0600.
    pub fn token_file(&self) -> PathBuf {
        self.data.token()
    }

    /// Every actor, now.
    pub fn tree(&self) -> TreeNode {
        self.root.tree()
    }

    /// Resolves when the tree ended by itself: it bore no more restarts.
    pub async fn ended(&self) -> Ended {
        self.root.wait().await
    }

    /// Ends the daemon in good order, all of it within `budget`: see [`super::drain`]. [`Daemon::hurry`] cuts the wait for
    /// running jobs short.
    pub async fn drain(&self, budget: Duration) -> Result<Ended, BudgetSpent> {
        let Self { root, doors, .. } = self;
        doors.journal.say(What::daemon("draining", format!("within {} s", budget.as_secs())));
        if let Some(notify) = doors.notify.get() {
            drop(notify.post(NotifyMessage::Stopping { budget }));
        }
        let ended = Drain { root, doors, stages: Stages::of(budget), began: Instant::now() }.run().await;
        self.data.retract();
        ended
    }

    /// Ends the wait of a drain for running jobs.
    pub fn hurry(&self) {
        if let Some(jobs) = self.doors.jobs.get() {
            drop(jobs.try_send(JobsMessage::Hurry));
        }
    }
}

async fn boot(plan: &Plan<'_>, doors: &Doors) -> Result<Supervisor, StartFailed> {
    let root = Supervisor::start(plan.root()).await.map_err(|error| StartFailed::Tree(error.to_string()))?;
    // Cannot be set already: the doors are new.
    drop(doors.root.set(root.clone()));
    match timeout(BOOT_PATIENCE, root.booted()).await {
        Ok(Ok(())) => match down(&root.tree()) {
            None => Ok(root),
            Some(why) => {
                root.shutdown(STOP_PATIENCE).await;
                Err(StartFailed::Tree(why))
            }
        },
        Ok(Err(ended)) => Err(StartFailed::Tree(format!("{ended:?}"))),
        Err(_) => {
            let waiting =
                root.tree().walk().find(|node| node.state == "starting").map(|node| node.id.clone());
            root.shutdown(STOP_PATIENCE).await;
            Err(StartFailed::TooSlow { waiting: waiting.unwrap_or_else(|| "something".to_owned()) })
        }
    }
}

/// Why the first part that is unavailable is so. At start nothing may be: whoever starts a daemon is there to mend it.
fn down(tree: &TreeNode) -> Option<String> {
    let node = tree.walk().find(|node| node.state == "unavailable")?;
    Some(format!("{}: {}", node.id, node.last_failure.as_deref().unwrap_or("unavailable")))
}
