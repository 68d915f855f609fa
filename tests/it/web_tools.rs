//! Promise: the real wapiti, nmap, ab, wrk, locust and k6 work on a real application through the daemon, from the gate and
//! the sandbox to the stored findings; and a target that is dead is clean to none of them.

use std::net::TcpListener;

use proctor::config::Config;
use proctor::domain::scope::AllowList;
use proctor::protocol::api::ScanArguments;
use proctor::protocol::web::{AppArguments, LoadArguments, WebArguments};

use super::web_world::{attack, offline, scan, seen};
use super::whole::World;

/// The image that `tests/images/all` makes of examples/shop.
const SHOP: &str = "proctor-test/shop:latest";
const LOAD: [&str; 4] = ["ab", "wrk", "locust", "k6"];
const ATTACK: [&str; 2] = ["wapiti", "nmap"];
/// Seconds a job may take: wapiti's limits are parts of it.
const DEADLINE_S: u32 = 240;

fn local(config: &mut Config) {
    offline(config);
    config.targets.active = AllowList::parse(&["127.0.0.1"]).expect("an address is a rule");
}

fn order(target: ScanArguments, tools: &[&str]) -> ScanArguments {
    let load = LoadArguments { duration_s: Some(2), concurrency: Some(2), ..LoadArguments::default() };
    let attack = attack(target, tools);
    let web = attack.web.map(|web| WebArguments { load: Some(load), ..web });
    ScanArguments { web, deadline_s: Some(DEADLINE_S), ..attack }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_attacked_and_measured_by_the_real_tools() {
    let world = World::with(&[], local).await;
    let mut client = world.client().await;
    let app = AppArguments { image: Some(SHOP.to_owned()), ..AppArguments::default() };
    let target = ScanArguments { app: Some(app), ..ScanArguments::default() };
    // One after the other: an attack beside a measurement would be measured.
    let job = scan(&mut client, &world, &order(target.clone(), &LOAD)).await;
    let findings = world.findings(&job.job).await;
    for tool in LOAD {
        let run = job.runs.iter().find(|run| run.tool == tool).unwrap();
        assert_eq!(run.state, "findings", "{run:#?}");
        assert!(seen(&findings, tool, "load.figures", "/", None), "{tool}: {findings:#?}");
        let requests = run.coverage.as_ref().and_then(|coverage| coverage.requests);
        assert!(requests.is_some_and(|requests| requests > 5), "{run:#?}");
    }
    let job = scan(&mut client, &world, &order(target, &ATTACK)).await;
    let findings = world.findings(&job.job).await;
    for run in &job.runs {
        assert_eq!(run.state, "findings", "{run:#?}");
    }
    // The oracle is examples/shop/DEFECTS.toml, `live`.
    for (rule, path, param) in [
        ("sql-injection", "/product", Some("id")),
        ("reflected-cross-site-scripting", "/search", Some("q")),
        ("content-security-policy-configuration", "/", None),
    ] {
        assert!(seen(&findings, "wapiti", rule, path, param), "{rule} at {path}: {findings:#?}");
    }
    assert!(seen(&findings, "nmap", "http-server-header", "/", None), "{findings:#?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_is_clean_to_none_of_them() {
    let world = World::with(&[], local).await;
    let mut client = world.client().await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let target = ScanArguments { url: Some(url), ..ScanArguments::default() };
    let all: Vec<&str> = LOAD.into_iter().chain(ATTACK).collect();
    let job = scan(&mut client, &world, &order(target, &all)).await;
    assert_eq!(job.runs.len(), all.len());
    for run in &job.runs {
        assert_eq!((run.state.as_str(), run.findings), ("failed", 0), "{run:#?}");
        assert_eq!(run.failure.as_ref().unwrap().reason, "target_unreachable", "{run:#?}");
    }
    world.end().await;
}
