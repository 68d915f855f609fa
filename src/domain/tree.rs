//! The live tree as data: what `proctor tree` and the resource of the same name show.

use serde::{Deserialize, Serialize};

use super::supervision::Kind;

/// One actor and those under it, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Its name among its siblings.
    pub id: String,
    pub kind: Kind,
    /// pending, starting, running, restarting, stopping, done, ignored, stopped or unavailable.
    pub state: String,
    /// Restarts since its supervisor started.
    pub restarts: u32,
    /// Why it last failed to start, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Only while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorView>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
}

/// What a living actor shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorView {
    /// The kind of actor: the label of its metrics.
    pub name: String,
    pub age_ms: u64,
    /// How long the present message has been in its handler; absent while idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handling_ms: Option<u64>,
    /// Whether that is longer than its kind of actor may take.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stalled: bool,
    pub mailbox: MailboxView,
}

/// A mailbox: messages that wait or are being handled, the most that may, and how many were refused so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxView {
    pub depth: usize,
    pub limit: usize,
    pub refused: u64,
}

impl TreeNode {
    /// A node of which nothing is known yet.
    pub fn starting(id: &str, kind: Kind) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            state: "starting".to_owned(),
            restarts: 0,
            last_failure: None,
            actor: None,
            children: Vec::new(),
        }
    }

    /// This node and all under it, parents first.
    pub fn walk(&self) -> impl Iterator<Item = &TreeNode> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let node = waiting.pop()?;
            waiting.extend(node.children.iter().rev());
            Some(node)
        })
    }
}
