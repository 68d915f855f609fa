//! What a session's calls may reach. Filled once at start; cheap to clone. A part of the tree that can restart is held
//! by its `Slot`, so that its crash disconnects nobody.

use std::fmt;
use std::sync::Arc;

use crate::domain::tree::TreeNode;
use crate::protocol::api::ToolsAnswer;

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
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handles")
    }
}
