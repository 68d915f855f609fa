//! What a job looks at: a tree is copied, what runs is reached. It must be the same in every attempt.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::timeout_at;

use super::{Job, JobArguments, JobMessage};
use crate::actors::jobs::plan::{Ground, Planned, resume};
use crate::actors::jobs::site::{self, Prepared, Unprepared, Wanted};
use crate::actors::jobs::snapshot::{self, Snapshot, SnapshotError};
use crate::actors::jobs::task::Subject;
use crate::actors::server::{Context, Stop};
use crate::domain::job::{Ended, JobEvent, JobState, JobView};
use crate::domain::outcome::{Coverage, FailureReason, GAPS_NAMED_MAX, Gap, Outcome};
use crate::domain::target::{AppTarget, Target, WebTarget};

impl Job {
    pub(super) async fn begin(&mut self, context: &Context<JobMessage>) -> Result<(), Stop> {
        self.record(self.attempt - 1, JobEvent::Started).await?;
        let job = Arc::clone(&self.arguments.view.borrow());
        match &job.request.target {
            Target::Tree(path) => {
                self.copy(PathBuf::from(path), context);
                Ok(())
            }
            Target::Web(WebTarget { plan, .. }) | Target::App(AppTarget { plan, .. }) => {
                // Its runs are known before it is: where nothing answers, each of them says so.
                if job.runs.is_empty() {
                    let planned =
                        self.planned(&job, Ground::Site { plan, is_https: job.request.target.is_https() });
                    self.happened(JobEvent::Planned { runs: planned.iter().map(Planned::view).collect() })
                        .await?;
                }
                self.prepare_site(job, context);
                Ok(())
            }
        }
    }

    /// The copy blocks. Its token is cancelled with this task, so that neither a deadline nor the job's death leaves a
    /// copier behind.
    fn copy(&self, target: PathBuf, context: &Context<JobMessage>) {
        let JobArguments { id, cancel, shop, deadline, .. } = &self.arguments;
        // An earlier attempt may still hold its copy, or be about to remove it.
        let destination = shop.snapshots.join(format!("{id}-{}", self.attempt));
        let (shop, cancel, address) = (Arc::clone(shop), cancel.child_token(), context.address().clone());
        let deadline = *deadline;
        context.spawn(async move {
            let _abandon = cancel.clone().drop_guard();
            let copy =
                move || snapshot::take(&target, &destination, &shop.policy, &shop.snapshot_limits, &cancel);
            let message = match timeout_at(deadline, tokio::task::spawn_blocking(copy)).await {
                Ok(Ok(result)) => JobMessage::SnapshotTaken { result },
                Ok(Err(panic)) => JobMessage::CopyLost {
                    reason: FailureReason::Internal,
                    detail: format!("copying the target failed: {panic}"),
                },
                Err(_) => JobMessage::CopyLost {
                    reason: FailureReason::TimedOut,
                    detail: "the deadline passed while the target was copied".to_owned(),
                },
            };
            drop(address.post(message));
        });
    }

    fn prepare_site(&self, job: Arc<JobView>, context: &Context<JobMessage>) {
        let JobArguments { cancel, shop, deadline, .. } = &self.arguments;
        let (shop, cancel, address) = (Arc::clone(shop), cancel.child_token(), context.address().clone());
        let deadline = *deadline;
        context.spawn(async move {
            let permission = site::permission(&job.request, &shop.catalogue);
            let says = |what: &str| {
                drop(address.try_send(JobMessage::Does { run: None, what: what.to_owned() }));
            };
            let reads = |content: &str| {
                drop(address.post(JobMessage::AppRead { content: content.to_owned() }));
            };
            let wanted = Wanted { request: &job.request, permission, deadline, says: &says, reads: &reads };
            let result = site::prepare(&shop.sites, wanted, cancel).await;
            drop(address.post(JobMessage::SitePrepared { result }));
        });
    }

    /// Noted before the app is up: until then a request that equals this one could not tell whether it means the same.
    pub(super) async fn app_read(&mut self, content: String) -> Result<(), Stop> {
        let before = Arc::clone(&self.arguments.view.borrow());
        match &before.content_digest {
            None => self.happened(JobEvent::AppRead { digest: content }).await,
            Some(digest) if *digest == content => Ok(()),
            Some(_) => self.target_changed().await,
        }
    }

    pub(super) async fn site_prepared(
        &mut self,
        result: Result<Arc<Prepared>, Unprepared>,
        context: &Context<JobMessage>,
    ) -> Result<(), Stop> {
        let ground = match result {
            Ok(ground) => ground,
            Err(Unprepared::Cancelled) => {
                return self.end(JobState::Cancelled, None, Outcome::Cancelled).await;
            }
            Err(Unprepared::Failed(failure)) => {
                let error = Some(failure.detail.clone());
                return self.end(JobState::Failed, error, Outcome::Failed(failure)).await;
            }
        };
        self.arguments.view.send_if_modified(|view| Arc::make_mut(view).does(None, None));
        let job = Arc::clone(&self.arguments.view.borrow());
        let (plan, is_https) = (&ground.site.plan, job.request.target.is_https());
        let planned = self.resume(&job, Ground::Site { plan, is_https }).await?;
        self.start_runs(planned, Subject::Site(ground), context).await
    }

    pub(super) async fn snapshot_taken(
        &mut self,
        result: Result<Snapshot, SnapshotError>,
        context: &Context<JobMessage>,
    ) -> Result<(), Stop> {
        let snapshot = match result {
            Ok(snapshot) => snapshot,
            Err(SnapshotError::Cancelled) => {
                return self.end(JobState::Cancelled, None, Outcome::Cancelled).await;
            }
            Err(error) => {
                return self.target_unread(FailureReason::TargetUnreadable, error.to_string()).await;
            }
        };
        let before = Arc::clone(&self.arguments.view.borrow());
        if before.content_digest.as_ref().is_some_and(|digest| *digest != snapshot.digest) {
            return self.target_changed().await;
        }
        let files: Vec<&str> = snapshot.files.iter().map(|file| file.path.as_str()).collect();
        let planned = match before.runs.is_empty() {
            true => self.plan_files(&before, &snapshot, &files).await?,
            false => self.resume(&before, Ground::Files(&files)).await?,
        };
        self.start_runs(planned, Subject::Tree(Arc::new(snapshot)), context).await
    }

    pub(super) async fn target_unread(&mut self, reason: FailureReason, detail: String) -> Result<(), Stop> {
        let outcome = Outcome::failed(reason, &detail);
        self.end(JobState::Failed, Some(detail), outcome).await
    }

    async fn plan_files(
        &self,
        job: &JobView,
        snapshot: &Snapshot,
        files: &[&str],
    ) -> Result<Vec<Planned>, Stop> {
        let planned = self.planned(job, Ground::Files(files));
        let left_out = left_out(snapshot, &planned);
        self.happened(JobEvent::SnapshotTaken { digest: snapshot.digest.clone(), left_out }).await?;
        self.happened(JobEvent::Planned { runs: planned.iter().map(Planned::view).collect() }).await?;
        Ok(planned)
    }

    async fn resume(&self, job: &JobView, ground: Ground<'_>) -> Result<Vec<Planned>, Stop> {
        let (planned, unknown) = resume(&self.arguments.shop.catalogue, &job.runs, ground);
        for run in unknown {
            let detail = "the daemon that took the job up again has no tool of that name";
            let outcome = Outcome::failed(FailureReason::ToolMissing, detail);
            let ended = Ended { outcome, coverage: Coverage::default(), elapsed_ms: 0 };
            self.happened(JobEvent::RunEnded { run, ended, counts: [0; 5] }).await?;
        }
        Ok(planned)
    }

    async fn target_changed(&mut self) -> Result<(), Stop> {
        let detail = "the target was changed after the job was interrupted; what has ended speaks of what it was before";
        let outcome = Outcome::failed(FailureReason::TargetChanged, detail);
        self.end(JobState::Failed, Some(detail.to_owned()), outcome).await
    }
}

/// Source that no tool was shown, as far as it is a planned tool's business: the rest costs nobody anything.
fn left_out(snapshot: &Snapshot, planned: &[Planned]) -> Coverage {
    let is_business = |gap: &&Gap| planned.iter().any(|planned| planned.manifest.applies_to(&gap.path));
    let missed: Vec<&Gap> = snapshot.left_out.iter().filter(is_business).collect();
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Coverage {
        expected: count(snapshot.files.len() + missed.len()),
        examined: count(snapshot.files.len()),
        missed: count(missed.len()),
        gaps: missed.into_iter().take(GAPS_NAMED_MAX).cloned().collect(),
        ..Coverage::default()
    }
}
