//! The attack: every active rule on everything that was found. `domain/zap/watch.rs` says when a rule hangs and what to do;
//! here it is done.

use std::time::Duration;

use tokio::time::Instant;

use super::link::of_zap;
use super::run::Run;
use crate::domain::outcome::FailureReason;
use crate::domain::zap::account::{Active, Cut, no_active_rules};
use crate::domain::zap::answer::{Rule, ScanId};
use crate::domain::zap::phases::Stage;
use crate::domain::zap::trouble::Trouble;
use crate::domain::zap::watch::{ActiveStep, ActiveWatch};

/// From a stop to its effect: rules look at it between two requests, each of which may take 20 s.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// What ZAP does unless told otherwise.
const USUAL_STRENGTH: &str = "MEDIUM";

impl Run<'_> {
    /// Counts what there is to attack with, and says how hard.
    pub(super) async fn prepare_attack(&mut self) -> Result<(), Trouble> {
        if !self.order.site.plan.phase.attacks() {
            return Ok(());
        }
        let rules = self.zap.ask(|zap| async move { zap.active_rules().await }).await?;
        let enabled =
            u32::try_from(rules.iter().filter(|rule| Rule::is_enabled(rule)).count()).unwrap_or(u32::MAX);
        let active = Active { enabled, ..Active::default() };
        if enabled == 0 {
            return Err(no_active_rules());
        }
        self.work.account.active = Some(active);
        let (minutes, strength) = (self.settings.rule_minutes, self.settings.strength);
        self.zap.ask(|zap| async move { zap.set_rule_minutes_max(minutes).await }).await?;
        if strength != USUAL_STRENGTH {
            self.zap.ask(|zap| async move { zap.set_strength(strength).await }).await?;
        }
        Ok(())
    }

    pub(super) async fn attack(&mut self) -> Result<(), Trouble> {
        let end = self.end_of(Stage::Active);
        let url = self.order.site.place.url.to_string();
        let begun = self.zap.once(self.zap.client().attack(&url, &self.context)).await?;
        let scan = begun.map_err(of_zap)?;
        let mut watch = ActiveWatch::new(self.settings.stuck, STOP_PATIENCE.min(self.settings.stuck));
        let mut cut = None;
        loop {
            if self.note_attack(scan, cut).await? {
                return Ok(());
            }
            let percent = self.zap.ask(|zap| async move { zap.attack_status(scan).await }).await?;
            self.tell(Stage::Active, percent);
            let late = Instant::now() >= end;
            let rules = self.work.account.active.as_ref().map_or(&[][..], |active| &active.rules);
            match watch.step(self.zap.age(), rules, late) {
                ActiveStep::Wait => {}
                ActiveStep::Skip { id, name } => self.skip(scan, id, &name).await?,
                ActiveStep::Stop => {
                    cut = Some(if late { Cut::Late } else { Cut::Stuck });
                    self.zap.ask(|zap| async move { zap.stop_attack(scan).await }).await?;
                }
                ActiveStep::Leave => return Ok(()),
            }
            self.tick().await?;
        }
    }

    /// Notes what the rules have done so far. Whether the scan is over.
    async fn note_attack(&mut self, scan: ScanId, cut: Option<Cut>) -> Result<bool, Trouble> {
        // In this order: what a scan that is over has done changes no more.
        let row = self.zap.ask(|zap| async move { zap.attack_row(scan).await }).await?;
        let row =
            row.ok_or_else(|| Trouble::new(FailureReason::ZapDied, "ZAP has forgotten its own scan"))?;
        let rules = self.zap.ask(|zap| async move { zap.attack_progress(scan).await }).await?;
        if let Some(active) = &mut self.work.account.active {
            active.rules = rules;
            active.requests = row.requests();
            active.cut = cut;
        }
        Ok(row.is_over())
    }

    async fn skip(&mut self, scan: ScanId, id: String, name: &str) -> Result<(), Trouble> {
        tracing::warn!(rule = id, name, "an active rule hangs and is skipped");
        self.zap.ask(|zap| skip(zap, scan, id.clone())).await
    }
}

async fn skip(
    zap: crate::actors::zap::client::Client,
    scan: ScanId,
    id: String,
) -> Result<(), crate::actors::zap::client::ZapError> {
    zap.skip_rule(scan, &id).await
}
