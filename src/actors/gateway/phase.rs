//! How far the gateway is on its way out. Watched by every session and connection, so that no message can be lost on
//! the way and a session that is stuck is closed all the same.

use tokio::sync::watch;

/// ```text
/// serving ──Drain──▶ draining ──Settle──▶ settling ──Close──▶ closing
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// No new session and no new call; what runs goes on. `/readyz` says 503.
    Draining,
    /// Who waits for something gets an answer now: what there is.
    Settling,
    /// Every socket is told 1001 once its answers are out.
    Closing,
}

/// Resolves when `phase` is reached. A gateway that is gone is past every phase.
pub async fn reached(watched: &watch::Receiver<Phase>, phase: Phase) {
    drop(watched.clone().wait_for(|now| *now >= phase).await);
}
