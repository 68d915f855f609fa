//! Waiting for the passive rules to have looked at all that was seen. `domain/zap/watch.rs` says when that hangs and what to
//! do; here it is done.

use tokio::time::Instant;

use super::run::Run;
use crate::actors::zap::client::ZapError;
use crate::domain::zap::account::Passive;
use crate::domain::zap::answer::{Rule, Task};
use crate::domain::zap::phases::Stage;
use crate::domain::zap::trouble::Trouble;
use crate::domain::zap::watch::PassiveStep;

impl Run<'_> {
    /// None without passive scanning.
    pub(super) async fn enabled_passive_rules(&mut self) -> Result<Vec<Rule>, Trouble> {
        match self.zap.try_ask(|zap| async move { zap.passive_rules().await }).await? {
            Ok(rules) => Ok(rules.into_iter().filter(Rule::is_enabled).collect()),
            Err(ZapError::NoImplementor { .. }) => Ok(Vec::new()),
            Err(error) => Err(super::link::of_zap(error)),
        }
    }

    pub(super) async fn look(&mut self, stage: Stage) -> Result<(), Trouble> {
        if self.passive_rules.is_empty() {
            return Ok(());
        }
        let rules = u32::try_from(self.passive_rules.len()).unwrap_or(u32::MAX);
        let end = self.end_of(stage);
        self.passive_watch.begin();
        let (mut most, mut lost) = (1, 0_u32);
        let waiting = loop {
            let waiting = self.zap.ask(|zap| async move { zap.passive_waiting().await }).await?;
            most = most.max(waiting);
            self.tell(stage, 100 - waiting.saturating_mul(100) / most);
            let tasks = if waiting == 0 { Vec::new() } else { self.passive_tasks().await? };
            match self.passive_watch.step(self.zap.age(), waiting, &tasks) {
                PassiveStep::Empty => break 0,
                PassiveStep::Rescue { rules, lost: cleared } => {
                    lost = lost.saturating_add(cleared);
                    self.rescue(&rules).await?;
                }
                PassiveStep::GiveUp { lost: more } => {
                    lost = lost.saturating_add(more);
                    self.clear().await?;
                    break 0;
                }
                PassiveStep::Wait if Instant::now() >= end => break waiting,
                PassiveStep::Wait => {}
            }
            self.tick().await?;
        };
        let any = self.passive_watch.has_drained();
        let seen = Passive::of(rules, lost, waiting, any);
        self.work.account.passive = self.work.account.passive.and(seen);
        Ok(())
    }

    /// A ZAP that does not say what its threads are at says nothing.
    async fn passive_tasks(&mut self) -> Result<Vec<Task>, Trouble> {
        let tasks = self.zap.try_ask(|zap| async move { zap.passive_tasks().await }).await?;
        Ok(tasks.unwrap_or_default())
    }

    async fn rescue(&mut self, names: &[String]) -> Result<(), Trouble> {
        tracing::warn!(rules = ?names, "the passive queue hangs and is cleared");
        let named = |rule: &&Rule| names.contains(&rule.name);
        let ids: Vec<String> = self.passive_rules.iter().filter(named).map(|rule| rule.id.clone()).collect();
        for id in ids {
            self.zap.ask(|zap| disable(zap, id.clone())).await?;
        }
        for name in names {
            self.work.account.degraded.push(format!("passive_rule_stuck: {name} was switched off"));
        }
        self.clear().await
    }

    async fn clear(&mut self) -> Result<(), Trouble> {
        self.zap.ask(|zap| async move { zap.clear_passive_queue().await }).await
    }
}

async fn disable(zap: crate::actors::zap::client::Client, id: String) -> Result<(), ZapError> {
    zap.disable_passive_rule(&id).await
}
