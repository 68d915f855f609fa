//! What watches a scan from outside, whatever ZAP says of itself: whether the target is still there, and how much of the disk
//! ZAP has taken.

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
/// Between two looks at the disk, which the engine adds up file by file.
const DISK_EVERY: Duration = Duration::from_secs(15);
/// Ends when the scan has no business going on.
pub(super) async fn watch(
    order: &ZapOrder,
    settings: &Settings,
    instance: &Instance,
    gate: &Gate,
) -> Trouble {
    let mut before = gate.traffic();
    let mut disk_at = Instant::now() + DISK_EVERY;
    loop {
        sleep(LOOK_EVERY).await;
        let now = gate.traffic();
        if has_turned_bad(&before, &now)
            && let Err(trouble) = probe(order, FailureReason::TargetLost).await
        {
            return trouble;
        }
        before = now;
        if Instant::now() >= disk_at {
            if let Some(trouble) = disk(settings, instance).await {
                return trouble;
            }
            disk_at = Instant::now() + DISK_EVERY;
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
