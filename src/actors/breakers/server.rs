//! The actor that holds the breakers.
//!
//! ```text
//! who asks:  asked ──closed──▶ goes        ──open──▶ told so at once
//!              └─ somebody is trying it ──▶ waits for what comes of that
//! ```
//! Owns: one breaker per dependency that was ever asked for, and those who wait for a probe.
//! Who speaks to it: runs and other users of dependencies, through [`Breakers`].
//! Its death: its successor takes everything for sound and learns again; passes of the former life say nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::client::{Breakers, Down, Pass};
use crate::actors::journal::{Journal, What};
use crate::actors::mailbox::{Lane, Message, Reply};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::domain::breaker::{Answer, Breaker, Dependency, Rules, Ticket, Verdict};

/// Questions that may wait here: one per run that may be under way, many times over.
const QUESTIONS_LIMIT: usize = 1024;

pub enum BreakersMessage {
    /// May this dependency be used now? Answered at once, or when whoever tries it knows.
    Ask { dependency: Dependency, reply: Reply<Result<Pass, Down>> },
    /// A use is over.
    Report { dependency: Dependency, ticket: Ticket, verdict: Verdict },
}

impl Message for BreakersMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Ask { .. } => Lane::Data,
            // What was learned must not stand behind those who ask for it.
            Self::Report { .. } => Lane::Control,
        }
    }
}

/// What it needs to know, complete.
#[derive(Clone)]
pub struct BreakersArguments {
    pub rules: Rules,
    pub door: Breakers,
    pub journal: Journal,
}

pub struct BreakersServer {
    arguments: BreakersArguments,
    watched: BTreeMap<Dependency, Watched>,
    /// What ages are counted from.
    began: Instant,
}

struct Watched {
    breaker: Breaker,
    failures: u32,
    /// Bounded by those who ask, each of whom gives up after a while.
    waiting: Vec<Reply<Result<Pass, Down>>>,
}

impl Server for BreakersServer {
    const NAME: &'static str = "breakers";
    const MAILBOX_LIMIT: usize = QUESTIONS_LIMIT;
    type Message = BreakersMessage;
    type Arguments = BreakersArguments;

    async fn init(arguments: BreakersArguments, _: &Context<BreakersMessage>) -> Result<Self, StartError> {
        arguments.door.publish(BTreeMap::new());
        Ok(Self { arguments, watched: BTreeMap::new(), began: Instant::now() })
    }

    async fn handle(
        &mut self,
        message: BreakersMessage,
        context: &Context<BreakersMessage>,
    ) -> Result<(), Stop> {
        match message {
            BreakersMessage::Ask { dependency, reply } => self.ask(dependency, reply, context),
            BreakersMessage::Report { dependency, ticket, verdict } => {
                self.report(dependency, ticket, verdict, context);
            }
        }
        Ok(())
    }
}

impl BreakersServer {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn ask(
        &mut self,
        dependency: Dependency,
        reply: Reply<Result<Pass, Down>>,
        context: &Context<BreakersMessage>,
    ) {
        // Who has left must not become the one who tries.
        if reply.is_abandoned() {
            return;
        }
        let (now, began, rules) = (self.now(), self.began, self.arguments.rules);
        let watched = self.watched.entry(dependency.clone()).or_insert_with(|| Watched {
            breaker: Breaker::new(rules),
            failures: 0,
            waiting: Vec::new(),
        });
        let was_due = watched.breaker.opens_at().is_some();
        match watched.breaker.ask(now) {
            // Whoever leaves before it is there drops the pass, which says so.
            Answer::Go(ticket) => {
                reply.send(Ok(Pass::new(dependency, ticket, context.address().clone())));
            }
            Answer::Down { until } => {
                reply.send(Err(Down { until: Some(began + until), failures: watched.failures }));
                return;
            }
            Answer::Trying => {
                watched.waiting.retain(|waiting| !waiting.is_abandoned());
                watched.waiting.push(reply);
                return;
            }
        }
        if was_due {
            self.publish();
        }
    }

    fn report(
        &mut self,
        dependency: Dependency,
        ticket: Ticket,
        verdict: Verdict,
        context: &Context<BreakersMessage>,
    ) {
        let now = self.now();
        let Some(watched) = self.watched.get_mut(&dependency) else { return };
        let was_open = watched.breaker.is_open();
        watched.breaker.report(ticket, verdict, now);
        match verdict {
            Verdict::Works => watched.failures = 0,
            Verdict::Fails => watched.failures = watched.failures.saturating_add(1),
            Verdict::Unknown => {}
        }
        let is_open = watched.breaker.is_open();
        match (was_open, is_open) {
            (false, true) => {
                tracing::warn!(dependency = dependency.word(), failures = watched.failures, "does not work");
                let detail = format!("{}: {} failures in a row", dependency.word(), watched.failures);
                self.arguments.journal.say(What::daemon("breaker_open", detail));
            }
            (true, false) => {
                tracing::info!(dependency = dependency.word(), "works again");
                self.arguments.journal.say(What::daemon("breaker_closed", dependency.word()));
            }
            _ => {}
        }
        metrics::gauge!("proctor_breaker_open", "dependency" => dependency.word()).set(f64::from(is_open));
        let waiting = std::mem::take(&mut watched.waiting);
        self.publish();
        for reply in waiting {
            self.ask(dependency.clone(), reply, context);
        }
    }

    fn publish(&self) {
        let open = self.watched.iter().filter(|(_, watched)| watched.breaker.is_open());
        let down = open.map(|(dependency, watched)| {
            let until = watched.breaker.opens_at().map(|age| self.began + age);
            (dependency.clone(), Down { until, failures: watched.failures })
        });
        self.arguments.door.publish(down.collect());
    }
}
