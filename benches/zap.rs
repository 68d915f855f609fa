//! A real ZAP through proctor: from its start to its first answer, with and without a spare; a scan against the same calls made
//! by hand; and this process's memory while it takes in 50,000 alerts.
//!
//! `cargo bench --bench zap`; needs the engine and images of `tests/images/all`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "its output is its purpose, and a failure its end"
)]

use std::time::{Duration, Instant};

use proctor::actors::zap::client::{Call, Client};
use proctor::actors::zap::instance::{Instance, Wish};
use proctor::domain::ids::ToolName;
use proctor::domain::target::Phase;
use proctor::domain::zap::answer;
use proctor::domain::zap::harvest::Harvest;
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
        hand.push(began.elapsed());
        instance.remove().await;
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

/// Resident memory of this process before, at most while, and after 50,000 alerts were taken in.
async fn memory() {
    let world = World::boot(&[]).await;
    let engine = world.base.wait_ready().await;
    let instance = Instance::start(&engine, &settings(&[]), &Wish::default()).await.unwrap();
    let (zap, page) = (instance.client(), world.page("page").await);
    let gate = proctor::actors::egress::Gate::open(page.site(Default::default()).scope, instance.gateway())
        .await
        .unwrap();
    zap.set_upstream_proxy(&gate.address().ip().to_string(), gate.address().port()).await.unwrap();
    zap.access(page.site(Default::default()).url().as_str()).await.unwrap();
    let began = Instant::now();
    for number in 0..ALERTS {
        add_alert(zap, number).await;
    }
    println!("{ALERTS} alerts put into ZAP in {:.0} s", began.elapsed().as_secs_f64());
    let (before, began) = (resident("VmRSS"), Instant::now());
    let mut harvest = Harvest::default();
    let tool = ToolName("zap".to_owned());
    loop {
        let alerts = zap.alerts(harvest.next_start(), PAGE).await.unwrap();
        alerts.iter().for_each(|alert| harvest.take(alert, &tool, |_| true));
        if alerts.len() < PAGE {
            break;
        }
    }
    let (took, listed, kept) = (began.elapsed(), harvest.listed(), harvest.count());
    println!(
        "taken in within {:.1} s: {listed} listed, {kept} kept; resident {before} KiB before, {} KiB at most, {} KiB after",
        took.as_secs_f64(),
        resident("VmHWM"),
        resident("VmRSS")
    );
    instance.remove().await;
    page.remove().await;
    world.close().await;
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
