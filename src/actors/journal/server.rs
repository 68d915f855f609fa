//! The writer of the journal: takes what waits to the disk, and puts in what nobody else says (restarts of actors, the
//! disk's troubles).
//!
//! ```text
//! resting ──half a second──▶ looking, writing ──▶ resting
//! ```
//! Owns: the files. Who speaks to it: its own clock; entries are put into the ring, which waits for nobody. A disk that is
//! full or fails stops nothing: it is tried again at each tick, and when it works, a line says how many were lost.
//! Its death loses nothing: the ring and what is written of it live outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::file::{FILE_BYTES_MAX, Files};
use super::ring::{Journal, What};
use crate::actors::handles::Source;
use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::space::Room;
use crate::actors::store::Health;
use crate::domain::tree::TreeNode;

/// How often it writes: what a crash of the host may cost of a log.
const TICK: Duration = Duration::from_millis(500);
/// Its clock's message.
const MAILBOX_LIMIT: usize = 2;

/// What the writer needs to know, complete.
#[derive(Clone)]
pub struct JournalArguments {
    pub directory: PathBuf,
    pub journal: Journal,
    pub tree: Source<TreeNode>,
    pub health: Health,
    pub room: Room,
}

#[derive(Debug)]
pub enum JournalMessage {
    /// Its clock.
    Tick,
}

impl Message for JournalMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

pub struct JournalServer {
    arguments: JournalArguments,
    files: Files,
    seen: Seen,
    /// Said once, not at every tick.
    complained: bool,
}

/// What was last told of what nobody says.
#[derive(Debug, Default)]
struct Seen {
    /// Restarts by actor.
    restarts: BTreeMap<String, u32>,
    disk: Option<String>,
    room: Option<String>,
}

impl Server for JournalServer {
    const NAME: &'static str = "journal";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = JournalMessage;
    type Arguments = JournalArguments;

    async fn init(
        arguments: JournalArguments,
        context: &Context<JournalMessage>,
    ) -> Result<Self, StartError> {
        context.send_after(TICK, JournalMessage::Tick);
        let files = Files { directory: arguments.directory.clone(), bytes_max: FILE_BYTES_MAX };
        let seen = Seen { restarts: restarts(&(arguments.tree)()), ..Seen::default() };
        Ok(Self { arguments, files, seen, complained: false })
    }

    async fn handle(&mut self, _: JournalMessage, context: &Context<JournalMessage>) -> Result<(), Stop> {
        self.look();
        self.write().await;
        context.send_after(TICK, JournalMessage::Tick);
        Ok(())
    }

    async fn terminate(&mut self, _: &Context<JournalMessage>) {
        self.write().await;
    }
}

impl JournalServer {
    fn look(&mut self) {
        let JournalArguments { journal, tree, health, room, .. } = &self.arguments;
        let restarts = restarts(&tree());
        for (actor, count) in &restarts {
            if self.seen.restarts.get(actor) != Some(count) {
                journal.say(What::daemon("actor_restarted", format!("{actor}: {count} restarts")));
            }
        }
        self.seen.restarts = restarts;
        let tell = |event: &str, seen: &mut Option<String>, now: Option<String>| {
            if *seen != now {
                journal.say(What::daemon(event, now.as_deref().unwrap_or("works again")));
                *seen = now;
            }
        };
        tell("disk", &mut self.seen.disk, health.fault().map(|fault| fault.to_string()));
        tell("room", &mut self.seen.room, room.check().err().map(|_| "too little for new jobs".to_owned()));
    }

    async fn write(&mut self) {
        let journal = self.arguments.journal.clone();
        let waiting = journal.waiting();
        let Some(last) = waiting.last().map(|entry| entry.number) else { return };
        let files = self.files.clone();
        // A disk may hang.
        let written = tokio::task::spawn_blocking(move || files.append(&waiting)).await;
        match written.unwrap_or_else(|panic| Err(panic.into())) {
            Ok(()) => {
                self.complained = false;
                let lost = journal.written(last);
                if lost > 0 {
                    journal.say(What::daemon("lost", format!("{lost} entries before this were not written")));
                }
            }
            Err(error) => {
                metrics::counter!("proctor_journal_failures_total").increment(1);
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(%error, "the journal cannot be written; it is tried again");
                }
            }
        }
    }
}

/// Of those that were ever restarted.
fn restarts(tree: &TreeNode) -> BTreeMap<String, u32> {
    let restarted = tree.walk().filter(|node| node.restarts > 0);
    restarted.map(|node| (node.id.clone(), node.restarts)).collect()
}
