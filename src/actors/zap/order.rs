//! What somebody wants of a ZAP.

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::actors::egress::Site;
use crate::domain::container::Owner;
use crate::domain::ids::ToolName;
use crate::domain::zap::phases::Progress;

/// One scan. Whoever waits for it keeps the target up.
#[derive(Debug, Clone)]
pub struct ZapOrder {
    pub site: Site,
    /// Whose findings they are.
    pub tool: ToolName,
    /// Whose containers they are.
    pub owner: Owner,
    /// Its end, whatever happens.
    pub deadline: Instant,
    pub cancel: CancellationToken,
    /// How far it is; the newest counts.
    pub progress: watch::Sender<Option<Progress>>,
}
