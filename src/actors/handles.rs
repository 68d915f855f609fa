//! What a session's calls may reach. Filled once at start; cheap to clone. A part of the tree that can restart is held
//! by its `Slot`, so that its crash disconnects nobody.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::apps::Apps;
use super::jobs::JobsMessage;
use super::jobs::looks::LooksMessage;
use super::jobs::target::Roots;
use super::journal::Journal;
use super::mailbox::Slot;
use super::pressure::Pressure;
use super::session::sarif::LastExport;
use super::store::Store;
use crate::domain::scope::Lists;
use crate::domain::supervision::Kind;
use crate::domain::tree::TreeNode;
use crate::protocol::api::ToolsAnswer;
use crate::tools::catalogue::Catalogue;

/// A question with a quick answer: reads memory, waits for nobody.
pub type Source<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// The doors of the daemon, as a session sees them.
#[derive(Clone)]
pub struct Handles {
    /// The live tree: every actor, its state, restarts, mailbox depth and limit.
    pub tree: Source<TreeNode>,
    /// The catalogue, and which of its tools are installed.
    pub tools: Source<ToolsAnswer>,
    /// Whether new work can be taken; if not, why.
    pub ready: Source<Result<(), String>>,
    /// How short memory is.
    pub pressure: watch::Receiver<Pressure>,
    pub jobs: Slot<JobsMessage>,
    /// What is in a target now.
    pub looks: Slot<LooksMessage>,
    pub store: Store,
    /// Which directories may be examined.
    pub targets: Arc<Roots>,
    /// What may be touched on a network.
    pub lists: Arc<Lists>,
    pub apps: Apps,
    pub catalogue: Arc<Catalogue>,
    pub deadlines: Deadlines,
    pub exports: Arc<LastExport>,
    /// What the daemon did lately.
    pub journal: Journal,
    /// Kills the actor of this name in the live tree; false if there is none.
    #[cfg(feature = "fault-injection")]
    pub kill: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

/// Seconds a job may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// When the caller does not say.
    pub default_s: u32,
    pub max_s: u32,
}

impl Handles {
    /// Handles with nobody behind them, for a gateway without a daemon: what needs the job engine is told that it is down.
    pub fn unattached(tools: ToolsAnswer) -> Self {
        let root = || TreeNode::starting("root", Kind::Supervisor);
        Self {
            tree: Arc::new(root),
            tools: Arc::new(move || tools.clone()),
            ready: Arc::new(|| Ok(())),
            pressure: watch::Sender::default().subscribe(),
            jobs: Slot::new(),
            looks: Slot::new(),
            store: Store::new(Slot::new()),
            targets: Arc::new(Roots::new(&[], Path::new("/nonexistent"))),
            lists: Arc::default(),
            apps: Apps::default(),
            catalogue: Arc::default(),
            deadlines: Deadlines { default_s: 60, max_s: 60 },
            exports: Arc::default(),
            journal: Journal::default(),
            #[cfg(feature = "fault-injection")]
            kill: Arc::new(|_| false),
        }
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handles")
    }
}
