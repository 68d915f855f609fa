//! Jobs that wait because all they ask for is down. When its pause is over one of them goes ahead; the others wait for what
//! it learns, so that a dependency that stays down costs one job per pause and not the whole queue.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::actors::breakers::Breakers;
use crate::domain::breaker::{self, Dependency};
use crate::domain::ids::ToolName;

/// Time the one that went ahead has to come to the point where it tries. Past it (it may have been cancelled) another goes.
const SCOUT_PATIENCE: Duration = Duration::from_secs(30);

/// Who is held.
pub(super) struct Held {
    breakers: Breakers,
    scouts: HashMap<ToolName, Scout>,
}

/// The last job that went ahead for a tool.
struct Scout {
    /// The end of the pause after which it went.
    until: Instant,
    went: Instant,
}

impl Held {
    pub(super) fn new(breakers: Breakers) -> Self {
        Self { breakers, scouts: HashMap::new() }
    }

    /// Whether a job that asks for these tools had better wait.
    pub(super) fn holds(&self, tools: &[ToolName], now: Instant) -> bool {
        breaker::is_held(tools, |tool| match self.breakers.down(&Dependency::Tool(tool.clone())) {
            None => false,
            Some(down) => match down.until {
                // Somebody is at it.
                None => true,
                Some(until) => now < until || self.has_scout(tool, until, now),
            },
        })
    }

    fn has_scout(&self, tool: &ToolName, until: Instant, now: Instant) -> bool {
        let is_out = |scout: &Scout| scout.until == until && now < scout.went + SCOUT_PATIENCE;
        self.scouts.get(tool).is_some_and(is_out)
    }

    /// A job that asks for these tools has been started.
    pub(super) fn started(&mut self, tools: &[ToolName], now: Instant) {
        for tool in tools {
            let down = self.breakers.down(&Dependency::Tool(tool.clone()));
            match down.and_then(|down| down.until) {
                Some(until) if until <= now => {
                    self.scouts.insert(tool.clone(), Scout { until, went: now });
                }
                // Not to be tried yet; it goes for its other tools.
                Some(_) => {}
                None => drop(self.scouts.remove(tool)),
            }
        }
    }
}
