//! Scans to which something happens: the ZAP is killed, frozen, starved, cut off; the target dies; somebody cancels. Each ends
//! in a bounded time with its reason, or succeeds with the one more ZAP that it may have, and leaves nothing.

use std::time::{Duration, Instant};

use proctor::domain::outcome::FailureReason;
use proctor::domain::target::{Phase, WebPlan};
use proctor::domain::verdict::{WebEnding, WebEvidence};
use proctor::domain::zap::phases::Stage;

use crate::docker_world::docker;
use crate::zap_world::{World, finished, patiently, places, reason, settings};

/// A scan that stays in its attack until somebody skips a rule, which nobody does soon.
const LINGERS: &[&str] = &["proctor.active=endless"];
/// From a freeze to the next ZAP's container: 30 s of silence, the removal, the start.
const NEXT_ZAP: Duration = Duration::from_secs(120);

async fn lingering() -> World {
    let mut settings = settings(LINGERS);
    settings.stuck = Duration::from_secs(15);
    World::of(settings).await
}

fn found_all(evidence: &WebEvidence) {
    finished(evidence);
    let rules: Vec<String> = places(evidence).into_iter().map(|(rule, ..)| rule).collect();
    for rule in ["10020", "10021", "10038", "40012", "40018"] {
        assert!(rules.iter().any(|found| found == rule), "{rule}: {rules:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_that_is_killed_is_replaced_once_whatever_it_was_at() {
    for stage in [Stage::Scope, Stage::Spider, Stage::Active] {
        let world = if stage == Stage::Active { lingering().await } else { World::boot(&[]).await };
        let page = world.page("page").await;
        let mut scan = world.begin(&page, Phase::Full);
        scan.comes_to(stage).await;
        docker(&["kill", &world.the_zap()]);
        found_all(&scan.ends().await);
        assert_eq!(world.zaps(), [""; 0]);
        page.remove().await;
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_zaps_that_are_killed_are_one_failure_that_says_what_was_lost() {
    let world = lingering().await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Full);
    scan.comes_to(Stage::Active).await;
    let first = world.the_zap();
    docker(&["kill", &first]);
    let second = world.next_zap(&first).await;
    scan.comes_back_to(Stage::Active).await;
    docker(&["kill", &second]);
    let evidence = scan.ends().await;
    assert_eq!(reason(&evidence), FailureReason::ZapDied);
    let WebEnding::Failed { detail, log_tail, .. } = &evidence.ending else { unreachable!() };
    assert!(detail.contains("code 137") && detail.contains("active"), "{detail}");
    assert!(log_tail.starts_with("found by then, and not in the result: "), "{log_tail}");
    assert_eq!(evidence.findings, []);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_zap_is_given_up_in_a_bounded_time_and_replaced() {
    let world = lingering().await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Full);
    scan.comes_to(Stage::Active).await;
    let (before, frozen) = (Instant::now(), world.the_zap());
    docker(&["pause", &frozen]);
    world.next_zap(&frozen).await;
    assert!(before.elapsed() < NEXT_ZAP, "{:?}", before.elapsed());
    found_all(&scan.ends().await);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_cut_off_from_the_network_is_replaced() {
    let world = lingering().await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Full);
    scan.comes_to(Stage::Active).await;
    let zap = world.the_zap();
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
    let network = docker(&["inspect", "-f", networks, &zap]);
    docker(&["network", "disconnect", "--force", &network, &zap]);
    found_all(&scan.ends().await);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_starved_zap_says_so_and_is_not_tried_again() {
    let mut starved = settings(&[]);
    starved.memory_bytes = 96 << 20;
    let world = World::of(starved).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    assert_eq!(reason(&evidence), FailureReason::MemoryExceeded, "{:?}", evidence.ending);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_dies_midway_is_lost_and_not_clean() {
    let world = lingering().await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Full);
    scan.comes_to(Stage::Active).await;
    docker(&["kill", page.container.id()]);
    assert_eq!(reason(&scan.ends().await), FailureReason::TargetLost);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_is_told_in_seconds_and_costs_no_zap() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    docker(&["kill", page.container.id()]);
    let before = Instant::now();
    assert_eq!(reason(&world.scan(&page, Phase::Full).await), FailureReason::TargetUnreachable);
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_a_scan_and_leaves_nothing() {
    let world = lingering().await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Full);
    scan.comes_to(Stage::Spider).await;
    scan.cancel.cancel();
    assert_eq!(scan.ends().await.ending, WebEnding::Cancelled);
    assert_eq!(world.zaps(), [""; 0]);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_targets_at_once_share_nothing() {
    let world = World::boot(&[]).await;
    let (one, two) = (world.page("one").await, world.page("two").await);
    let scans = [world.begin(&one, Phase::Full), world.begin(&two, Phase::Full)];
    for (scan, name) in scans.into_iter().zip(["one", "two"]) {
        let evidence = scan.ends().await;
        found_all(&evidence);
        let own = format!("http://{name}.app.internal:5000");
        for finding in &evidence.findings {
            assert!(finding.location.path.starts_with(&own), "{}", finding.location.path);
        }
    }
    one.remove().await;
    two.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_is_used_once_and_replaced_and_removed_at_the_end() {
    let world = World::with_a_spare().await;
    let spare = world.the_zap();
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Baseline);
    scan.comes_to(Stage::Scope).await;
    finished(&scan.ends().await);
    patiently("another spare", world.zap.spares().wait_for(|spares| *spares == 1)).await.unwrap();
    assert_ne!(world.the_zap(), spare);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_over_by_its_deadline() {
    let world = lingering().await;
    let page = world.page("page").await;
    let mut order = world.order(page.site(WebPlan { phase: Phase::Full, ..WebPlan::default() }));
    let time = Duration::from_secs(4);
    order.deadline = tokio::time::Instant::now() + time;
    let before = Instant::now();
    assert_eq!(reason(&world.zap.scan(order).await), FailureReason::TimedOut);
    assert!(before.elapsed() < time + Duration::from_secs(20), "{:?}", before.elapsed());
    page.remove().await;
    world.close().await;
}
