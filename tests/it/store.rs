//! Promise: what the store answers is whole, in order, and nobody else's.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use proctor::actors::server::{StartError, spawn};
use proctor::actors::store::{Store, StoreArguments, StoreServer};
use proctor::domain::finding::{FINDINGS_PER_RUN_MAX, Finding, Location, Region};
use proctor::domain::fingerprint::{Stamped, stamp};
use proctor::domain::ids::{BootId, JobId, Principal, RunId, ToolName};
use proctor::domain::job::{Conclusion, Ended, JobEvent, JobRequest, JobState, JobView, RunState, RunView};
use proctor::domain::outcome::{Coverage, FailureReason, Gap, Outcome};
use proctor::domain::severity::Severity;
use proctor::store::StoreError;
use proctor::store::findings::{FindingsQuery, Scope};
use proctor::store::lock::Lock;
use tokio::runtime::Runtime;

/// One life of a daemon's store. Dropped, it dies as in a crash: nothing is flushed, nobody is asked.
pub struct Life {
    pub store: Store,
    pub runtime: Runtime,
}

impl Life {
    pub fn start(directory: &Path) -> Self {
        Self::try_start(directory).unwrap()
    }

    pub fn try_start(directory: &Path) -> Result<Self, StartError> {
        let runtime = Runtime::new().unwrap();
        let arguments = StoreArguments {
            directory: directory.to_owned(),
            boot: BootId::from_random(random()),
        };
        let actor = runtime.block_on(spawn::<StoreServer>(arguments))?;
        Ok(Self {
            store: Store::new(actor.address),
            runtime,
        })
    }
}

/// Waits until the last life of this process has let go of the directory: its thread ends with its last transaction.
pub fn wait_until_free(directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = Lock::acquire(&directory.join("store.lock")) {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::yield_now();
    }
}

pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub fn principal() -> Principal {
    Principal("alice".into())
}

pub fn new_job(target: &str) -> JobView {
    let request = JobRequest {
        target: target.into(),
        tools: vec![],
        deadline_s: 60,
    };
    JobView::queued(
        JobId::from_random(random()),
        principal(),
        request,
        "2026-01-01T00:00:00Z".into(),
    )
}

pub fn waiting(tool: &str) -> RunView {
    RunView {
        id: RunId::from_random(random()),
        tool: ToolName(tool.into()),
        tool_version: None,
        state: RunState::Waiting,
    }
}

/// `count` findings in `files` files, of every severity.
pub fn findings(tool: &str, count: u32, files: u32) -> Vec<Stamped> {
    let one = |n: u32| Finding {
        tool: ToolName(tool.into()),
        rule: format!("R{}", n % 7),
        severity: Severity::ALL[(n % 5) as usize],
        message: format!("finding {n}"),
        location: Location {
            path: format!("src/{:03}.py", n % files),
            region: (!n.is_multiple_of(11)).then_some(Region {
                start_line: n,
                start_column: Some(1),
                end_line: None,
                end_column: Some(2),
            }),
        },
        cwe: vec![89],
        help: None,
        fingerprint: String::new(),
    };
    stamp((0..count).map(one).collect(), |_| None)
}

pub fn run_ended(run: RunId, findings: &[Stamped]) -> JobEvent {
    let mut counts = [0; 5];
    for stamped in findings {
        counts[stamped.finding.severity as usize] += 1;
    }
    let coverage = Coverage {
        expected: 2,
        examined: 1,
        missed: 1,
        gaps: vec![Gap {
            path: "x.py".into(),
            why: "syntax error".into(),
        }],
    };
    let outcome = match findings.len() as u32 {
        0 => Outcome::Clean,
        count => Outcome::Findings { count },
    };
    let ended = Ended {
        outcome,
        coverage,
        elapsed_ms: 12,
    };
    JobEvent::RunEnded { run, ended, counts }
}

pub fn job_done() -> JobEvent {
    JobEvent::Ended {
        state: JobState::Done,
        error: None,
        at: "2026-01-01T00:01:00Z".into(),
        open_runs: Outcome::Cancelled,
    }
}

impl Life {
    /// Lets a job in and starts it, with a waiting run per tool.
    pub async fn running(&self, target: &str, tools: &[&str]) -> JobView {
        let mut job = new_job(target);
        self.store.submit(job.clone()).await.unwrap();
        let runs = tools.iter().map(|tool| waiting(tool)).collect();
        for event in [JobEvent::Started, JobEvent::Planned { runs }] {
            assert!(self.store.record(job.id, event.clone(), vec![]).await.unwrap());
            job.apply(event);
        }
        job
    }

    async fn page(
        &self,
        query: &FindingsQuery,
        cursor: Option<String>,
        limit: u32,
    ) -> (Vec<Stamped>, Option<String>) {
        let page = self.store.findings(query.clone(), cursor, limit).await.unwrap();
        (page.findings, page.next)
    }

    async fn all(&self, query: &FindingsQuery) -> Vec<Stamped> {
        let (mut all, mut cursor) = (vec![], None);
        loop {
            let (findings, next) = self.page(query, cursor, 100).await;
            all.extend(findings);
            match next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }
}

pub fn of_job(job: JobId) -> FindingsQuery {
    FindingsQuery {
        principal: principal(),
        scope: Scope::Job(job),
        min_severity: None,
        tool: None,
        path_prefix: None,
    }
}

fn newest() -> FindingsQuery {
    FindingsQuery {
        scope: Scope::Newest,
        ..of_job(JobId::from_random([0; 16]))
    }
}

/// Runs a test in one life of a store of its own.
fn with_store<Test: Future<Output = ()>>(test: impl FnOnce(Store) -> Test) {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    life.runtime.block_on(test(life.store.clone()));
}

/// As [`with_store`], with the helpers of [`Life`].
macro_rules! in_a_life {
    (|$life:ident| $body:block) => {
        let directory = tempfile::tempdir().unwrap();
        let $life = Life::start(directory.path());
        $life.runtime.block_on(async { $body });
    };
}

#[test]
fn a_job_comes_back_as_the_domain_made_it_also_in_the_next_life() {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    let found = findings("alpha", 30, 4);
    let job = life.runtime.block_on(async {
        let mut job = life.running("/t", &["alpha", "beta"]).await;
        let left_out = Coverage {
            missed: 1,
            ..Coverage::default()
        };
        let events = [
            JobEvent::SnapshotTaken {
                digest: "d".repeat(64),
                left_out,
            },
            JobEvent::RunMoved {
                run: job.runs[0].id,
                to: RunState::Running,
                tool_version: Some("1.2".into()),
            },
            run_ended(job.runs[0].id, &found),
            JobEvent::RunEnded {
                run: job.runs[1].id,
                ended: Ended {
                    outcome: Outcome::NotApplicable {
                        why: "no such files".into(),
                    },
                    coverage: Coverage::default(),
                    elapsed_ms: 0,
                },
                counts: [0; 5],
            },
            job_done(),
        ];
        for event in events {
            let findings = if matches!(&event, JobEvent::RunEnded { run, .. } if *run == job.runs[0].id) {
                found.clone()
            } else {
                vec![]
            };
            assert!(life.store.record(job.id, event.clone(), findings).await.unwrap());
            job.apply(event);
            assert_eq!(
                life.store.job(principal(), job.id).await.unwrap().as_ref(),
                Some(&job)
            );
        }
        job
    });
    assert_eq!((job.counts, job.state), ([6; 5], JobState::Done));
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover().await.unwrap(), []);
        assert_eq!(
            life.store.job(principal(), job.id).await.unwrap(),
            Some(job.clone())
        );
        let (view, exported) = life.store.export(principal(), job.id).await.unwrap().unwrap();
        let sorted = |findings: &[Stamped]| {
            let mut findings = findings.to_vec();
            findings.sort_by(|a, b| a.finding.fingerprint.cmp(&b.finding.fingerprint));
            findings
        };
        assert_eq!((view, sorted(&exported)), (job, sorted(&found)));
    });
}

#[test]
fn an_event_that_comes_twice_or_too_late_changes_nothing_and_is_not_kept() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", 10, 2);
        let end = run_ended(job.runs[0].id, &found);
        life.store.submit(job.clone()).await.unwrap();
        assert!(
            life.store
                .record(job.id, end.clone(), found.clone())
                .await
                .unwrap()
        );
        assert!(
            !life
                .store
                .record(job.id, end.clone(), found.clone())
                .await
                .unwrap()
        );
        assert!(life.store.record(job.id, job_done(), vec![]).await.unwrap());
        for late in [JobEvent::Started, end, job_done()] {
            assert!(!life.store.record(job.id, late, found.clone()).await.unwrap());
        }
        assert_eq!(life.all(&of_job(job.id)).await.len(), 10);
        let events = life.store.events(principal(), job.id, 1).await.unwrap().unwrap();
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, [1, 2, 3, 4]);
        assert_eq!(events[3].event, job_done());
        let later = life.store.events(principal(), job.id, 4).await.unwrap().unwrap();
        assert_eq!(later, events[3..]);
        let unknown = life
            .store
            .record(JobId::from_random([9; 16]), JobEvent::Started, vec![])
            .await;
        assert!(matches!(unknown, Err(StoreError::NoSuchJob(_))), "{unknown:?}");
    });
}

#[test]
fn pages_are_complete_and_without_repeats_while_findings_arrive() {
    in_a_life!(|life| {
        let tools = ["alpha", "beta", "gamma", "delta"];
        let job = life.running("/t", &tools).await;
        let first = findings("alpha", 1_000, 40);
        life.store
            .record(job.id, run_ended(job.runs[0].id, &first), first.clone())
            .await
            .unwrap();
        let query = of_job(job.id);
        let (mut seen, mut cursor, mut pages) = (vec![], None, 0);
        loop {
            let (findings_of_page, next) = life.page(&query, cursor, 37).await;
            seen.extend(findings_of_page);
            pages += 1;
            if let (true, Some(run)) = (pages % 7 == 0, job.runs.get(pages / 7)) {
                let more = findings(&run.tool.0, 300, 40);
                life.store
                    .record(job.id, run_ended(run.id, &more), more.clone())
                    .await
                    .unwrap();
            }
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let unique: BTreeSet<&str> = seen
            .iter()
            .map(|stamped| stamped.finding.fingerprint.as_str())
            .collect();
        assert_eq!(unique.len(), seen.len(), "a finding came twice");
        for stamped in &first {
            assert!(
                unique.contains(stamped.finding.fingerprint.as_str()),
                "lost: {stamped:?}"
            );
        }
        assert!(seen.len() > 1_000, "nothing arrived while the pages were read");
        let order = |stamped: &Stamped| {
            let place = &stamped.finding.location;
            let line = place.region.map_or(0, |region| region.start_line);
            (
                std::cmp::Reverse(stamped.finding.severity),
                place.path.clone(),
                line,
            )
        };
        assert!(
            seen.is_sorted_by_key(order),
            "not worst first, then by path and line"
        );
    });
}

#[test]
fn filters_narrow_the_page_and_its_total_alike() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha", "beta"]).await;
        for (run, tool) in job.runs.iter().zip(["alpha", "beta"]) {
            let found = findings(tool, 100, 10);
            life.store
                .record(job.id, run_ended(run.id, &found), found.clone())
                .await
                .unwrap();
        }
        let everything = life.all(&of_job(job.id)).await;
        assert_eq!(everything.len(), 200);
        type Keeps = fn(&Finding) -> bool;
        let cases: [(FindingsQuery, Keeps); 4] = [
            (
                FindingsQuery {
                    min_severity: Some(Severity::High),
                    ..of_job(job.id)
                },
                |f| f.severity >= Severity::High,
            ),
            (
                FindingsQuery {
                    tool: Some(ToolName("beta".into())),
                    ..of_job(job.id)
                },
                |f| f.tool.0 == "beta",
            ),
            (
                FindingsQuery {
                    path_prefix: Some("src/00".into()),
                    ..of_job(job.id)
                },
                |f| f.location.path.starts_with("src/00"),
            ),
            (
                FindingsQuery {
                    path_prefix: Some("src/00_%".into()),
                    ..of_job(job.id)
                },
                |_| false,
            ),
        ];
        for (query, keeps) in cases {
            let expected = everything
                .iter()
                .filter(|stamped| keeps(&stamped.finding))
                .count();
            let page = life.store.findings(query.clone(), None, 1_000).await.unwrap();
            assert_eq!(
                (page.total, page.findings.len()),
                (expected as u64, expected),
                "{query:?}"
            );
            assert!(
                page.findings.iter().all(|stamped| keeps(&stamped.finding)),
                "{query:?}"
            );
        }
    });
}

#[test]
fn a_cursor_of_another_query_or_an_altered_one_is_refused() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", 10, 2);
        life.store
            .record(job.id, run_ended(job.runs[0].id, &found), found.clone())
            .await
            .unwrap();
        let cursor = life.page(&of_job(job.id), None, 3).await.1.unwrap();
        let other_filter = FindingsQuery {
            min_severity: Some(Severity::Low),
            ..of_job(job.id)
        };
        let other_principal = FindingsQuery {
            principal: Principal("bob".into()),
            ..of_job(job.id)
        };
        let beyond = "A".repeat(22);
        for (query, text) in [
            (other_filter, cursor.clone()),
            (other_principal, cursor.clone()),
            (of_job(job.id), cursor.to_lowercase()),
            (of_job(job.id), String::new()),
            (of_job(job.id), format!("{cursor}=")),
            (of_job(job.id), beyond),
            (of_job(job.id), "x".repeat(1 << 20)),
        ] {
            let refused = life.store.findings(query, Some(text.clone()), 3).await;
            assert!(
                matches!(refused, Err(StoreError::BadCursor)),
                "{:.40}: {refused:?}",
                text
            );
        }
    });
}

#[test]
fn nobody_sees_another_principals_job_nor_whether_it_exists() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", 10, 2);
        life.store
            .record(job.id, run_ended(job.runs[0].id, &found), found.clone())
            .await
            .unwrap();
        let bob = Principal("bob".into());
        assert_eq!(life.store.job(bob.clone(), job.id).await.unwrap(), None);
        assert_eq!(life.store.events(bob.clone(), job.id, 1).await.unwrap(), None);
        assert_eq!(life.store.export(bob.clone(), job.id).await.unwrap(), None);
        assert_eq!(life.store.jobs(bob.clone(), None, 10).await.unwrap().jobs, []);
        for scope in [Scope::Job(job.id), Scope::Newest] {
            let query = FindingsQuery {
                principal: bob.clone(),
                scope,
                ..of_job(job.id)
            };
            let page = life.store.findings(query, None, 10).await.unwrap();
            assert_eq!((page.total, page.findings.len(), page.complete), (0, 0, false));
        }
    });
}

#[test]
fn the_newest_job_of_each_target_speaks_for_it_and_a_failed_one_takes_nothing_back() {
    in_a_life!(|life| {
        let scan = async |target: &str, count: u32| {
            let job = life.running(target, &["alpha"]).await;
            let found = findings("alpha", count, 1);
            life.store
                .record(job.id, run_ended(job.runs[0].id, &found), found.clone())
                .await
                .unwrap();
            life.store.record(job.id, job_done(), vec![]).await.unwrap();
        };
        scan("/one", 9).await;
        scan("/one", 3).await;
        scan("/two", 4).await;
        // Under way, and without a word on its target yet.
        life.running("/two", &["alpha"]).await;
        let page = life.store.findings(newest(), None, 100).await.unwrap();
        assert_eq!((page.total, page.findings.len()), (7, 7));
    });
}

#[test]
fn a_page_is_complete_only_when_every_file_was_examined() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let complete = async || {
            life.store
                .findings(of_job(job.id), None, 1)
                .await
                .unwrap()
                .complete
        };
        assert!(!complete().await, "the job has not ended");
        let whole = JobEvent::RunEnded {
            run: job.runs[0].id,
            ended: Ended {
                outcome: Outcome::Clean,
                coverage: Coverage {
                    expected: 1,
                    examined: 1,
                    ..Coverage::default()
                },
                elapsed_ms: 1,
            },
            counts: [0; 5],
        };
        life.store.record(job.id, whole, vec![]).await.unwrap();
        life.store.record(job.id, job_done(), vec![]).await.unwrap();
        assert!(complete().await);
        let degraded = life.running("/u", &["alpha"]).await;
        life.store
            .record(degraded.id, run_ended(degraded.runs[0].id, &[]), vec![])
            .await
            .unwrap();
        life.store.record(degraded.id, job_done(), vec![]).await.unwrap();
        let page = life.store.findings(of_job(degraded.id), None, 1).await.unwrap();
        assert!(!page.complete, "a file was not examined");
    });
}

#[test]
fn jobs_are_listed_newest_first_page_by_page() {
    with_store(|store| async move {
        let mut expected = vec![];
        for n in 0..7 {
            let job = new_job(&format!("/{n}"));
            store.submit(job.clone()).await.unwrap();
            expected.insert(0, job.id);
        }
        let (mut seen, mut cursor) = (vec![], None);
        loop {
            let page = store.jobs(principal(), cursor, 3).await.unwrap();
            seen.extend(page.jobs.iter().map(|job| job.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_run_keeps_its_worst_findings_and_counts_them_all() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", FINDINGS_PER_RUN_MAX as u32 + 500, 10);
        life.store
            .record(job.id, run_ended(job.runs[0].id, &found), found.clone())
            .await
            .unwrap();
        let view = life.store.job(principal(), job.id).await.unwrap().unwrap();
        assert_eq!(view.counts.iter().sum::<u32>() as usize, found.len());
        let (_, exported) = life.store.export(principal(), job.id).await.unwrap().unwrap();
        assert_eq!(exported.len(), FINDINGS_PER_RUN_MAX);
        let least = exported
            .iter()
            .filter(|stamped| stamped.finding.severity == Severity::Info)
            .count();
        assert_eq!(least, found.len() / 5 - 500, "the least severe give way");
    });
}

#[test]
fn a_job_with_more_runs_than_can_be_kept_is_refused_whole() {
    with_store(|store| async move {
        let job = new_job("/t");
        store.submit(job.clone()).await.unwrap();
        let runs = (0..300).map(|n| waiting(&format!("tool{n}"))).collect();
        let refused = store.record(job.id, JobEvent::Planned { runs }, vec![]).await;
        assert!(
            matches!(refused, Err(StoreError::TooMany { count: 300, .. })),
            "{refused:?}"
        );
        assert_eq!(store.job(principal(), job.id).await.unwrap(), Some(job.clone()));
        assert_eq!(store.events(principal(), job.id, 1).await.unwrap(), Some(vec![]));
    });
}

#[test]
fn after_a_crash_every_job_and_run_has_a_truthful_end() {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    let found = findings("alpha", 10, 2);
    let (queued, running, done) = life.runtime.block_on(async {
        let queued = new_job("/q");
        life.store.submit(queued.clone()).await.unwrap();
        let running = life.running("/r", &["alpha", "beta"]).await;
        life.store
            .record(running.id, run_ended(running.runs[0].id, &found), found.clone())
            .await
            .unwrap();
        let done = life.running("/d", &["alpha"]).await;
        life.store
            .record(done.id, run_ended(done.runs[0].id, &[]), vec![])
            .await
            .unwrap();
        life.store.record(done.id, job_done(), vec![]).await.unwrap();
        (
            queued.id,
            running.id,
            life.store.job(principal(), done.id).await.unwrap().unwrap(),
        )
    });
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover().await.unwrap(), [queued, running]);
        assert_eq!(life.store.recover().await.unwrap(), []);
        for id in [queued, running] {
            let job = life.store.job(principal(), id).await.unwrap().unwrap();
            assert_eq!(
                (job.state, job.conclusion()),
                (JobState::Failed, Conclusion::Incomplete)
            );
            assert!(
                job.error.as_ref().unwrap().contains("restarted") && job.ended_at.is_some(),
                "{job:?}"
            );
            let events = life.store.events(principal(), id, 1).await.unwrap().unwrap();
            assert!(matches!(events.last().unwrap().event, JobEvent::Ended { .. }));
        }
        let job = life.store.job(principal(), running).await.unwrap().unwrap();
        let reasons: Vec<_> = job
            .runs
            .iter()
            .map(|run| match &run.state {
                RunState::Ended(Ended {
                    outcome: Outcome::Failed(failure),
                    ..
                }) => Some((failure.reason, failure.retryable)),
                _ => None,
            })
            .collect();
        assert_eq!(
            reasons,
            [None, Some((FailureReason::DaemonRestarted, true))],
            "the ended run keeps its own end"
        );
        assert_eq!(
            life.all(&of_job(running)).await.len(),
            10,
            "what was found stays found"
        );
        assert_eq!(life.store.job(principal(), done.id).await.unwrap(), Some(done));
    });
}
