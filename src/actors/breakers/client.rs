//! What users of a dependency hold: the door to the breakers, and a pass for one use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::server::BreakersMessage;
use crate::actors::mailbox::{Address, CallError, Slot};
use crate::domain::breaker::{Dependency, Ticket, Verdict};

/// How long somebody waits for the answer of the one who tries the dependency for all. Longer than a service that works
/// takes to answer, shorter than a caller's patience.
const PROBE_PATIENCE: Duration = Duration::from_secs(10);

/// A dependency that is known not to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Down {
    /// From when on somebody may try it; `None` while somebody does.
    pub until: Option<Instant>,
    /// Failures since it last worked.
    pub failures: u32,
}

impl Down {
    /// Whether it will not even be tried at `now`.
    pub fn is_certain(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// What its users can do about it.
    pub fn advice(&self, now: Instant) -> String {
        match self.until {
            Some(_) => {
                let wait = self.retry_in(now).as_secs_f64().ceil();
                format!("it is tried again in {wait} s: scan again then")
            }
            None => "it is being tried now: scan again in a moment".to_owned(),
        }
    }

    /// Until it may be tried.
    pub fn retry_in(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

pub(super) type AllDown = Arc<BTreeMap<Dependency, Down>>;

/// The door to the breakers. Survives their restart; cheap to clone.
#[derive(Clone, Default)]
pub struct Breakers {
    slot: Slot<BreakersMessage>,
    down: watch::Sender<AllDown>,
}

impl Breakers {
    /// Where the actor is put, by the table of children.
    pub const fn slot(&self) -> &Slot<BreakersMessage> {
        &self.slot
    }

    pub(super) fn publish(&self, down: BTreeMap<Dependency, Down>) {
        self.down.send_replace(Arc::new(down));
    }

    /// What is known of a dependency that does not work. Reads memory, waits for nobody.
    pub fn down(&self, dependency: &Dependency) -> Option<Down> {
        self.down.borrow().get(dependency).copied()
    }

    /// All that do not work, to be looked at and waited on.
    pub fn watch(&self) -> watch::Receiver<AllDown> {
        self.down.subscribe()
    }

    /// Asks to use a dependency. One that is down says so at once; while somebody tries it, the answer is awaited. Breakers
    /// that are down themselves stand in nobody's way.
    pub async fn enter(&self, dependency: &Dependency) -> Result<Pass, Down> {
        let Some(address) = self.slot.get() else {
            return Ok(Pass(None));
        };
        let asked = address
            .call(|reply| BreakersMessage::Ask { dependency: dependency.clone(), reply }, PROBE_PATIENCE);
        match asked.await {
            Ok(answer) => answer,
            // Still being tried.
            Err(CallError::Timeout { .. }) => match self.down(dependency) {
                Some(down) => Err(down),
                None => Ok(Pass(None)),
            },
            Err(CallError::Full { .. } | CallError::Closed { .. }) => Ok(Pass(None)),
        }
    }
}

/// The right to use a dependency once. Dropped without a word it says that nothing was learned, so that a probe that
/// panics or is killed blocks nobody.
pub struct Pass(Option<Use>);

struct Use {
    dependency: Dependency,
    ticket: Ticket,
    breakers: Address<BreakersMessage>,
    verdict: Verdict,
}

impl Pass {
    pub(super) const fn new(
        dependency: Dependency,
        ticket: Ticket,
        breakers: Address<BreakersMessage>,
    ) -> Self {
        Self(Some(Use { dependency, ticket, breakers, verdict: Verdict::Unknown }))
    }

    /// Says what came of the use.
    pub fn report(mut self, verdict: Verdict) {
        if let Some(used) = &mut self.0 {
            used.verdict = verdict;
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let (dependency, ticket, verdict) = (self.dependency.clone(), self.ticket, self.verdict);
        // Breakers that are gone have nothing to remember.
        drop(self.breakers.post(BreakersMessage::Report { dependency, ticket, verdict }));
    }
}
