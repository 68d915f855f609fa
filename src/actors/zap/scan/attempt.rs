//! One scan with one ZAP, and what ends it: its last stage, a cancel, the deadline, the end of the container, a watchdog.
//! Whichever comes first; what was harvested by then is there in each case.

use tokio::time::sleep_until;

use super::run::{Run, Work};
use super::watchdog::{self, MemoryPeak};
use crate::actors::egress::login::Session;
use crate::actors::egress::{Gate, Traffic};
use crate::actors::zap::instance::Instance;
use crate::actors::zap::order::ZapOrder;
use crate::actors::zap::settings::Settings;
use crate::domain::outcome::FailureReason;
use crate::domain::severity::Severity;
use crate::domain::verdict::{WebEnding, WebEvidence};
use crate::domain::zap::phases::Stage;
use crate::domain::zap::trouble::Trouble;

/// How a scan with one ZAP ended.
#[derive(Debug)]
pub enum Attempted {
    Done(WebEvidence),
    Cancelled,
    Failed(Trouble),
}

/// Scans with this ZAP, which nobody may use after.
pub async fn attempt(
    order: &ZapOrder,
    settings: &Settings,
    instance: &Instance,
    session: Option<&Session>,
) -> Attempted {
    let gate = match Gate::open(order.site.scope.clone(), instance.gateway()).await {
        Ok(gate) => gate,
        Err(error) => return Attempted::Failed(no_gate(instance, &error)),
    };
    let (mut work, peak) = (Work::default(), MemoryPeak::default());
    let run = Run::new(order, settings, (instance, &gate), &mut work);
    let ended = tokio::select! {
        biased;
        () = order.cancel.cancelled() => return Attempted::Cancelled,
        state = instance.container().ended() => Err(instance.died(state).await),
        () = sleep_until(order.deadline) => {
            Err(Trouble::new(FailureReason::TimedOut, "the time of the scan was over"))
        }
        trouble = watchdog::watch(order, settings, instance, (&gate, &peak)) => Err(trouble),
        ended = run.perform() => ended,
    };
    let traffic = gate.traffic();
    let shortage = peak.shortage();
    let concluded = match ended {
        Ok(()) => {
            work.account.degraded.extend(shortage);
            conclude(order, instance, session, (&mut work, &traffic)).await
        }
        Err(trouble) => Err(trouble.and(shortage)),
    };
    match concluded {
        Ok(evidence) => Attempted::Done(evidence),
        Err(trouble) => fail(trouble, instance, &work).await,
    }
}

fn no_gate(instance: &Instance, error: &std::io::Error) -> Trouble {
    let detail = format!("cannot listen for ZAP on its network's gateway {}: {error}", instance.gateway());
    Trouble::new(FailureReason::ServiceUnavailable, detail).advise(
        "a rootless engine's networks are not this machine's: run proctor beside an engine of the system",
    )
}

async fn conclude(
    order: &ZapOrder,
    instance: &Instance,
    session: Option<&Session>,
    (work, traffic): (&mut Work, &Traffic),
) -> Result<WebEvidence, Trouble> {
    // A target that died under the last requests looks like one that has nothing more to say.
    watchdog::probe(order, FailureReason::TargetLost).await?;
    let work = std::mem::take(work);
    let (mut account, pages) = (work.account, work.pages);
    account.log = instance.log().await;
    account.urls = pages.count();
    // What goes through a tunnel is not counted at the gate; then ZAP's own count has to do.
    let counted = account.active.as_ref().map_or(0, |active| active.requests).saturating_add(pages.count());
    account.requests = u32::try_from(traffic.requests).unwrap_or(u32::MAX).max(counted);
    account.degraded.extend(traffic.withheld());
    if traffic.failed > 0 {
        account.degraded.push(format!("requests_unanswered: {} had no answer of the target", traffic.failed));
    }
    if let Some(session) = session
        && !session.still_holds(&order.site).await
    {
        account.degraded.push("login_lost: at the end of the scan the login held no more".to_owned());
    }
    let (done, mut degraded) = account.conclude()?;
    let (findings, said) = work.harvest.finish();
    degraded.extend(said);
    Ok(WebEvidence { ending: WebEnding::Finished, findings, work: done, unanswered: pages.gaps(), degraded })
}

async fn fail(mut trouble: Trouble, instance: &Instance, work: &Work) -> Attempted {
    let stage = work.stage.unwrap_or(Stage::Ready);
    trouble.detail = format!("{} (in the stage {stage})", trouble.detail);
    let harvested = harvested(work);
    tracing::warn!(reason = trouble.reason.word(), detail = trouble.detail, harvested, "a scan failed");
    let left = format!("{harvested}\n{}", instance.last_words().await);
    Attempted::Failed(trouble.leaving(left.trim()))
}

/// What a failed scan had found: no result, and yet worth knowing.
fn harvested(work: &Work) -> String {
    let counts = work.harvest.counts();
    let parts = Severity::ALL.iter().rev().zip(counts.iter().rev()).filter(|(_, count)| **count > 0);
    let parts: Vec<String> = parts.map(|(severity, count)| format!("{count} {severity}")).collect();
    match parts.as_slice() {
        [] => "nothing had been found by then".to_owned(),
        parts => format!("found by then, and not in the result: {}", parts.join(", ")),
    }
}
