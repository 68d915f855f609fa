//! What watches a scan from outside, whatever ZAP says of itself: whether the target is still there, and how much of the disk
//! and of its memory ZAP has taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::actors::egress::{Gate, Traffic};
use crate::actors::zap::instance::Instance;
use crate::actors::zap::order::ZapOrder;
use crate::actors::zap::settings::Settings;
use crate::domain::outcome::FailureReason;
use crate::domain::zap::trouble::Trouble;

/// Between two looks at what passed the gate.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Between two questions to the engine, which adds up the disk file by file.
const MEASURE_EVERY: Duration = Duration::from_secs(15);
/// From this part of its memory on ZAP is short of it. Java's heap ends long before; the rest is threads and a browser.
const SHORT_PERCENT: u64 = 90;

/// The most of its memory that a ZAP was seen with, in percent.
#[derive(Debug, Default)]
pub(super) struct MemoryPeak(AtomicU64);

impl MemoryPeak {
    fn saw(&self, used: u64, limit: u64) {
        let percent = used.saturating_mul(100).checked_div(limit).unwrap_or_default();
        self.0.fetch_max(percent, Ordering::Relaxed);
    }

    /// What is to be said of it, if anything.
    pub(super) fn shortage(&self) -> Option<String> {
        let percent = self.0.load(Ordering::Relaxed);
        let is_short = percent >= SHORT_PERCENT;
        is_short.then(|| {
            format!("memory_short: ZAP had {percent} % of its memory; give it more (`zap.memory_mib`)")
        })
    }
}

/// Ends when the scan has no business going on.
pub(super) async fn watch(
    order: &ZapOrder,
    settings: &Settings,
    instance: &Instance,
    (gate, peak): (&Gate, &MemoryPeak),
) -> Trouble {
    let mut before = gate.traffic();
    let mut measure_at = Instant::now() + MEASURE_EVERY;
    loop {
        sleep(LOOK_EVERY).await;
        let now = gate.traffic();
        if has_turned_bad(&before, &now)
            && let Err(trouble) = probe(order, FailureReason::TargetLost).await
        {
            return trouble;
        }
        before = now;
        if Instant::now() >= measure_at {
            memory(peak, instance).await;
            if let Some(trouble) = disk(settings, instance).await {
                return trouble;
            }
            measure_at = Instant::now() + MEASURE_EVERY;
        }
    }
}

/// Since the last look, requests failed and none was answered.
fn has_turned_bad(before: &Traffic, now: &Traffic) -> bool {
    now.failed > before.failed
        && now.answered() == before.answered()
        && now.bytes_received == before.bytes_received
}

/// Asks the target itself. Any answer will do.
pub(in crate::actors::zap) async fn probe(order: &ZapOrder, reason: FailureReason) -> Result<(), Trouble> {
    order.site.probe().await.map_err(|unreachable| Trouble::new(reason, unreachable.to_string()))
}

/// No reason to stop: a ZAP without memory is ended by Java or the kernel. One that was short of it may have been slow.
async fn memory(peak: &MemoryPeak, instance: &Instance) {
    if let Ok((used, limit)) = instance.container().memory_bytes().await {
        metrics::gauge!("proctor_zap_memory_bytes").set(used as f64);
        peak.saw(used, limit);
    }
}

/// An engine that cannot say it is no reason to stop.
async fn disk(settings: &Settings, instance: &Instance) -> Option<Trouble> {
    let bytes = instance.container().disk_bytes().await.ok()?;
    metrics::gauge!("proctor_zap_disk_bytes").set(bytes as f64);
    (bytes > settings.disk_bytes).then(|| {
        let (took, may) = (bytes >> 20, settings.disk_bytes >> 20);
        let detail = format!("ZAP took {took} MiB of the disk, and may take {may}");
        Trouble::new(FailureReason::DiskLimit, detail)
            .advise("give it more (`zap.disk_mib`), or exclude what is large")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_zap_near_its_limit_is_short_of_memory() {
        let peak = MemoryPeak::default();
        peak.saw(899, 1_000);
        peak.saw(1, 0);
        assert_eq!(peak.shortage(), None);
        peak.saw(970, 1_000);
        peak.saw(100, 1_000);
        assert!(peak.shortage().is_some_and(|said| said.starts_with("memory_short: ZAP had 97 %")));
    }

    #[test]
    fn failures_count_only_where_nothing_else_gets_through() {
        let before = Traffic { failed: 1, answers: [0, 5, 0, 0, 0], ..Traffic::default() };
        assert!(!has_turned_bad(&before, &before));
        assert!(has_turned_bad(&before, &Traffic { failed: 2, ..before.clone() }));
        assert!(!has_turned_bad(&before, &Traffic { failed: 2, answers: [0, 6, 0, 0, 0], ..before.clone() }));
        assert!(
            !has_turned_bad(&before, &Traffic { failed: 2, bytes_received: 9, ..before.clone() }),
            "a tunnel"
        );
    }
}
