//! One look of a tool at what runs: by a program, or by proctor itself. A target that is gone afterwards was lost on the way,
//! whatever the tool says: most of them call a dead one clean.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::calls::Calls;
use super::execute::{self, Executed};
use super::reading::{self, Left};
use super::task::SiteOrder;
use crate::actors::apps::AppLease;
use crate::actors::egress::{Gate, Traffic};
use crate::actors::probes;
use crate::actors::zap::ZapOrder;
use crate::domain::adaptive;
use crate::domain::deadline::{Remainder, Stages};
use crate::domain::fingerprint;
use crate::domain::job::RunState;
use crate::domain::outcome::{FailureReason, Outcome, Work};
use crate::domain::verdict::{self, Ending, Evidence, Examined, Verdict, WebEnding, WebEvidence};
use crate::tools::invocation::{TargetPlace, WebPlaces, WebRun};
use crate::tools::manifest::{Native, Place, Run};

impl Calls {
    /// Fulfils the order of a run on what runs. Over by the deadline, whatever hangs.
    pub(super) async fn look(&self, order: &SiteOrder) -> Executed {
        let began = Instant::now();
        let left = Remainder::of(self.deadline.saturating_duration_since(began));
        let stages = left.divide(order.manifest.limits.wall, self.workplace.grace);
        self.progress.moved(RunState::Running);
        let looking = async {
            match &order.manifest.run {
                Run::Native(native) => self.look_ourselves(*native, order, stages).await,
                Run::Program(_) => self.look_by_program(order, stages).await,
            }
        };
        let verdict = match timeout_at(self.deadline, looking).await {
            Ok(verdict) => verdict,
            Err(_) => failed(FailureReason::TimedOut, "the job's time was over, and the tool was dropped"),
        };
        let executed = executed(verdict, began.elapsed());
        self.slot.showed(adaptive::strain(&executed.outcome, stages.ended_by));
        executed
    }

    async fn look_ourselves(&self, native: Native, order: &SiteOrder, stages: Stages) -> Verdict {
        let until = Instant::now() + stages.run;
        let probe = probes::Order {
            tool: order.manifest.name.clone(),
            site: order.ground.site.clone(),
            deadline: until,
            cancel: self.cancel.clone(),
            says: {
                let progress = self.progress.clone();
                Arc::new(move |what| progress.says(what))
            },
        };
        verdict::of_site(match native {
            Native::Zap => self.by_zap(order, until).await,
            Native::Headers => probes::headers::look(&probe).await,
            Native::Endpoints => probes::endpoints::look(&probe).await,
        })
    }

    async fn by_zap(&self, order: &SiteOrder, deadline: Instant) -> WebEvidence {
        let site = &order.ground.site;
        let (progress, mut news) = watch::channel(None);
        let scan = self.sites.zap.scan(ZapOrder {
            site: site.clone(),
            tool: order.manifest.name.clone(),
            owner: self.owner(),
            deadline,
            cancel: self.cancel.clone(),
            progress,
        });
        let telling = async {
            while news.changed().await.is_ok() {
                if let Some(progress) = *news.borrow_and_update() {
                    self.progress.says(progress.to_string());
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            evidence = scan => evidence,
            () = telling => unreachable!("it waits for ever once nothing is told any more"),
        }
    }

    async fn look_by_program(&self, order: &SiteOrder, stages: Stages) -> Verdict {
        let site = &order.ground.site;
        let gate = match self.gate(order).await {
            Ok(gate) => gate,
            Err(detail) => return failed(FailureReason::SpawnFailed, &detail),
        };
        let run = WebRun {
            url: site.url().clone(),
            address: site.address(),
            proxy: gate.as_ref().map(Gate::address),
            duration_s: site.plan.load.duration_s,
            concurrency: site.plan.load.concurrency,
            wall: stages.run,
        };
        let places = match WebPlaces::new(run) {
            Ok(places) => places,
            Err(bad) => return failed(FailureReason::TargetRefused, &bad.to_string()),
        };
        let target = TargetPlace::Web(Box::new(places));
        let call = order.call(target.clone());
        let finished =
            execute::run_tool(&call, &self.workplace, stages, self.owner(), self.cancel.clone()).await;
        let traffic = match gate {
            Some(gate) => Some(gate.close().await),
            None => None,
        };
        // A tool that did not come to its end has said nothing that could be doubted.
        let lost = match finished.ending {
            Ending::Exited { .. } => self.is_lost(order).await,
            _ => None,
        };
        self.progress.moved(RunState::Parsing);
        let (order, workplace) = (order.clone(), Arc::clone(&self.workplace));
        let read = self.off_the_runtime(move || {
            reading::read(&order.call(target), &order.ground.site.plan.load, &workplace, &finished)
        });
        match read.await {
            Ok(left) => judge(left, traffic, lost),
            Err(undone) => {
                let (reason, detail) = undone.told(&self.progress);
                failed(reason, detail)
            }
        }
    }

    /// For a tool that knows what a proxy is.
    async fn gate(&self, order: &SiteOrder) -> Result<Option<Gate>, String> {
        if !order.manifest.names(Place::Proxy) {
            return Ok(None);
        }
        let opened = Gate::open(Arc::clone(&order.ground.site.scope), Ipv4Addr::LOCALHOST.into()).await;
        opened.map(Some).map_err(|error| format!("the gate to the target cannot be opened: {error}"))
    }

    /// Whether the target is gone now, and how that shows.
    async fn is_lost(&self, order: &SiteOrder) -> Option<String> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            alive = order.ground.site.probe() => {
                let dead = alive.err()?;
                // An app of ours says better why it is gone.
                let lost = order.ground.lease.as_ref().and_then(AppLease::lost);
                Some(lost.map_or_else(|| dead.to_string(), |lost| lost.to_string()))
            }
        }
    }
}

/// What a program left, in the light of what was seen at the gate and of whether the target is still there.
fn judge(left: Left, traffic: Option<Traffic>, lost: Option<String>) -> Verdict {
    let Left { ending, report, stderr_tail } = left;
    let ending = match (ending, lost) {
        (Ending::Exited { .. }, Some(how)) => {
            let detail = format!("the target answered before, and is gone now: {how}");
            Ending::NotStarted { reason: FailureReason::TargetLost, detail, advice: None }
        }
        (ending, _) => ending,
    };
    let report = report.map(|mut report| {
        report.degraded.extend(traffic.as_ref().and_then(Traffic::withheld));
        // What a tool says of itself may come from its cache: what passed the gate did not.
        if let (Examined::Site(work), Some(traffic)) = (&mut report.examined, &traffic) {
            *work = seen(*work, traffic);
        }
        report
    });
    verdict::verdict(Evidence { expected: BTreeSet::new(), ending, report, stderr_tail })
}

/// A tunnel hides its requests: then the tool's own count must do, if anything came back at all.
fn seen(told: Work, traffic: &Traffic) -> Work {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    if traffic.tunnels_answered > 0 {
        return told;
    }
    let urls = told.urls.min(count(traffic.answered()));
    Work { urls, requests: count(traffic.requests), rules: told.rules }
}

fn failed(reason: FailureReason, detail: &str) -> Verdict {
    verdict::of_site(WebEvidence::nothing(WebEnding::failed(reason, detail)))
}

fn executed(verdict: Verdict, elapsed: Duration) -> Executed {
    let Verdict { outcome, coverage, findings } = verdict;
    let findings = match outcome {
        Outcome::Findings { .. } => fingerprint::stamp(findings, |_| None),
        _ => Vec::new(),
    };
    Executed { outcome, coverage, findings, elapsed }
}
