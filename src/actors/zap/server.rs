//! The actor that says how many ZAPs there are, and keeps spares.
//!
//! ```text
//! a seat:   asked ──room──▶ taken ──dropped──▶ free          no room: in line, first come first served
//! a spare:  missing ──started──▶ ready ──with a seat──▶ used once, by the scan that has it
//!              ▲ └─ failed: again after a while    └─ it died ─┐
//!              └───────────────────────────────────────────────┘
//! ```
//! Owns: the places, those who wait for one, the spares. Who speaks to it: scans, by [`super::door::Zap`]; seats that are
//! dropped. Its death: scans go on, they own their ZAPs; the spares go with it; its successor counts from nothing, so for a
//! while there may be more scans than it says.

use std::collections::VecDeque;
use std::time::Duration;

use super::door::Zap;
use super::instance::{Instance, Wish};
use super::seat::Seat;
use crate::actors::docker::Docker;
use crate::actors::mailbox::{Lane, Message, Reply};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::domain::outcome::FailureReason;
use crate::domain::zap::trouble::Trouble;

/// Scans that may ask at once; those in line are answered later and are not in here.
const MAILBOX_LIMIT: usize = 256;
/// Scans in line: as many as runs may wait for anything; each gives up with its deadline.
const LINE_MAX: usize = 1024;
/// Between two looks at the spares, and before one that could not be started is tried again.
const REFILL_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub enum ZapMessage {
    /// A scan wants a seat.
    Ask { reply: Reply<Seat> },
    /// A seat is free.
    Leave,
    /// What came of starting a spare.
    Spare { started: Result<Box<Instance>, Trouble> },
    /// Time to look at the spares.
    Refill,
}

impl Message for ZapMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Ask { .. } => Lane::Data,
            Self::Leave | Self::Spare { .. } | Self::Refill => Lane::Control,
        }
    }
}

/// What it needs to know, complete.
#[derive(Clone)]
pub struct ZapArguments {
    pub door: Zap,
    pub docker: Docker,
}

pub struct ZapServer {
    arguments: ZapArguments,
    taken: usize,
    line: VecDeque<Reply<Seat>>,
    spares: VecDeque<Instance>,
    /// Spares that are being started.
    coming: usize,
}

impl Server for ZapServer {
    const NAME: &'static str = "zap";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = ZapMessage;
    type Arguments = ZapArguments;

    async fn init(arguments: ZapArguments, context: &Context<ZapMessage>) -> Result<Self, StartError> {
        drop(context.address().post(ZapMessage::Refill));
        Ok(Self { arguments, taken: 0, line: VecDeque::new(), spares: VecDeque::new(), coming: 0 })
    }

    async fn handle(&mut self, message: ZapMessage, context: &Context<ZapMessage>) -> Result<(), Stop> {
        match message {
            ZapMessage::Ask { reply } => self.ask(reply, context),
            ZapMessage::Leave => self.leave(context),
            ZapMessage::Spare { started } => self.started(started),
            ZapMessage::Refill => self.refill(context),
        }
        metrics::gauge!("proctor_zap_seats_taken").set(self.taken as f64);
        self.arguments.door.publish(self.spares.len());
        Ok(())
    }

    async fn terminate(&mut self, _: &Context<ZapMessage>) {
        for spare in self.spares.drain(..) {
            spare.remove().await;
        }
    }
}

impl ZapServer {
    fn ask(&mut self, reply: Reply<Seat>, context: &Context<ZapMessage>) {
        self.line.retain(|waiting| !waiting.is_abandoned());
        // Dropped when the line is full: whoever asks is told so.
        if self.line.len() < LINE_MAX {
            self.line.push_back(reply);
        }
        self.seat(context);
    }

    fn leave(&mut self, context: &Context<ZapMessage>) {
        self.taken = self.taken.saturating_sub(1);
        self.seat(context);
    }

    /// Gives seats to those in line. Who left meanwhile drops its seat, which comes back as a message.
    fn seat(&mut self, context: &Context<ZapMessage>) {
        while self.taken < self.arguments.door.settings().at_once {
            let Some(reply) = self.line.pop_front() else { break };
            if reply.is_abandoned() {
                continue;
            }
            self.taken += 1;
            self.spares.retain(Instance::is_alive);
            reply.send(Seat::new(context.address().clone(), self.spares.pop_front()));
            self.start_spares(context);
        }
    }

    fn started(&mut self, started: Result<Box<Instance>, Trouble>) {
        self.coming = self.coming.saturating_sub(1);
        match started {
            Ok(spare) => {
                tracing::info!(version = spare.version(), "a spare ZAP is ready");
                self.spares.push_back(*spare);
            }
            // Tried again with the next look.
            Err(trouble) => {
                let Trouble { reason, detail, log_tail, .. } = trouble;
                tracing::warn!(reason = reason.word(), detail, log_tail, "no spare ZAP");
            }
        }
    }

    fn refill(&mut self, context: &Context<ZapMessage>) {
        self.spares.retain(Instance::is_alive);
        self.start_spares(context);
        context.send_after(REFILL_EVERY, ZapMessage::Refill);
    }

    fn start_spares(&mut self, context: &Context<ZapMessage>) {
        while self.spares.len() + self.coming < self.arguments.door.settings().warm {
            self.coming += 1;
            let (arguments, address) = (self.arguments.clone(), context.address().clone());
            context.spawn(async move {
                let started = start(&arguments).await.map(Box::new);
                // Refused by an actor that ends: the spare is dropped, and gone.
                drop(address.post(ZapMessage::Spare { started }));
            });
        }
    }
}

async fn start(arguments: &ZapArguments) -> Result<Instance, Trouble> {
    let engine = arguments.docker.engine().await;
    let engine = engine.map_err(|why| Trouble::new(FailureReason::EngineUnavailable, why.to_string()))?;
    Instance::start(&engine, arguments.door.settings(), &Wish::default()).await
}
