//! How far the gateway is on its way out. Watched by every session and connection, so that no message can be lost on
//! the way and a session that is stuck is closed all the same.

/// ```text
/// serving ──Drain──▶ draining ──Close──▶ closing
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// No new session and no new call; what runs goes on. `/readyz` says 503.
    Draining,
    /// Every socket is told 1001 once its answers are out.
    Closing,
}
