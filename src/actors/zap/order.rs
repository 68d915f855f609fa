//! What somebody wants of a ZAP.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::actors::egress::Fetcher;
use crate::domain::container::Owner;
use crate::domain::ids::ToolName;
use crate::domain::scope::{Place, Scope};
use crate::domain::target::WebPlan;
use crate::domain::zap::phases::Progress;

/// One scan. Whoever waits for it keeps the target up.
#[derive(Clone)]
pub struct ZapOrder {
    /// What is looked at.
    pub place: Place,
    /// Where that and its seeds may lead.
    pub scope: Arc<Scope>,
    pub plan: WebPlan,
    /// Our own way to the same addresses.
    pub fetcher: Fetcher,
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
