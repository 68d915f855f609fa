//! The promise: an app under test is built, started, looked at and attacked by the real scanners, what is planted in it is found,
//! and nothing of it is left. This is the README's journey, on the daemon as a whole.

use proctor::config::{Config, Pull};
use proctor::protocol::api::{JobAnswer, JobArguments, ScanArguments};
use proctor::protocol::apps::{AppsAction, AppsAnswer, AppsArguments};
use proctor::protocol::web::AppArguments;

use super::docker_world::{left_of, soon, until};
use super::web_world::{attack, offline, scan, seen};
use super::whole::World;

/// The image that `tests/images/all` makes. `PROCTOR_TEST_ZAP_IMAGE` names another, the official one, say, which may be pulled.
const ZAP: &str = "proctor-test/zap:2.17.0";

fn with_zap(config: &mut Config) {
    offline(config);
    config.zap.image = ZAP.to_owned();
    if let Ok(image) = std::env::var("PROCTOR_TEST_ZAP_IMAGE") {
        config.zap.image = image;
        config.docker.pull = Pull::Missing;
    }
}

fn app(world: &World) -> AppArguments {
    let shop = world.copy_of("examples/shop", "shop");
    AppArguments { dockerfile: shop.to_str().map(str::to_owned), ..AppArguments::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_built_started_attacked_and_removed() {
    let world = World::with(&[], with_zap).await;
    let mut client = world.client().await;
    let target = ScanArguments { app: Some(app(&world)), ..ScanArguments::default() };
    let job = scan(&mut client, &world, &attack(target, &["zap", "wapiti", "web-headers"])).await;
    assert_eq!((job.state.as_str(), job.conclusion.as_str()), ("done", "findings"), "{job:#?}");
    // Three scanners on one app: its lease held until the last of them was done, or one would have lost its target.
    for run in &job.runs {
        assert_eq!(run.state, "findings", "{run:#?}");
    }
    let zap = job.runs.iter().find(|run| run.tool == "zap").unwrap();
    let coverage = zap.coverage.as_ref().unwrap();
    assert!(coverage.examined > 10 && coverage.requests.is_some_and(|sent| sent > 50), "{zap:#?}");
    assert!(coverage.rules.is_some_and(|rules| rules >= 5), "{zap:#?}");
    let findings = world.findings(&job.job).await;
    // The oracle is examples/shop/DEFECTS.toml, `live`; the rules are those of the test image.
    for (tool, rule, path, param) in [
        ("zap", "40012", "/search", Some("q")),
        ("zap", "40018", "/product", Some("id")),
        ("zap", "40018", "/login", Some("name")),
        ("zap", "10020", "/", None),
        ("zap", "10021", "/", None),
        ("zap", "10038", "/", None),
        ("wapiti", "reflected-cross-site-scripting", "/search", Some("q")),
        ("wapiti", "sql-injection", "/product", Some("id")),
        ("web-headers", "csp-missing", "/", None),
    ] {
        assert!(seen(&findings, tool, rule, path, param), "{tool} {rule} at {path} {param:?}");
    }
    assert!(!seen(&findings, "zap", "40018", "/cart", None), "the cart is clean");
    until("nothing is left", || left_of(&world.config.daemon.data_dir).is_empty()).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_started_by_hand_outlives_its_scans_and_no_more() {
    let world = World::with(&[], with_zap).await;
    let mut client = world.client().await;
    let app = app(&world);
    let start = AppsArguments { action: AppsAction::Start, app: Some(app.clone()), wait_s: Some(45) };
    let up = async {
        loop {
            let answer: AppsAnswer = client.call("apps", &start, |_| {}).await.unwrap();
            if answer.apps[0].state == "up" {
                return answer;
            }
        }
    };
    let answer = soon("the app", up).await;
    let url = answer.apps[0].url.clone().expect("it says where it answers");
    assert_eq!(answer.apps[0].leases, 1, "{answer:?}");

    // A job on it begins at once and leaves it as it was.
    let target = ScanArguments { app: Some(app.clone()), ..ScanArguments::default() };
    let target = ScanArguments { tools: vec!["zap".into()], wait_s: Some(0), ..target };
    let job: JobAnswer = client.call("scan", &target, |_| {}).await.unwrap();
    let cancel = JobArguments { job: job.job.clone(), wait_s: Some(0) };
    let _: JobAnswer = client.call("job_cancel", &cancel, |_| {}).await.unwrap();
    let ended = soon("the end of the job", world.end_of(&mut client, &job.job)).await;
    assert_eq!(ended.state, "cancelled");
    let list = AppsArguments::default();
    let listed: AppsAnswer = client.call("apps", &list, |_| {}).await.unwrap();
    assert_eq!(listed.apps[0].url.as_ref(), Some(&url), "the very same one: {listed:?}");

    let stop = AppsArguments { action: AppsAction::Stop, app: Some(app), wait_s: None };
    let stopped: AppsAnswer = client.call("apps", &stop, |_| {}).await.unwrap();
    assert!(stopped.apps.is_empty(), "{stopped:?}");
    until("nothing is left", || left_of(&world.config.daemon.data_dir).is_empty()).await;
    world.end().await;
}
