//! Promise: what the store answers is whole, survives the daemon, and is nobody else's.

use proctor::domain::finding::FINDINGS_PER_RUN_MAX;
use proctor::domain::fingerprint::Stamped;
use proctor::domain::ids::{JobId, Principal};
use proctor::domain::job::{Conclusion, Ended, JobEvent, JobState, RunState};
use proctor::domain::outcome::{Coverage, FailureReason, Outcome};
use proctor::domain::severity::Severity;
use proctor::store::StoreError;
use proctor::store::findings::{FindingsQuery, Scope};

use super::store_world::{
    Life, findings, in_a_life, job_done, new_job, of_job, principal, run_ended, waiting, with_store,
};

#[test]
fn a_job_comes_back_as_the_domain_made_it_also_in_the_next_life() {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    let found = findings("alpha", 30, 4);
    let job = life.runtime.block_on(async {
        let mut job = life.running("/t", &["alpha", "beta"]).await;
        let left_out = Coverage { missed: 1, ..Coverage::default() };
        let events = [
            JobEvent::SnapshotTaken { digest: "d".repeat(64), left_out },
            JobEvent::RunMoved {
                run: job.runs[0].id,
                to: RunState::Running,
                tool_version: Some("1.2".into()),
            },
            run_ended(job.runs[0].id, &found),
            JobEvent::RunEnded {
                run: job.runs[1].id,
                ended: Ended {
                    outcome: Outcome::NotApplicable { why: "no such files".into() },
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
            assert_eq!(life.store.job(principal(), job.id).await.unwrap().as_ref(), Some(&job));
        }
        job
    });
    assert_eq!((job.counts, job.state), ([6; 5], JobState::Done));
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover().await.unwrap(), []);
        assert_eq!(life.store.job(principal(), job.id).await.unwrap(), Some(job.clone()));
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
        assert!(life.store.record(job.id, end.clone(), found.clone()).await.unwrap());
        assert!(!life.store.record(job.id, end.clone(), found.clone()).await.unwrap());
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
        let unknown = life.store.record(JobId::from_random([9; 16]), JobEvent::Started, vec![]).await;
        assert!(matches!(unknown, Err(StoreError::NoSuchJob(_))), "{unknown:?}");
    });
}

#[test]
fn nobody_sees_another_principals_job_nor_whether_it_exists() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", 10, 2);
        life.store.record(job.id, run_ended(job.runs[0].id, &found), found.clone()).await.unwrap();
        let bob = Principal("bob".into());
        assert_eq!(life.store.job(bob.clone(), job.id).await.unwrap(), None);
        assert_eq!(life.store.events(bob.clone(), job.id, 1).await.unwrap(), None);
        assert_eq!(life.store.export(bob.clone(), job.id).await.unwrap(), None);
        assert_eq!(life.store.jobs(bob.clone(), None, 10).await.unwrap().jobs, []);
        for scope in [Scope::Job(job.id), Scope::Newest] {
            let query = FindingsQuery { principal: bob.clone(), scope, ..of_job(job.id) };
            let page = life.store.findings(query, None, 10).await.unwrap();
            assert_eq!((page.total, page.findings.len(), page.complete), (0, 0, false));
        }
    });
}

#[test]
fn a_run_keeps_its_worst_findings_and_counts_them_all() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", FINDINGS_PER_RUN_MAX as u32 + 500, 10);
        life.store.record(job.id, run_ended(job.runs[0].id, &found), found.clone()).await.unwrap();
        let view = life.store.job(principal(), job.id).await.unwrap().unwrap();
        assert_eq!(view.counts.iter().sum::<u32>() as usize, found.len());
        let (_, exported) = life.store.export(principal(), job.id).await.unwrap().unwrap();
        assert_eq!(exported.len(), FINDINGS_PER_RUN_MAX);
        let least = exported.iter().filter(|stamped| stamped.finding.severity == Severity::Info).count();
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
        assert!(matches!(refused, Err(StoreError::TooMany { count: 300, .. })), "{refused:?}");
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
        life.store.record(running.id, run_ended(running.runs[0].id, &found), found.clone()).await.unwrap();
        let done = life.running("/d", &["alpha"]).await;
        life.store.record(done.id, run_ended(done.runs[0].id, &[]), vec![]).await.unwrap();
        life.store.record(done.id, job_done(), vec![]).await.unwrap();
        (queued.id, running.id, life.store.job(principal(), done.id).await.unwrap().unwrap())
    });
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover().await.unwrap(), [queued, running]);
        assert_eq!(life.store.recover().await.unwrap(), []);
        for id in [queued, running] {
            let job = life.store.job(principal(), id).await.unwrap().unwrap();
            assert_eq!((job.state, job.conclusion()), (JobState::Failed, Conclusion::Incomplete));
            assert!(job.error.as_ref().unwrap().contains("restarted") && job.ended_at.is_some(), "{job:?}");
            let events = life.store.events(principal(), id, 1).await.unwrap().unwrap();
            assert!(matches!(events.last().unwrap().event, JobEvent::Ended { .. }));
        }
        let job = life.store.job(principal(), running).await.unwrap().unwrap();
        let reasons: Vec<_> = job
            .runs
            .iter()
            .map(|run| match &run.state {
                RunState::Ended(Ended { outcome: Outcome::Failed(failure), .. }) => {
                    Some((failure.reason, failure.retryable))
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            reasons,
            [None, Some((FailureReason::DaemonRestarted, true))],
            "the ended run keeps its own end"
        );
        assert_eq!(life.all(&of_job(running)).await.len(), 10, "what was found stays found");
        assert_eq!(life.store.job(principal(), done.id).await.unwrap(), Some(done));
    });
}
