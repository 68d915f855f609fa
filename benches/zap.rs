//! A real ZAP through proctor: from its start to its first answer, with and without a spare; a scan against the same calls made
//! by hand; and this process's memory while its actors scan with a ZAP that comes to have 50,000 alerts.
//!
//! `cargo bench --bench zap`; needs the engine and images of `tests/images/all`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "its output is its purpose, and a failure its end"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use proctor::actors::zap::ZapOrder;
use proctor::actors::zap::client::{ApiKey, Call, Client};
use proctor::actors::zap::instance::{Instance, Wish};
use proctor::domain::target::{Phase, WebPlan};
use proctor::domain::verdict::WebEnding;
use proctor::domain::zap::answer::{self, RuleState, ScanId};
use proctor::domain::zap::phases::Stage;

use zap_world::{World, settings};

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/docker_world.rs"]
mod docker_world;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/zap_world.rs"]
mod zap_world;

const ROUNDS: usize = 5;
const ALERTS: usize = 50_000;
const PAGE: usize = 2_000;
/// Calls at once that put alerts into ZAP.
const ADDED_AT_ONCE: usize = 4;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        starts().await;
        overhead().await;
        memory().await;
    });
}

fn seconds(mut all: Vec<Duration>) -> String {
    all.sort();
    let text = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
    format!("{} s ({} to {})", text(all[all.len() / 2]), text(all[0]), text(all[all.len() - 1]))
}

/// From the order to a ZAP that is used.
async fn starts() {
    for (word, warm) in [("cold", 0), ("warm", 1)] {
        let mut settings = settings(&[]);
        settings.warm = warm;
        let world = World::of(settings).await;
        let page = world.page("page").await;
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            let mut spares = world.zap.spares();
            zap_world::patiently("the spares", spares.wait_for(|spares| *spares == warm)).await.unwrap();
            let began = Instant::now();
            let mut scan = world.begin(&page, Phase::Baseline);
            scan.comes_to(Stage::Scope).await;
            took.push(began.elapsed());
            scan.cancel.cancel();
            scan.ends().await;
        }
        println!("{word} start to ready: {}", seconds(took));
        page.remove().await;
        world.close().await;
    }
}

/// A scan of the page by proctor, against the same calls one after the other with nothing between them but waiting.
async fn overhead() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let engine = world.base.wait_ready().await;
    let (mut proctor, mut hand) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut scan = world.begin(&page, Phase::Full);
        scan.comes_to(Stage::Scope).await;
        let began = Instant::now();
        let evidence = scan.ends().await;
        proctor.push(began.elapsed());
        assert!(!evidence.findings.is_empty(), "{:?}", evidence.ending);
        let instance = Instance::start(&engine, &settings(&[]), &Wish::default()).await.unwrap();
        let began = Instant::now();
        by_hand(&instance, &page).await;
        // As proctor does, before it says that a scan is over.
        instance.remove().await;
        hand.push(began.elapsed());
    }
    println!("full scan of the page, from ready: proctor {}, by hand {}", seconds(proctor), seconds(hand));
    page.remove().await;
    world.close().await;
}

/// As a script does: begin, look every 200 ms whether it is over.
async fn by_hand(instance: &Instance, page: &zap_world::Target) {
    let zap = instance.client();
    let gate = proctor::actors::egress::Gate::open(page.site(Default::default()).scope, instance.gateway())
        .await
        .unwrap();
    zap.set_upstream_proxy(&gate.address().ip().to_string(), gate.address().port()).await.unwrap();
    let url = page.site(Default::default()).url().to_string();
    zap.access(&url).await.unwrap();
    let id = zap.new_context(&[format!("{url}.*")], &[]).await.unwrap();
    let pause = || tokio::time::sleep(Duration::from_millis(200));
    let spider = zap.spider(&url).await.unwrap();
    while zap.spider_status(spider).await.unwrap() < 100 {
        pause().await;
    }
    let attack = zap.attack(&url, &id).await.unwrap();
    while !zap.attack_row(attack).await.unwrap().unwrap().is_over() {
        pause().await;
    }
    while zap.passive_waiting().await.unwrap() > 0 {
        pause().await;
    }
    assert!(!zap.alerts(1, PAGE).await.unwrap().is_empty());
}

/// Resident memory of this process, in which the daemon's actors scan, before that scan and at most while ZAP comes to have
/// 50,000 alerts more. They are put into it from outside while its attack is held up by a rule that does nothing.
async fn memory() {
    let hours = Duration::from_secs(3 * 3600);
    let mut settings = settings(&["proctor.active=endless"]);
    (settings.memory_bytes, settings.stuck, settings.limits.active) = (2 << 30, hours, hours);
    settings.rule_minutes = 180;
    let world = World::of(settings).await;
    let page = world.page("page").await;
    let plan = WebPlan { phase: Phase::Full, ..WebPlan::default() };
    let order = ZapOrder { deadline: tokio::time::Instant::now() + hours, ..world.order(page.site(plan)) };
    let mut progress = order.progress.subscribe();
    // Forgets the most that was resident until now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident("VmRSS");
    let flood = async {
        progress.wait_for(|now| now.is_some_and(|now| now.stage == Stage::Active)).await.unwrap();
        let zap = beside(&world.the_zap());
        let began = Instant::now();
        stream::iter(0..ALERTS).for_each_concurrent(ADDED_AT_ONCE, |number| add_alert(&zap, number)).await;
        println!("{ALERTS} alerts put into ZAP in {:.0} s", began.elapsed().as_secs_f64());
        let began = Instant::now();
        end_attack(&zap).await;
        began
    };
    let (evidence, last) = tokio::join!(world.zap.scan(order), flood);
    assert_eq!(evidence.ending, WebEnding::Finished, "{:?}", evidence.degraded);
    println!(
        "{} findings kept, {:?}; over {:.1} s after the last alert; resident {before} KiB before, {} KiB at most",
        evidence.findings.len(),
        evidence.degraded,
        last.elapsed().as_secs_f64(),
        resident("VmHWM"),
    );
    page.remove().await;
    world.close().await;
}

/// A client of this ZAP beside the scan's own.
fn beside(zap: &str) -> Client {
    let options = docker_world::docker(&["inspect", "-f", "{{join .Args \"\\n\"}}", zap]);
    let key = options.lines().find_map(|option| option.strip_prefix("api.key=")).unwrap();
    let key = u128::from_str_radix(key, 16).unwrap().to_be_bytes();
    let address = zap_world::address_of(zap).parse().unwrap();
    Client::new(SocketAddr::new(address, 8080), ApiKey::from_random(key))
}

/// Skips what runs until nothing does.
async fn end_attack(zap: &Client) {
    let scan = ScanId(0);
    while !zap.attack_row(scan).await.unwrap().unwrap().is_over() {
        for rule in zap.attack_progress(scan).await.unwrap() {
            if matches!(rule.state, RuleState::Running { .. }) {
                // It may have ended by itself meanwhile.
                drop(zap.skip_rule(scan, &rule.id).await);
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn add_alert(zap: &Client, number: usize) {
    let (name, text) = (format!("Alert {number}"), "What it means and what helps. ".repeat(20));
    let parameters = [
        ("messageId", "1"),
        ("name", name.as_str()),
        ("riskId", "2"),
        ("confidenceId", "2"),
        ("description", text.as_str()),
        ("solution", text.as_str()),
        ("evidence", name.as_str()),
    ];
    let patience = Duration::from_secs(60);
    let call = Call { path: "alert/action/addAlert", parameters: &parameters, patience };
    zap.call(call, answer::text).await.unwrap();
}

/// KiB, from the kernel.
fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
