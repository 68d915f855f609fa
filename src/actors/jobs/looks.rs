//! What is in a target now, as the digest that a snapshot of it would have: for callers whose request equals one under way.
//!
//! ```text
//! target:  asked ─▶ waiting ─▶ being read ─▶ answered
//! ```
//! Group commit for reading: everybody who asked before a reading began shares it; who asks while it goes on waits for the
//! next one, because this one may have passed a file that was edited since.
//! Owns: the readings under way. Sessions speak to it. Its death: they are told to do without, and submit a job of their
//! own; nothing else notices.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::snapshot::{self, Limits, Policy};
use crate::actors::mailbox::{Lane, Message, Reply};
use crate::actors::server::{Context, Server, StartError, Stop};

/// Questions that may wait: every session's in-flight limit.
const QUESTIONS_LIMIT: usize = 1024;
/// Targets read at once: reading is bound by one core and one disk.
const READINGS_MAX: usize = 2;

/// What it needs to know, complete.
#[derive(Clone)]
pub struct LooksArguments {
    pub policy: Policy,
    pub limits: Limits,
}

/// A digest, or why there is none.
pub type Seen = Result<String, String>;

pub enum LooksMessage {
    /// What is in this target now? It is a canonical path.
    Look { target: PathBuf, reply: Reply<Seen> },
    /// A reading is over.
    Looked { target: PathBuf, seen: Seen },
}

impl Message for LooksMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Look { .. } => Lane::Data,
            Self::Looked { .. } => Lane::Control,
        }
    }
}

pub struct Looks {
    arguments: Arc<LooksArguments>,
    /// Who waits for the reading under way.
    reading: HashMap<PathBuf, Vec<Reply<Seen>>>,
    /// Who waits for the next one.
    next: HashMap<PathBuf, Vec<Reply<Seen>>>,
    /// Targets in `next`, in the order in which they were asked for.
    turns: VecDeque<PathBuf>,
    /// Cancelled with this actor, so that no reading outlives it.
    cancel: CancellationToken,
    _guard: DropGuard,
}

impl Server for Looks {
    const NAME: &'static str = "looks";
    const MAILBOX_LIMIT: usize = QUESTIONS_LIMIT;
    type Message = LooksMessage;
    type Arguments = LooksArguments;

    async fn init(arguments: LooksArguments, _: &Context<LooksMessage>) -> Result<Self, StartError> {
        let cancel = CancellationToken::new();
        Ok(Self {
            arguments: Arc::new(arguments),
            reading: HashMap::new(),
            next: HashMap::new(),
            turns: VecDeque::new(),
            _guard: cancel.clone().drop_guard(),
            cancel,
        })
    }

    async fn handle(&mut self, message: LooksMessage, context: &Context<LooksMessage>) -> Result<(), Stop> {
        match message {
            LooksMessage::Look { target, reply } => self.look(target, reply),
            LooksMessage::Looked { target, seen } => self.looked(&target, &seen),
        }
        self.read_next(context);
        Ok(())
    }
}

impl Looks {
    fn look(&mut self, target: PathBuf, reply: Reply<Seen>) {
        let waiting = self.next.entry(target.clone()).or_default();
        if waiting.is_empty() {
            self.turns.push_back(target);
        }
        waiting.push(reply);
    }

    fn looked(&mut self, target: &PathBuf, seen: &Seen) {
        for reply in self.reading.remove(target).into_iter().flatten() {
            reply.send(seen.clone());
        }
    }

    fn read_next(&mut self, context: &Context<LooksMessage>) {
        while self.reading.len() < READINGS_MAX
            && let Some(turn) = self.turns.iter().position(|target| !self.reading.contains_key(target))
            && let Some(target) = self.turns.remove(turn)
        {
            let waiting = self.next.remove(&target).unwrap_or_default();
            self.reading.insert(target.clone(), waiting);
            self.read(target, context);
        }
    }

    fn read(&self, target: PathBuf, context: &Context<LooksMessage>) {
        let (arguments, address) = (Arc::clone(&self.arguments), context.address().clone());
        let (cancel, path) = (self.cancel.clone(), target.clone());
        context.spawn(async move {
            let look = move || snapshot::look(&path, &arguments.policy, &arguments.limits, &cancel);
            let seen = match tokio::task::spawn_blocking(look).await {
                Ok(seen) => seen.map_err(|error| error.to_string()),
                Err(panic) => Err(panic.to_string()),
            };
            drop(address.post(LooksMessage::Looked { target, seen }));
        });
    }
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;
