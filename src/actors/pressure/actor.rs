//! The pressure actor: reads the meter every second and publishes what it means.
//!
//! ```text
//! waiting ──Sample──▶ reading (beside the handler) ──Sampled──▶ published ──1 s──▶ waiting
//! ```
//! Owns the meter; the value is a watch channel that outlives it. Spoken to by itself only. Its death: the last value
//! stands until its successor's first reading. A meter that cannot be read means calm: an unknown figure stops nobody.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use super::meter::{Meter, Scope};
use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::domain::pressure::{Level, Reading, Watermarks};

/// It speaks to itself, once at a time.
const MAILBOX_LIMIT: usize = 2;
/// Between two readings: a tool takes some seconds to fill a gigabyte, and a reading costs a few files.
const EVERY: Duration = Duration::from_secs(1);

/// What was read, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressure {
    pub level: Level,
    pub reading: Reading,
}

impl Pressure {
    /// Whether a job may be taken, or started.
    pub fn admits_jobs(self) -> bool {
        self.level < Level::NoJobs
    }
}

impl std::fmt::Display for Pressure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { level, reading } = self;
        write!(f, "{level}: {} % of {} MiB of memory in use", reading.percent(), reading.limit >> 20)
    }
}

#[derive(Debug)]
pub enum PressureMessage {
    /// Time to read.
    Sample,
    Sampled {
        result: io::Result<(Scope, Reading)>,
    },
}

impl Message for PressureMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

#[derive(Clone)]
pub struct PressureArguments {
    pub meter: Meter,
    pub marks: Watermarks,
    pub published: watch::Sender<Pressure>,
}

/// See the module's header.
pub struct PressureActor {
    arguments: PressureArguments,
    /// Whose memory was measured last; `None` when it could not be.
    scope: Option<Scope>,
}

impl Server for PressureActor {
    const NAME: &'static str = "pressure";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = PressureMessage;
    type Arguments = PressureArguments;

    async fn init(
        arguments: PressureArguments,
        context: &Context<PressureMessage>,
    ) -> Result<Self, StartError> {
        context.post_first(PressureMessage::Sample)?;
        Ok(Self { arguments, scope: None })
    }

    async fn handle(
        &mut self,
        message: PressureMessage,
        context: &Context<PressureMessage>,
    ) -> Result<(), Stop> {
        match message {
            PressureMessage::Sample => self.sample(context),
            PressureMessage::Sampled { result } => {
                context.send_after(EVERY, PressureMessage::Sample);
                self.sampled(result);
            }
        }
        Ok(())
    }
}

impl PressureActor {
    fn sample(&self, context: &Context<PressureMessage>) {
        let (meter, address) = (self.arguments.meter.clone(), context.address().clone());
        context.spawn(async move {
            let read = tokio::task::spawn_blocking(move || meter.read()).await;
            let result = read.unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())));
            drop(address.post(PressureMessage::Sampled { result }));
        });
    }

    fn sampled(&mut self, result: io::Result<(Scope, Reading)>) {
        let reading = match result {
            Ok((scope, reading)) => {
                self.measures(scope, reading);
                reading
            }
            Err(error) => {
                if self.scope.take().is_some() {
                    tracing::warn!(%error, "memory cannot be measured; nothing is held back for it");
                }
                Reading::default()
            }
        };
        let before = self.arguments.published.borrow().level;
        let pressure = Pressure { level: self.arguments.marks.next(before, reading), reading };
        if pressure.level != before {
            tracing::warn!(scope = self.scope.as_ref().map(ToString::to_string), "memory: {pressure}");
        }
        metrics::gauge!("proctor_memory_used_bytes").set(reading.used as f64);
        metrics::gauge!("proctor_memory_limit_bytes").set(reading.limit as f64);
        metrics::gauge!("proctor_memory_level").set(f64::from(pressure.level as u8));
        self.arguments.published.send_replace(pressure);
    }

    fn measures(&mut self, scope: Scope, reading: Reading) {
        if self.scope.as_ref() != Some(&scope) {
            tracing::info!(limit_mib = reading.limit >> 20, "memory is measured against {scope}");
            self.scope = Some(scope);
        }
    }
}
