//! The live tree as gauges, set when somebody is about to read them: an actor's hot path pays nothing for its depth.
//!
//! `proctor_mailbox_depth`, `proctor_mailbox_limit` and `proctor_actors` are summed by kind of actor, so a thousand
//! sessions are one series. `proctor_mailbox_refused_total` and `proctor_supervisor_restarts_total` are counted where
//! they happen.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::tree::TreeNode;

/// Publishes trees; remembers which kinds it has shown, so that one that is gone shows 0 and not its last value.
#[derive(Debug, Default)]
pub struct Gauges {
    kinds: Mutex<BTreeMap<String, Sums>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    actors: usize,
    depth: usize,
    limit: usize,
}

impl Gauges {
    /// Sets the gauges from the tree of this moment.
    pub fn publish(&self, tree: &TreeNode) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.values_mut().for_each(|sums| *sums = Sums::default());
        for actor in tree.walk().filter_map(|node| node.actor.as_ref()) {
            let sums = kinds.entry(actor.name.clone()).or_default();
            sums.actors += 1;
            sums.depth += actor.mailbox.depth;
            sums.limit += actor.mailbox.limit;
        }
        for (kind, sums) in &*kinds {
            let set = |name: &'static str, value: usize| {
                metrics::gauge!(name, "actor" => kind.clone()).set(value as f64);
            };
            set("proctor_actors", sums.actors);
            set("proctor_mailbox_depth", sums.depth);
            set("proctor_mailbox_limit", sums.limit);
        }
    }
}
