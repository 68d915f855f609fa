//! The stages of a scan, one after the other. What was found so far lies outside ([`Work`]), so that a scan that is cut short
//! loses nothing of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::link::Link;
use crate::actors::egress::Gate;
use crate::actors::zap::instance::Instance;
use crate::actors::zap::order::ZapOrder;
use crate::actors::zap::settings::Settings;
use crate::domain::outcome::FailureReason;
use crate::domain::zap::account::{Account, no_passive_rules};
use crate::domain::zap::answer::{AddOn, Rule};
use crate::domain::zap::harvest::Harvest;
use crate::domain::zap::pages::Pages;
use crate::domain::zap::phases::{Progress, Stage, stages};
use crate::domain::zap::trouble::Trouble;
use crate::domain::zap::watch::PassiveWatch;

/// Between two looks at what runs.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two harvests: what a death may cost.
const HARVEST_EVERY: Duration = Duration::from_secs(3);
/// A harvest may take this part of the time: ZAP compares each alert with all before it.
const HARVEST_SHARE: u32 = 10;
/// Alerts a page. Each page costs ZAP a walk through all alerts before it, so few are better; one has some 4 KiB.
const PAGE_ALERTS: usize = 2_000;
/// How long ZAP waits for an answer of the target: less than the gate, which says what went wrong.
const TARGET_PATIENCE_S: u32 = 20;
/// The add-on that crawls with a browser.
const BROWSER_ADD_ON: &str = "client";

/// What came of a scan so far.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub account: Account,
    pub harvest: Harvest,
    pub pages: Pages,
    pub stage: Option<Stage>,
}

/// One scan under way.
pub(super) struct Run<'a> {
    pub order: &'a ZapOrder,
    pub settings: &'a Settings,
    pub gate: &'a Gate,
    pub zap: Link<'a>,
    pub work: &'a mut Work,
    pub context: String,
    pub add_ons: Vec<AddOn>,
    pub passive_rules: Vec<Rule>,
    pub passive_watch: PassiveWatch,
    stages: Vec<Stage>,
    next_harvest: Instant,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        order: &'a ZapOrder,
        settings: &'a Settings,
        (instance, gate): (&'a Instance, &'a Gate),
        work: &'a mut Work,
    ) -> Self {
        work.account.phase = order.site.plan.phase;
        Self {
            order,
            settings,
            gate,
            zap: Link::new(instance),
            work,
            context: String::new(),
            add_ons: Vec::new(),
            passive_rules: Vec::new(),
            passive_watch: PassiveWatch::new(settings.stuck),
            stages: stages(order.site.plan.phase, false),
            next_harvest: Instant::now(),
        }
    }

    /// All stages, to the last alert.
    pub(super) async fn perform(mut self) -> Result<(), Trouble> {
        self.prepare().await?;
        for stage in self.stages.clone() {
            self.enter(stage);
            match stage {
                Stage::Ready | Stage::Scope => {}
                Stage::Seeds => self.seed().await?,
                Stage::Spider => self.spider().await?,
                Stage::Browser => self.browse().await?,
                Stage::Passive | Stage::PassiveAgain => self.look(stage).await?,
                Stage::Active => self.attack().await?,
                Stage::Harvest => self.harvest_all().await?,
            }
            self.harvest().await?;
        }
        Ok(())
    }

    /// Says what may be touched, and that there is something to apply: a ZAP without rules need not even begin.
    async fn prepare(&mut self) -> Result<(), Trouble> {
        self.enter(Stage::Scope);
        let gate = self.gate.address();
        self.zap
            .ask(|zap| async move { zap.set_upstream_proxy(&gate.ip().to_string(), gate.port()).await })
            .await?;
        self.zap.ask(|zap| async move { zap.set_connection_timeout(TARGET_PATIENCE_S).await }).await?;
        self.add_ons = self.zap.ask(|zap| async move { zap.add_ons().await }).await?;
        let has_browser = self.add_ons.iter().any(|add_on| add_on.id == BROWSER_ADD_ON);
        self.stages = stages(self.order.site.plan.phase, has_browser);
        self.passive_rules = self.enabled_passive_rules().await?;
        self.prepare_attack().await?;
        if self.order.site.plan.phase.attacks() {
            return self.set_context().await;
        }
        if self.passive_rules.is_empty() {
            return Err(no_passive_rules());
        }
        self.set_context().await
    }

    async fn set_context(&mut self) -> Result<(), Trouble> {
        let include = super::seeds::include(&self.order.site.place);
        let exclude = super::seeds::exclude(&self.order.site.plan);
        let made = self.zap.once(self.zap.client().new_context(&include, &exclude)).await?;
        self.context = made.map_err(|error| {
            let detail = format!("the target's scope could not be set: {error}");
            Trouble::new(FailureReason::ServiceUnavailable, detail)
                .advise("are the patterns of `exclude` right?")
        })?;
        Ok(())
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.work.stage = Some(stage);
        self.tell(stage, 0);
    }

    pub(super) fn tell(&self, stage: Stage, percent: u32) {
        let percent = u8::try_from(percent).unwrap_or(100);
        self.order.progress.send_replace(Some(Progress::of(&self.stages, stage, percent)));
    }

    /// When a stage that begins now has to be over.
    pub(super) fn end_of(&self, stage: Stage) -> Instant {
        let now = Instant::now();
        let left = self.order.deadline.saturating_duration_since(now);
        now + self.settings.limits.of(stage, self.order.site.plan.phase, left)
    }

    /// Waits for the next look, and harvests when it is time.
    pub(super) async fn tick(&mut self) -> Result<(), Trouble> {
        sleep(LOOK_EVERY).await;
        if Instant::now() >= self.next_harvest { self.harvest().await } else { Ok(()) }
    }

    /// Fetches the alerts that are new.
    pub(super) async fn harvest(&mut self) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            let start = self.work.harvest.next_start();
            let page = self.zap.ask(|zap| async move { zap.alerts(start, PAGE_ALERTS).await }).await?;
            let scope = &self.order.site.scope;
            let is_inside = |url: &str| super::seeds::is_inside(scope, url);
            for alert in &page {
                self.work.harvest.take(alert, &self.order.tool, is_inside);
            }
            if page.len() < PAGE_ALERTS {
                break;
            }
        }
        let pause = HARVEST_EVERY.max(began.elapsed() * HARVEST_SHARE);
        self.next_harvest = Instant::now() + pause;
        Ok(())
    }

    /// The last harvest: there must be as many as ZAP counts. An alert that was taken back while others came shifts the pages;
    /// all are fetched anew then, once.
    async fn harvest_all(&mut self) -> Result<(), Trouble> {
        self.harvest().await?;
        let counted = self.alert_count().await?;
        if counted == self.work.harvest.listed() {
            return Ok(());
        }
        tracing::debug!(counted, listed = self.work.harvest.listed(), "alerts are fetched anew");
        self.work.harvest = Harvest::default();
        self.harvest().await?;
        let counted = self.alert_count().await?;
        self.work.account.degraded.extend(self.work.harvest.unread(counted));
        Ok(())
    }

    async fn alert_count(&mut self) -> Result<usize, Trouble> {
        let counted = self.zap.ask(|zap| async move { zap.alert_count().await }).await?;
        Ok(usize::try_from(counted).unwrap_or(usize::MAX))
    }
}
