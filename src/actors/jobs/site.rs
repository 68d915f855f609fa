//! From what a job is to look at to what its runs can: addresses looked up and judged once, an app started, a first answer
//! awaited. What cannot be prepared is said once, for all runs of the job.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::actors::egress::{Resolver, Site};
use crate::domain::ids::JobId;
use crate::domain::job::JobRequest;
use crate::domain::outcome::{Failure, FailureReason};
use crate::domain::scope::{Intrusion, Lists, Refused};
use crate::domain::target::{AppTarget, Target, WebTarget};
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Intrusion as Does;

/// How what runs is reached. Cheap to clone.
#[derive(Clone)]
pub struct Sites {
    pub resolver: Resolver,
    pub lists: Arc<Lists>,
}

/// What runs, ready to be looked at.
pub struct Prepared {
    pub site: Site,
}

/// Why there is nothing to be looked at.
#[derive(Debug)]
pub enum Unprepared {
    Cancelled,
    Failed(Failure),
}

impl Unprepared {
    fn failed(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self::Failed(Failure::new(reason, detail))
    }
}

impl From<Refused> for Unprepared {
    fn from(refused: Refused) -> Self {
        let reason = match refused {
            Refused::Unresolved { .. } | Refused::NoAddress { .. } => FailureReason::TargetUnreachable,
            _ => FailureReason::TargetRefused,
        };
        Self::failed(reason, refused.to_string())
    }
}

/// Prepares the target of a job, within the job's time.
pub(super) async fn prepare(
    sites: &Sites,
    _job: JobId,
    request: &JobRequest,
    intrusion: Intrusion,
    deadline: Instant,
    cancel: CancellationToken,
) -> Result<Arc<Prepared>, Unprepared> {
    let preparing = timeout_at(deadline, sites.ready(request, intrusion));
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Unprepared::Cancelled),
        prepared = preparing => prepared.unwrap_or_else(|_| {
            let detail = "the job's time was over before its target could be looked at";
            Err(Unprepared::failed(FailureReason::TimedOut, detail))
        }),
    }
}

impl Sites {
    async fn ready(&self, request: &JobRequest, intrusion: Intrusion) -> Result<Arc<Prepared>, Unprepared> {
        let site = match &request.target {
            Target::Web(WebTarget { url, plan }) => {
                Site::prepare(url, plan.clone(), intrusion, &self.lists, &self.resolver).await?
            }
            Target::App(AppTarget { .. }) | Target::Tree(_) => {
                return Err(Unprepared::failed(FailureReason::Internal, "this target is no site"));
            }
        };
        let answered = site.probe().await;
        answered.map_err(|dead| Unprepared::failed(FailureReason::TargetUnreachable, dead.to_string()))?;
        Ok(Arc::new(Prepared { site }))
    }
}

/// The most that the tools of a job may do to what runs.
pub fn intrusion(request: &JobRequest, catalogue: &Catalogue) -> Intrusion {
    let attacks = request.target.plan().is_some_and(|plan| plan.phase.attacks());
    let loads = request.tools.iter().any(|name| {
        let does = catalogue.get(name).and_then(|manifest| manifest.intrusion());
        matches!(does, Some(Does::Active | Does::Load))
    });
    if attacks || loads { Intrusion::Attack } else { Intrusion::Look }
}
