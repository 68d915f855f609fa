//! The promise: what runs is touched only where the configuration allows it, nothing is attacked unasked, and a target that does not
//! answer is never clean.

use std::net::TcpListener;

use proctor::cli::client::{Client, ClientError};
use proctor::config::Config;
use proctor::domain::scope::AllowList;
use proctor::protocol::api::{JobAnswer, ScanArguments};
use proctor::protocol::web::{AppArguments, PhaseWord, WebArguments};

use super::docker_world::soon;
use super::whole::World;

fn listed(config: &mut Config) {
    config.targets.hosts = AllowList::parse(&["localhost"]).unwrap();
}

fn scan_of(url: &str) -> ScanArguments {
    ScanArguments { url: Some(url.to_owned()), wait_s: Some(0), ..ScanArguments::default() }
}

/// What a client is told that is refused.
async fn refused(client: &mut Client, arguments: &ScanArguments) -> String {
    match client.call::<JobAnswer>("scan", arguments, |_| {}).await {
        Err(ClientError::Refused { refusal, .. }) => refusal.to_string(),
        other => panic!("{arguments:?} was taken: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_ends_every_run_with_its_reason_and_no_finding() {
    let world = World::with(&[], listed).await;
    let mut client = world.client().await;
    // A port that nobody listens on: it was free, and its listener is gone.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let submitted: JobAnswer =
        client.call("scan", &scan_of(&format!("http://localhost:{}/", free.port())), |_| {}).await.unwrap();
    let job = soon("the end", world.end_of(&mut client, &submitted.job)).await;
    assert_eq!((job.state.as_str(), job.conclusion.as_str()), ("failed", "incomplete"), "{job:#?}");
    assert!(!job.runs.is_empty(), "its tools were known before it was found dead");
    for run in &job.runs {
        let failure = run.failure.as_ref().unwrap_or_else(|| panic!("{run:#?}"));
        assert_eq!((failure.reason.as_str(), failure.retryable), ("target_unreachable", true), "{run:#?}");
    }
    assert!(world.findings(&job.job).await.is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_listed_is_refused_before_anything_is_stored() {
    let world = World::with(&[], listed).await;
    let mut client = world.client().await;
    let full = || Some(WebArguments { phase: Some(PhaseWord::Full), ..WebArguments::default() });
    for (arguments, said) in [
        (scan_of("http://shop.example/"), "targets.hosts"),
        (scan_of("http://127.0.0.1/"), "targets.hosts"),
        (ScanArguments { web: full(), ..scan_of("http://localhost:1/") }, "targets.active"),
        (scan_of("http://user:word@localhost/"), "login"),
        (scan_of("file:///etc/passwd"), "http and https"),
        (ScanArguments { path: Some("/".into()), ..scan_of("http://localhost:1/") }, "exactly one"),
        (ScanArguments::default(), "exactly one"),
        (ScanArguments { path: Some("/".into()), web: full(), ..ScanArguments::default() }, "not a `path`"),
    ] {
        let told = refused(&mut client, &arguments).await;
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_place_is_no_part_of_a_request() {
    let world = World::with(&[], listed).await;
    let mut client = world.client().await;
    let web = |web: WebArguments| ScanArguments { web: Some(web), ..scan_of("http://localhost:1/") };
    let outside = world.folder.path().join("compose.yml");
    std::fs::write(&outside, "services: {}").unwrap();
    let compose = AppArguments { compose: outside.to_str().map(str::to_owned), ..AppArguments::default() };
    for (arguments, said) in [
        (
            web(WebArguments { seeds: vec!["http://localhost:2/".into()], ..WebArguments::default() }),
            "seeds/0",
        ),
        (
            web(WebArguments { openapi: Some("http://shop.example/api".into()), ..WebArguments::default() }),
            "openapi",
        ),
        (web(WebArguments { exclude: vec!["(".into()], ..WebArguments::default() }), "exclude/0"),
        (web(WebArguments { phase: Some(PhaseWord::Api), ..WebArguments::default() }), "openapi"),
        (ScanArguments { app: Some(compose), ..ScanArguments::default() }, "outside the allowed roots"),
        (ScanArguments { app: Some(AppArguments::default()), ..ScanArguments::default() }, "exactly one"),
    ] {
        let told = refused(&mut client, &arguments).await;
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    world.end().await;
}
