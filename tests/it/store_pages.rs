//! Promise: pages are complete, in order and without repeats, whatever arrives while they are read.

use std::collections::BTreeSet;

use proctor::domain::finding::Finding;
use proctor::domain::fingerprint::Stamped;
use proctor::domain::ids::{Principal, ToolName};
use proctor::domain::job::{Ended, JobEvent};
use proctor::domain::lease::Fence;
use proctor::domain::outcome::{Coverage, Outcome};
use proctor::domain::severity::Severity;
use proctor::store::StoreError;
use proctor::store::findings::FindingsQuery;
use proctor::store::record::Submission;

use super::store_world::{
    Life, findings, in_a_life, job_done, new_job, newest, of_job, principal, run_ended, with_store,
};

#[test]
fn pages_are_complete_and_without_repeats_while_findings_arrive() {
    in_a_life!(|life| {
        let tools = ["alpha", "beta", "gamma", "delta"];
        let job = life.running("/t", &tools).await;
        let first = findings("alpha", 1_000, 40);
        life.store
            .record(job.id, Fence::Any, run_ended(job.runs[0].id, &first), first.clone())
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
                life.store.record(job.id, Fence::Any, run_ended(run.id, &more), more.clone()).await.unwrap();
            }
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let unique: BTreeSet<&str> =
            seen.iter().map(|stamped| stamped.finding.fingerprint.as_str()).collect();
        assert_eq!(unique.len(), seen.len(), "a finding came twice");
        for stamped in &first {
            assert!(unique.contains(stamped.finding.fingerprint.as_str()), "lost: {stamped:?}");
        }
        assert!(seen.len() > 1_000, "nothing arrived while the pages were read");
        let order = |stamped: &Stamped| {
            let place = &stamped.finding.location;
            let line = place.region.map_or(0, |region| region.start_line);
            (std::cmp::Reverse(stamped.finding.severity), place.path.clone(), line)
        };
        assert!(seen.is_sorted_by_key(order), "not worst first, then by path and line");
    });
}

#[test]
fn filters_narrow_the_page_and_its_total_alike() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha", "beta"]).await;
        for (run, tool) in job.runs.iter().zip(["alpha", "beta"]) {
            let found = findings(tool, 100, 10);
            life.store.record(job.id, Fence::Any, run_ended(run.id, &found), found.clone()).await.unwrap();
        }
        let everything = life.all(&of_job(job.id)).await;
        assert_eq!(everything.len(), 200);
        type Keeps = fn(&Finding) -> bool;
        let cases: [(FindingsQuery, Keeps); 4] = [
            (FindingsQuery { min_severity: Some(Severity::High), ..of_job(job.id) }, |f| {
                f.severity >= Severity::High
            }),
            (FindingsQuery { tool: Some(ToolName("beta".into())), ..of_job(job.id) }, |f| f.tool.0 == "beta"),
            (FindingsQuery { path_prefix: Some("src/00".into()), ..of_job(job.id) }, |f| {
                f.location.path.starts_with("src/00")
            }),
            (FindingsQuery { path_prefix: Some("src/00_%".into()), ..of_job(job.id) }, |_| false),
        ];
        for (query, keeps) in cases {
            let expected = everything.iter().filter(|stamped| keeps(&stamped.finding)).count();
            let page = life.store.findings(query.clone(), None, 1_000).await.unwrap();
            assert_eq!((page.total, page.findings.len()), (expected as u64, expected), "{query:?}");
            assert!(page.findings.iter().all(|stamped| keeps(&stamped.finding)), "{query:?}");
        }
    });
}

#[test]
fn a_cursor_of_another_query_or_an_altered_one_is_refused() {
    in_a_life!(|life| {
        let job = life.running("/t", &["alpha"]).await;
        let found = findings("alpha", 10, 2);
        life.store
            .record(job.id, Fence::Any, run_ended(job.runs[0].id, &found), found.clone())
            .await
            .unwrap();
        let cursor = life.page(&of_job(job.id), None, 3).await.1.unwrap();
        let other_filter = FindingsQuery { min_severity: Some(Severity::Low), ..of_job(job.id) };
        let other_principal = FindingsQuery { principal: Principal("bob".into()), ..of_job(job.id) };
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
            assert!(matches!(refused, Err(StoreError::BadCursor)), "{:.40}: {refused:?}", text);
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
                .record(job.id, Fence::Any, run_ended(job.runs[0].id, &found), found.clone())
                .await
                .unwrap();
            life.store.record(job.id, Fence::Any, job_done(), vec![]).await.unwrap();
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
        let complete = async || life.store.findings(of_job(job.id), None, 1).await.unwrap().complete;
        assert!(!complete().await, "the job has not ended");
        let whole = JobEvent::RunEnded {
            run: job.runs[0].id,
            ended: Ended {
                outcome: Outcome::Clean,
                coverage: Coverage { expected: 1, examined: 1, ..Coverage::default() },
                elapsed_ms: 1,
            },
            counts: [0; 5],
        };
        life.store.record(job.id, Fence::Any, whole, vec![]).await.unwrap();
        life.store.record(job.id, Fence::Any, job_done(), vec![]).await.unwrap();
        assert!(complete().await);
        let degraded = life.running("/u", &["alpha"]).await;
        life.store
            .record(degraded.id, Fence::Any, run_ended(degraded.runs[0].id, &[]), vec![])
            .await
            .unwrap();
        life.store.record(degraded.id, Fence::Any, job_done(), vec![]).await.unwrap();
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
            store.submit(Submission::alone(job.clone())).await.unwrap();
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
