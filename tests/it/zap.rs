//! What a scan with a real ZAP finds, and how it ends when that ZAP is not as it should be. The rules and the ways to fail are
//! those of `tests/images/zap`.

use proctor::domain::outcome::FailureReason;
use proctor::domain::target::Phase;
use proctor::domain::verdict::WebEnding;

use crate::zap_world::{World, finished, places, reason, says};

fn active() -> Vec<(String, String, String)> {
    let found = [("40012", "/found", "words"), ("40018", "/item", "id")];
    found.map(|(rule, path, param)| (rule.to_owned(), path.to_owned(), param.to_owned())).into()
}

/// What the passive rules find on the page: each of three headers on each of three paths.
fn passive() -> Vec<(String, String, String)> {
    let headers = [
        ("10020", "x-frame-options"),
        ("10021", "x-content-type-options"),
        ("10038", "content-security-policy"),
    ];
    let paths = ["/", "/found", "/item"];
    let all = headers.iter().flat_map(|(rule, param)| paths.map(|path| (*rule, path, *param)));
    all.map(|(rule, path, param)| (rule.to_owned(), path.to_owned(), param.to_owned())).collect()
}

fn distinct(mut places: Vec<(String, String, String)>) -> Vec<(String, String, String)> {
    places.dedup();
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_scan_finds_what_is_planted_and_nothing_else() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    finished(&evidence);
    let mut expected: Vec<_> = passive().into_iter().chain(active()).collect();
    expected.sort();
    assert_eq!(distinct(places(&evidence)), expected);
    assert_eq!(evidence.degraded, [""; 0]);
    assert!(evidence.work.urls >= 5 && evidence.work.rules == 5, "{:?}", evidence.work);
    assert!(evidence.work.requests >= 15, "{:?}", evidence.work);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_sends_no_attack() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Baseline).await;
    finished(&evidence);
    assert_eq!(distinct(places(&evidence)), passive());
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_without_rules_is_no_clean_scan() {
    let world = World::boot(&["proctor.active=none", "proctor.passive=none"]).await;
    let page = world.page("page").await;
    for phase in [Phase::Full, Phase::Baseline] {
        assert_eq!(reason(&world.scan(&page, phase).await), FailureReason::NoRules, "{phase:?}");
    }
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_rule_is_skipped_and_said_and_so_is_absent_passive_scanning() {
    let world = World::boot(&["proctor.active=endless", "proctor.passive=none"]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    finished(&evidence);
    assert_eq!(distinct(places(&evidence)), active());
    assert!(says(&evidence, "rules_skipped") && says(&evidence, "passive_absent"), "{:?}", evidence.degraded);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_deaf_to_all_is_left_behind_and_a_queue_nobody_reads_is_said() {
    let world = World::boot(&["proctor.active=deaf", "proctor.passive=unread"]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    finished(&evidence);
    assert_eq!(distinct(places(&evidence)), active());
    for word in ["scan_stuck", "rules_not_run_to_their_end", "passive_queue_stuck"] {
        assert!(says(&evidence, word), "{word}: {:?}", evidence.degraded);
    }
    assert_eq!(reason(&world.scan(&page, Phase::Baseline).await), FailureReason::PassiveQueueStuck);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_throw_are_said_and_cost_nothing_else() {
    let world = World::boot(&["proctor.active=throwing", "proctor.passive=throwing"]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    finished(&evidence);
    for rule in ["rule_threw: ThrowingRule failed", "rule_threw: Throwing passively (test of proctor) failed"]
    {
        assert!(says(&evidence, rule), "{rule}: {:?}", evidence.degraded);
    }
    assert_eq!(distinct(places(&evidence)).len(), active().len() + passive().len());
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passive_rule_that_holds_the_queue_is_named_and_switched_off() {
    let world = World::boot(&["proctor.passive=hanging"]).await;
    let page = world.page("page").await;
    let evidence = world.scan(&page, Phase::Full).await;
    finished(&evidence);
    assert!(says(&evidence, "passive_rule_stuck: Hanging (test of proctor)"), "{:?}", evidence.degraded);
    assert!(says(&evidence, "passive_queue_stuck"), "{:?}", evidence.degraded);
    for found in active() {
        assert!(places(&evidence).contains(&found), "{found:?}");
    }
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_that_does_not_know_us_refuses_and_is_not_tried_again() {
    for (option, word) in [("api.key=another", "API key"), ("api.addrs.addr(0).name=192.0.2.1", "address")] {
        let world = World::boot(&[option]).await;
        let page = world.page("page").await;
        let evidence = world.scan(&page, Phase::Baseline).await;
        assert_eq!(reason(&evidence), FailureReason::ZapRefused);
        let WebEnding::Failed { detail, log_tail, .. } = &evidence.ending else { unreachable!() };
        assert!(detail.contains(word), "{detail}");
        assert!(!log_tail.is_empty(), "the end of its log");
        page.remove().await;
        world.close().await;
    }
}
