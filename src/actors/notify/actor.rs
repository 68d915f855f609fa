//! The notify actor: tells the service manager that the daemon is ready, alive, or on its way out.
//!
//! ```text
//! watching ──Serving──▶ READY=1        every rhythm: ask the parts ──all answer──▶ WATCHDOG=1
//!     └──Stopping──▶ STOPPING=1                          └──one is silent──▶ no ping, one line in the log
//! ```
//! Without a service manager it still asks, for the log and the metric; and it names actors that stall. Last child of the root: what it speaks for has
//! started before it. Spoken to by the daemon (serving, stopping) and itself. Its death: nobody pings until its
//! successor does, within the watchdog's time.

use std::time::Duration;

use super::parts::{Parts, Silent};
use super::service::{Notice, ServiceManager};
use super::stalls::{self, Stalls};
use crate::actors::jobs::Census;
use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};

/// The daemon speaks to it twice in its life, it to itself twice a rhythm, and once a look.
const MAILBOX_LIMIT: usize = 8;
/// Between two checks when no service manager watches.
const RHYTHM: Duration = Duration::from_secs(10);
/// Between two looks for stalls: a walk over the live tree, which disturbs no actor.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Added to what a drain may take before the service manager may lose patience: the process's own end.
const EXIT_TIME: Duration = Duration::from_secs(5);

/// What it is told.
#[derive(Debug)]
pub enum NotifyMessage {
    /// The daemon can be reached, and says so in its data directory.
    Serving,
    /// A drain began; it takes no longer than `budget`.
    Stopping { budget: Duration },
    /// Time to look for stalls.
    Look,
    /// Time to ask the parts.
    Check,
    /// They were asked.
    Checked { answer: Result<Census, Silent> },
}

impl Message for NotifyMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

/// What it is made of.
#[derive(Clone)]
pub struct NotifyArguments {
    pub manager: Option<ServiceManager>,
    pub parts: Parts,
}

/// See the module's header.
pub struct Notify {
    manager: Option<ServiceManager>,
    parts: Parts,
    rhythm: Duration,
    stalls: Stalls,
    /// The part that gave no answer last time.
    silent: Option<&'static str>,
}

impl Server for Notify {
    const NAME: &'static str = "notify";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = NotifyMessage;
    type Arguments = NotifyArguments;

    async fn init(arguments: NotifyArguments, context: &Context<NotifyMessage>) -> Result<Self, StartError> {
        let NotifyArguments { manager, parts } = arguments;
        // Twice in the time it bears silence: one ping may come late.
        let rhythm =
            manager.as_ref().and_then(ServiceManager::watchdog).map_or(RHYTHM, |watchdog| watchdog / 2);
        for first in [NotifyMessage::Check, NotifyMessage::Look] {
            context.post_first(first)?;
        }
        Ok(Self { manager, parts, rhythm, stalls: Stalls::default(), silent: None })
    }

    async fn handle(&mut self, message: NotifyMessage, context: &Context<NotifyMessage>) -> Result<(), Stop> {
        match message {
            NotifyMessage::Serving => self.tell(&[Notice::Ready]).await,
            NotifyMessage::Stopping { budget } => self.stopping(budget).await,
            NotifyMessage::Look => self.look(context),
            NotifyMessage::Check => self.check(context),
            NotifyMessage::Checked { answer } => self.checked(answer).await,
        }
        Ok(())
    }
}

impl Notify {
    async fn stopping(&self, budget: Duration) {
        let status = format!("draining: gone within {} s", budget.as_secs());
        self.tell(&[Notice::Stopping, Notice::Within(budget + EXIT_TIME), Notice::Status(status)]).await;
    }

    fn look(&mut self, context: &Context<NotifyMessage>) {
        context.send_after(LOOK_EVERY, NotifyMessage::Look);
        if let Some(root) = self.parts.root.get() {
            self.stalls.look(&root.tree()).iter().for_each(stalls::report);
        }
    }

    /// Asks beside the handler, and for less than one rhythm: the next check never meets this one.
    fn check(&self, context: &Context<NotifyMessage>) {
        context.send_after(self.rhythm, NotifyMessage::Check);
        let (parts, patience, address) = (self.parts.clone(), self.rhythm / 2, context.address().clone());
        context.spawn(async move {
            let answer = parts.answer(patience).await;
            drop(address.post(NotifyMessage::Checked { answer }));
        });
    }

    async fn checked(&mut self, answer: Result<Census, Silent>) {
        metrics::gauge!("proctor_answering").set(if answer.is_ok() { 1.0 } else { 0.0 });
        match answer {
            Ok(Census { running, waiting }) => {
                if let Some(part) = self.silent.take() {
                    tracing::info!(part, "answers again");
                }
                let status = format!("{running} jobs under way, {waiting} waiting");
                self.tell(&[Notice::Alive, Notice::Status(status)]).await;
            }
            Err(silent) => {
                if self.silent.replace(silent.part) != Some(silent.part) {
                    tracing::error!("{silent}; the service manager is not told that all is well");
                }
                self.tell(&[Notice::Status(silent.to_string())]).await;
            }
        }
    }

    async fn tell(&self, notices: &[Notice]) {
        if let Some(manager) = &self.manager
            && let Err(error) = manager.tell(notices).await
        {
            tracing::warn!(%error, ?notices, "the service manager was not told");
        }
    }
}
