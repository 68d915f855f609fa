//! The watcher of the disk: looks once a second, says whether there is room, gives the ballast up and takes it again.
//!
//! ```text
//! held ──store met a full disk, or little is free──▶ given up ──room for jobs and for it──▶ held
//! ```
//! Owns: the ballast file. Who speaks to it: its own clock, and the store's health when a write met a full disk.
//! Its death: what it said last stands until its successor has looked, a second later at most.

use std::path::PathBuf;
use std::time::Duration;

use super::ballast::Ballast;
use super::room::{NoRoom, Room};
use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::store::Health;
use crate::domain::space::{Limits, Seen, Step};
use crate::store::FaultKind;

/// How often the disk is looked at: a second of writing at full speed fits into what is kept free.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Its clock's message and the store's: one of each.
const MAILBOX_LIMIT: usize = 4;

/// What the watcher needs to know, complete.
#[derive(Debug, Clone)]
pub struct SpaceArguments {
    /// The data directory.
    pub directory: PathBuf,
    pub limits: Limits,
    /// Where it says what it sees.
    pub room: Room,
    pub health: Health,
}

#[derive(Debug)]
pub enum SpaceMessage {
    /// Its clock.
    Tick,
    /// A write of the store met a full disk, or met it no longer.
    StoreChanged,
}

impl Message for SpaceMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

pub struct Space {
    arguments: SpaceArguments,
    ballast: Ballast,
    /// Said once, not every second.
    complained: bool,
}

impl Server for Space {
    const NAME: &'static str = "space";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = SpaceMessage;
    type Arguments = SpaceArguments;

    async fn init(arguments: SpaceArguments, context: &Context<SpaceMessage>) -> Result<Self, StartError> {
        let (mut health, address) = (arguments.health.watch(), context.address().clone());
        context.spawn(async move {
            while health.changed().await.is_ok() {
                drop(address.post(SpaceMessage::StoreChanged));
            }
        });
        let ballast = Ballast::of(&arguments.directory);
        let mut this = Self { arguments, ballast, complained: false };
        this.look().await;
        context.send_after(LOOK_EVERY, SpaceMessage::Tick);
        Ok(this)
    }

    async fn handle(&mut self, message: SpaceMessage, context: &Context<SpaceMessage>) -> Result<(), Stop> {
        self.look().await;
        if matches!(message, SpaceMessage::Tick) {
            context.send_after(LOOK_EVERY, SpaceMessage::Tick);
        }
        Ok(())
    }
}

impl Space {
    async fn look(&mut self) {
        let SpaceArguments { limits, ref health, .. } = self.arguments;
        let store_is_full = health.fault().is_some_and(|fault| fault.kind == FaultKind::Full);
        let ballast = self.ballast.clone();
        // A disk may hang.
        let work = move || -> std::io::Result<Seen> {
            let seen = ballast.look()?;
            match limits.step(seen, store_is_full) {
                Step::Keep => return Ok(seen),
                Step::GiveUp => {
                    tracing::warn!(free = seen.free, held = seen.held, "the reserve of the disk is given up");
                    ballast.give_up()?;
                }
                Step::Take => ballast.take(limits.ballast)?,
            }
            ballast.look()
        };
        let seen = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(panic.into()));
        match seen {
            Ok(seen) => self.saw(seen),
            Err(error) => self.complain(&error),
        }
    }

    fn saw(&self, seen: Seen) {
        let SpaceArguments { directory, limits, room, .. } = &self.arguments;
        metrics::gauge!("proctor_disk_free_bytes").set(seen.free as f64);
        let lack =
            NoRoom { directory: directory.clone(), free: limits.spare(seen), free_min: limits.free_min };
        room.is((!limits.has_room(seen)).then_some(lack));
    }

    fn complain(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(%error, "the room on the disk is not watched, or has no reserve");
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
