//! From what a job is to look at to what its runs can: addresses looked up and judged once, an app started, a first answer
//! awaited. What cannot be prepared is said once, for all runs of the job.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::actors::apps::{AppError, AppLease, Apps};
use crate::actors::egress::{Resolver, Site};
use crate::actors::zap::Zap;
use crate::domain::job::JobRequest;
use crate::domain::outcome::{Failure, FailureReason};
use crate::domain::scope::{Lists, Permission, Refused};
use crate::domain::target::{AppTarget, Target, WebTarget};
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Intrusion;

/// How what runs is reached. Cheap to clone.
#[derive(Clone)]
pub struct Sites {
    pub resolver: Resolver,
    pub lists: Arc<Lists>,
    pub apps: Apps,
    pub zap: Zap,
}

/// What runs, ready to be looked at.
pub struct Prepared {
    pub site: Site,
    /// Keeps the app up, if it is one of ours: until the last run has let go.
    pub lease: Option<AppLease>,
}

/// What is to be prepared.
pub(super) struct Wanted<'a> {
    pub request: &'a JobRequest,
    /// The most that will be done to it.
    pub permission: Permission,
    pub deadline: Instant,
    /// Hears what is being done.
    pub says: &'a (dyn Fn(&str) + Send + Sync),
    /// Hears what an app is made from, before it is up.
    pub reads: &'a (dyn Fn(&str) + Send + Sync),
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

impl From<AppError> for Unprepared {
    fn from(error: AppError) -> Self {
        let failure = Failure::new(error.reason(), error.to_string());
        Self::Failed(Failure { stderr_tail: error.log_tail().to_owned(), ..failure })
    }
}

/// Prepares the target of a job, within the job's time.
pub(super) async fn prepare(
    sites: &Sites,
    wanted: Wanted<'_>,
    cancel: CancellationToken,
) -> Result<Arc<Prepared>, Unprepared> {
    let preparing = timeout_at(wanted.deadline, sites.ready(&wanted));
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
    async fn ready(&self, wanted: &Wanted<'_>) -> Result<Arc<Prepared>, Unprepared> {
        let (site, lease) = match &wanted.request.target {
            Target::Web(WebTarget { url, plan }) => {
                let plan = plan.clone();
                (Site::prepare(url, plan, wanted.permission, &self.lists, &self.resolver).await?, None)
            }
            Target::App(AppTarget { app, plan }) => {
                let app = self.apps.want(app).await?;
                (wanted.reads)(app.content());
                let lease = app.up(wanted.says).await?;
                let site = Site::of_app(lease.authority().clone(), lease.address(), plan.clone())?;
                (site, Some(lease))
            }
            Target::Tree(_) => {
                return Err(Unprepared::failed(
                    FailureReason::Internal,
                    "a source tree is copied, not reached",
                ));
            }
        };
        (wanted.says)("waiting for the target to answer");
        let answered = site.probe().await;
        answered.map_err(|dead| Unprepared::failed(FailureReason::TargetUnreachable, dead.to_string()))?;
        Ok(Arc::new(Prepared { site, lease }))
    }
}

/// The most that the tools of a job may do to what runs.
pub fn permission(request: &JobRequest, catalogue: &Catalogue) -> Permission {
    let attacks = request.target.plan().is_some_and(|plan| plan.phase.attacks());
    let loads = request.tools.iter().any(|name| {
        let does = catalogue.get(name).and_then(|manifest| manifest.intrusion());
        matches!(does, Some(Intrusion::Active | Intrusion::Load))
    });
    if attacks || loads { Permission::Attack } else { Permission::Look }
}
