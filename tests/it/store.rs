//! Promise: what the store answers is whole, survives the daemon, and is nobody else's.

use proctor::domain::finding::FINDINGS_PER_RUN_MAX;
use proctor::domain::fingerprint::Stamped;
use proctor::domain::ids::{JobId, Principal};
use proctor::domain::job::{Conclusion, Ended, HandBack, JobEvent, JobState, JobView, RunState};
use proctor::domain::lease::Fence;
use proctor::domain::outcome::{Coverage, FailureReason, Outcome};
use proctor::domain::rescue::Tries;
use proctor::domain::severity::Severity;
use proctor::store::StoreError;
use proctor::store::findings::{FindingsQuery, Scope};
use proctor::store::keys::{Key, Known};
use proctor::store::record::{LetIn, Submission};

use super::store_world::{
    Life, findings, in_a_life, job_done, new_job, of_job, principal, run_ended, waiting, with_store,
};

const TRIES: Tries = Tries { attempts_max: 3, deaths_max: 2 };

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
            assert!(life.store.record(job.id, Fence::Any, event.clone(), findings).await.unwrap());
            job.apply(event);
            assert_eq!(life.store.job(principal(), job.id).await.unwrap().as_ref(), Some(&job));
        }
        job
    });
    assert_eq!((job.counts, job.state), ([6; 5], JobState::Done));
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover(TRIES).await.unwrap(), []);
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
        life.store.submit(Submission::alone(job.clone())).await.unwrap();
        assert!(life.store.record(job.id, Fence::Any, end.clone(), found.clone()).await.unwrap());
        assert!(!life.store.record(job.id, Fence::Any, end.clone(), found.clone()).await.unwrap());
        assert!(life.store.record(job.id, Fence::Any, job_done(), vec![]).await.unwrap());
        for late in [JobEvent::Started, end, job_done()] {
            assert!(!life.store.record(job.id, Fence::Any, late, found.clone()).await.unwrap());
        }
        assert_eq!(life.all(&of_job(job.id)).await.len(), 10);
        let events = life.store.events(principal(), job.id, 1).await.unwrap().unwrap();
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, [1, 2, 3, 4]);
        assert_eq!(events[3].event, job_done());
        let later = life.store.events(principal(), job.id, 4).await.unwrap().unwrap();
        assert_eq!(later, events[3..]);
        let unknown =
            life.store.record(JobId::from_random([9; 16]), Fence::Any, JobEvent::Started, vec![]).await;
        assert!(matches!(unknown, Err(StoreError::NoSuchJob(_))), "{unknown:?}");
    });
}

#[test]
fn nobody_sees_another_principals_job_nor_whether_it_exists() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", 10, 2);
        life.store
            .record(job.id, Fence::Any, run_ended(job.runs[0].id, &found), found.clone())
            .await
            .unwrap();
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
        life.store
            .record(job.id, Fence::Any, run_ended(job.runs[0].id, &found), found.clone())
            .await
            .unwrap();
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
        store.submit(Submission::alone(job.clone())).await.unwrap();
        let runs = (0..300).map(|n| waiting(&format!("tool{n}"))).collect();
        store.record(job.id, Fence::Any, JobEvent::Started, vec![]).await.unwrap();
        let refused = store.record(job.id, Fence::Any, JobEvent::Planned { runs }, vec![]).await;
        assert!(matches!(refused, Err(StoreError::TooMany { count: 300, .. })), "{refused:?}");
        let kept = store.job(principal(), job.id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.runs.len()), (JobState::Running, 0));
        assert_eq!(store.events(principal(), job.id, 1).await.unwrap().unwrap().len(), 1);
    });
}

#[test]
fn after_a_crash_what_had_not_ended_waits_again_with_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    let found = findings("alpha", 10, 2);
    let (queued, running, done) = life.runtime.block_on(async {
        let queued = new_job("/q");
        life.store.submit(Submission::alone(queued.clone())).await.unwrap();
        let running = life.running("/r", &["alpha", "beta"]).await;
        let end = run_ended(running.runs[0].id, &found);
        life.store.record(running.id, Fence::Attempt(1), end, found.clone()).await.unwrap();
        let done = life.running("/d", &["alpha"]).await;
        life.store.record(done.id, Fence::Any, run_ended(done.runs[0].id, &[]), vec![]).await.unwrap();
        life.store.record(done.id, Fence::Any, job_done(), vec![]).await.unwrap();
        (queued.id, running, life.store.job(principal(), done.id).await.unwrap().unwrap())
    });
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        let recovered = life.store.recover(TRIES).await.unwrap();
        let seen: Vec<_> = recovered.iter().map(|job| (job.id, job.state, job.attempt, job.deaths)).collect();
        let (waits, again) = ((queued, JobState::Queued, 0, 0), (running.id, JobState::Queued, 1, 1));
        assert_eq!(seen, [waits, again]);
        assert_eq!(life.store.recover(TRIES).await.unwrap(), recovered, "a second look changes nothing");
        let words: Vec<_> = recovered[1].runs.iter().map(|run| run.state.word()).collect();
        assert_eq!(words, ["findings", "waiting"]);
        let (_, exported) = life.store.export(principal(), running.id).await.unwrap().unwrap();
        assert_eq!(exported.len(), found.len());
        assert_eq!(life.store.job(principal(), done.id).await.unwrap(), Some(done));
    });
}

#[test]
fn a_job_that_saw_two_daemons_die_is_quarantined_and_one_that_was_cancelled_stays_so() {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    let (suspect, cancelled) = life.runtime.block_on(async {
        let suspect = life.running("/s", &["alpha"]).await;
        let cancelled = life.running("/c", &["alpha"]).await;
        assert!(life.store.record(cancelled.id, Fence::Any, JobEvent::CancelAsked, vec![]).await.unwrap());
        (suspect.id, cancelled.id)
    });
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover(TRIES).await.unwrap().len(), 1);
        assert!(life.store.record(suspect, Fence::Attempt(1), JobEvent::Started, vec![]).await.unwrap());
        let job = life.store.job(principal(), cancelled).await.unwrap().unwrap();
        assert_eq!((job.state, job.runs[0].state.word()), (JobState::Cancelled, "cancelled"));
    });
    drop(life);
    let life = Life::start(directory.path());
    life.runtime.block_on(async {
        assert_eq!(life.store.recover(TRIES).await.unwrap(), []);
        let job = life.store.job(principal(), suspect).await.unwrap().unwrap();
        assert_eq!((job.state, job.conclusion()), (JobState::Quarantined, Conclusion::Incomplete));
        assert!(job.error.as_ref().unwrap().contains("2 times") && job.ended_at.is_some(), "{job:?}");
        let RunState::Ended(Ended { outcome: Outcome::Failed(failure), .. }) = &job.runs[0].state else {
            panic!("{:?}", job.runs);
        };
        assert_eq!(failure.reason, FailureReason::DaemonRestarted);
    });
}

#[test]
fn who_speaks_for_an_earlier_attempt_changes_nothing() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let back = JobEvent::HandedBack { why: HandBack::LeaseExpired };
        assert!(life.store.record(job.id, Fence::Attempt(1), back, vec![]).await.unwrap());
        assert!(life.store.record(job.id, Fence::Attempt(1), JobEvent::Started, vec![]).await.unwrap());
        let found = findings("alpha", 3, 1);
        let end = run_ended(job.runs[0].id, &found);
        assert!(!life.store.record(job.id, Fence::Attempt(1), end.clone(), found.clone()).await.unwrap());
        assert!(!life.store.record(job.id, Fence::Attempt(1), job_done(), vec![]).await.unwrap());
        assert!(life.store.record(job.id, Fence::Attempt(2), end, found.clone()).await.unwrap());
        let (view, exported) = life.store.export(principal(), job.id).await.unwrap().unwrap();
        assert_eq!((view.state, view.attempt, exported.len()), (JobState::Running, 2, 3));
    });
}

#[test]
fn a_key_is_one_job_and_a_plan_that_waits_is_one_job() {
    in_a_life!(|life| {
        let key = |name: &str, payload: &str| Some(Key { name: name.into(), payload: payload.into() });
        let submit = |job: &JobView, plan: Option<&str>, key| {
            let submission = Submission { job: job.clone(), plan: plan.map(str::to_owned), key };
            life.store.submit(submission)
        };
        let (first, second, third) = (new_job("/t"), new_job("/t"), new_job("/t"));
        assert_eq!(submit(&first, Some("plan"), key("k", "p")).await.unwrap(), LetIn::New);
        assert_eq!(
            submit(&first, Some("plan"), key("k", "p")).await.unwrap(),
            LetIn::New,
            "written twice is once"
        );
        assert_eq!(submit(&second, None, key("k", "p")).await.unwrap(), LetIn::Same(first.id));
        assert_eq!(submit(&second, None, key("k", "other")).await.unwrap(), LetIn::Conflict(first.id));
        assert_eq!(submit(&second, Some("plan"), key("l", "p")).await.unwrap(), LetIn::Same(first.id));
        let known = life.store.look_up(principal(), key("l", "p").unwrap()).await.unwrap();
        assert_eq!(known, Some(Known::Same(first.id)), "the key of a shared job is kept");
        // Once it has begun, its plan no longer waits.
        assert!(life.store.record(first.id, Fence::Any, JobEvent::Started, vec![]).await.unwrap());
        assert_eq!(submit(&third, Some("plan"), None).await.unwrap(), LetIn::New);
        assert_eq!(
            life.store.job(principal(), second.id).await.unwrap(),
            None,
            "a refused job is not written"
        );
        let bob = Principal("bob".into());
        assert_eq!(
            life.store.look_up(bob, key("k", "p").unwrap()).await.unwrap(),
            None,
            "a key is its principal's"
        );
    });
}
