//! The main job on real input: a client asks for a scan of a real tree and gets what the real tools find, no more and no
//! less.

use crate::whole::{Oracle, World, assert_same, found};

/// Tools that can do their work here: the others need a network, and a test of their own.
const OFFLINE: [&str; 7] = ["semgrep", "bandit", "ruff", "detect-secrets", "eslint", "vulture", "gitleaks"];

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_defect_is_found_and_nothing_is_invented() {
    let world = World::boot().await;
    let shop = world.copy_of("examples/shop", "shop");
    let job = world.scan(&shop, &OFFLINE).await;
    for run in &job.runs {
        assert_eq!(run.state, "findings", "{run:#?}");
        assert!(!run.degraded, "{run:#?}");
    }
    assert_eq!(job.conclusion, "findings");
    let findings = world.findings(&job.job).await;
    assert_same(&found(&findings), &Oracle::read().expected(|_| false));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_defect_removes_its_findings_and_no_others() {
    let world = World::boot().await;
    let oracle = Oracle::read();
    // Each defect is removed in one half and stays in the other, beside neighbours of which some stay and some go.
    for remainder in [0, 1] {
        let shop = world.copy_of("examples/shop", &format!("shop-{remainder}"));
        let removed: Vec<&str> =
            oracle.defects.iter().skip(remainder).step_by(2).map(|defect| defect.id.as_str()).collect();
        let is_removed = |id: &str| removed.contains(&id);
        oracle
            .defects
            .iter()
            .filter(|defect| is_removed(&defect.id))
            .for_each(|defect| defect.remove_from(&shop));
        let job = world.scan(&shop, &OFFLINE).await;
        let findings = world.findings(&job.job).await;
        assert_same(&found(&findings), &oracle.expected(|defect| is_removed(&defect.id)));
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_needs_the_network_fails_honestly_without_it() {
    let world = World::boot().await;
    let target = world.target("pinned", &[("requirements.txt", "flask==2.2.2\n")]);
    let job = world.scan(&target, &["pip-audit"]).await;
    let run = &job.runs[0];
    // With a network this is a tree full of known holes; without one no statement can be made. It is never clean.
    match run.state.as_str() {
        "findings" => assert!(run.findings > 0),
        "failed" => {
            let failure = run.failure.as_ref().unwrap();
            // No answer, or a mirror that knows packages and no advisories.
            let honest = ["service_unavailable", "no_proof_of_work"];
            assert!(honest.contains(&failure.reason.as_str()), "{failure:#?}");
            assert_eq!(job.conclusion, "incomplete");
        }
        other => panic!("{other}: {run:#?}"),
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_in_which_nothing_applies_is_not_called_clean() {
    let world = World::boot().await;
    let target = world.target("prose", &[("notes.txt", "nothing to see\n")]);
    let job = world.scan(&target, &["bandit", "eslint"]).await;
    assert!(job.runs.iter().all(|run| run.state == "not_applicable" && run.why.is_some()), "{:#?}", job.runs);
    assert_eq!(job.conclusion, "incomplete");
    world.end().await;
}
