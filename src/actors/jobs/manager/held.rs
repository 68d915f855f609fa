//! Jobs that wait because all they ask for is down. When its pause is over one of them goes ahead; the others wait for what
//! it learns, so that a dependency that stays down costs one job per pause and not the whole queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::actors::breakers::Breakers;
use crate::domain::breaker::{self, Dependency};
use crate::domain::ids::ToolName;
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Manifest;

/// Time the one that went ahead has to come to the point where it tries. Past it (it may have been cancelled) another goes.
const SCOUT_PATIENCE: Duration = Duration::from_secs(30);

/// Who is held.
pub(super) struct Held {
    breakers: Breakers,
    /// Says what a tool depends on.
    catalogue: Arc<Catalogue>,
    scouts: HashMap<Dependency, Scout>,
}

/// The last job that went ahead for what is down.
struct Scout {
    /// The end of the pause after which it went.
    until: Instant,
    went: Instant,
}

impl Held {
    pub(super) fn new(breakers: Breakers, catalogue: Arc<Catalogue>) -> Self {
        Self { breakers, catalogue, scouts: HashMap::new() }
    }

    /// Whether a job that asks for these tools had better wait.
    pub(super) fn holds(&self, tools: &[ToolName], now: Instant) -> bool {
        breaker::is_held(tools, |tool| self.needed(tool).iter().any(|it| self.is_down(it, now)))
    }

    /// A tool that the catalogue does not have ends by itself.
    fn needed(&self, tool: &ToolName) -> Vec<Dependency> {
        self.catalogue.get(tool).map(Manifest::dependencies).unwrap_or_default()
    }

    fn is_down(&self, dependency: &Dependency, now: Instant) -> bool {
        self.breakers.down(dependency).is_some_and(|down| match down.until {
            // Somebody is at it.
            None => true,
            Some(until) => now < until || self.has_scout(dependency, until, now),
        })
    }

    fn has_scout(&self, dependency: &Dependency, until: Instant, now: Instant) -> bool {
        let is_out = |scout: &Scout| scout.until == until && now < scout.went + SCOUT_PATIENCE;
        self.scouts.get(dependency).is_some_and(is_out)
    }

    /// A job that asks for these tools has been started.
    pub(super) fn started(&mut self, tools: &[ToolName], now: Instant) {
        for dependency in tools.iter().flat_map(|tool| self.needed(tool)).collect::<Vec<_>>() {
            let down = self.breakers.down(&dependency);
            match down.and_then(|down| down.until) {
                Some(until) if until <= now => {
                    self.scouts.insert(dependency, Scout { until, went: now });
                }
                // Not to be tried yet; it goes for its other tools.
                Some(_) => {}
                None => drop(self.scouts.remove(&dependency)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::breakers::{BreakersArguments, BreakersServer};
    use crate::actors::journal::Journal;
    use crate::actors::supervise::{ChildSpec, Strategy, Supervisor, SupervisorSpec};
    use crate::domain::breaker::{Rules, Verdict};

    const RESET: Duration = Duration::from_secs(10);

    fn tools(names: &[&str]) -> Vec<ToolName> {
        names.iter().map(|name| ToolName((*name).to_owned())).collect()
    }

    /// Breakers of which one is open.
    async fn down(dependency: Dependency) -> (Supervisor, Breakers) {
        let (breakers, rules) =
            (Breakers::default(), Rules { failures_max: 1, reset: RESET, reset_max: RESET });
        let arguments = BreakersArguments { rules, door: breakers.clone(), journal: Journal::default() };
        let row =
            ChildSpec::server_in::<BreakersServer>("breakers", breakers.slot(), move || arguments.clone());
        let spec = SupervisorSpec::new("root", Strategy::OneForOne).child(row);
        let root = Supervisor::start(spec).await.unwrap();
        root.booted().await.unwrap();
        breakers.enter(&dependency).await.expect("closed").report(Verdict::Fails);
        breakers.watch().wait_for(|down| down.contains_key(&dependency)).await.unwrap();
        (root, breakers)
    }

    #[tokio::test(start_paused = true)]
    async fn a_zap_that_is_down_holds_the_jobs_that_want_nothing_else_and_one_goes_ahead() {
        let (_root, breakers) = down(Dependency::Zap).await;
        let mut held = Held::new(breakers, Arc::new(Catalogue::builtin().unwrap()));
        let (zap, more) = (tools(&["zap"]), tools(&["zap", "web-headers"]));
        assert!(held.holds(&zap, Instant::now()));
        assert!(!held.holds(&more, Instant::now()), "there is something else to do");
        assert!(!held.holds(&tools(&["web-headers"]), Instant::now()));
        assert!(!held.holds(&tools(&["no-such-tool"]), Instant::now()));
        held.started(&more, Instant::now());
        tokio::time::advance(RESET).await;
        assert!(!held.holds(&zap, Instant::now()), "its pause is over");
        held.started(&zap, Instant::now());
        assert!(held.holds(&zap, Instant::now()), "the first is on its way");
        tokio::time::advance(SCOUT_PATIENCE).await;
        assert!(!held.holds(&zap, Instant::now()), "it never came to try");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tool_that_is_down_itself_holds_too() {
        let (_root, breakers) = down(Dependency::Tool(ToolName("zap".to_owned()))).await;
        let held = Held::new(breakers, Arc::new(Catalogue::builtin().unwrap()));
        assert!(held.holds(&tools(&["zap"]), Instant::now()));
    }
}
