//! The promise: same request, one execution. Identical requests share a job, a client's own key is one job for ever, and
//! what is not the same is never taken for it.

use std::collections::BTreeSet;
use std::path::Path;

use proctor::cli::client::{Client, ClientError};
use proctor::protocol::api::{JobAnswer, ScanArguments};
use tokio::task::JoinSet;

use crate::whole::{World, fake, fake_manifest, start};

/// Requests at once.
const CALLERS: usize = 100;
/// A tool that takes long enough for all of them to come while it runs.
const NAP: &str = "nap 2 1";

fn request(target: &Path) -> ScanArguments {
    ScanArguments {
        path: target.to_str().map(str::to_owned),
        tools: vec![fake(NAP)],
        wait_s: Some(30),
        ..ScanArguments::default()
    }
}

fn keyed(target: &Path, key: &str) -> ScanArguments {
    ScanArguments { idempotency_key: Some(key.to_owned()), ..request(target) }
}

async fn world() -> World {
    World::with(&[fake_manifest(NAP, 60)], |config| {
        config.gateway.in_flight_per_principal_max = 2 * CALLERS;
        config.gateway.in_flight_max = 2 * CALLERS;
        config.gateway.in_flight_per_session_max = CALLERS;
        config.gateway.connections_per_principal_max = 2 * CALLERS;
        config.gateway.connections_per_address_max = 2 * CALLERS;
    })
    .await
}

/// Sends all requests at once, each on a connection of its own, and returns the jobs that answered.
async fn at_once(world: &World, requests: Vec<ScanArguments>) -> Vec<JobAnswer> {
    let mut callers = JoinSet::new();
    for request in requests {
        let mut client = world.client().await;
        callers.spawn(async move {
            let answer: JobAnswer = client.call("scan", &request, |_| {}).await.unwrap();
            answer
        });
    }
    callers.join_all().await
}

fn jobs(answers: &[JobAnswer]) -> BTreeSet<&str> {
    answers.iter().map(|answer| answer.job.as_str()).collect()
}

async fn call(client: &mut Client, request: &ScanArguments) -> Result<JobAnswer, ClientError> {
    client.call("scan", request, |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_identical_requests_at_once_are_one_job_and_all_are_answered() {
    let world = world().await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let answers = at_once(&world, vec![request(&target); CALLERS]).await;
    assert_eq!((answers.len(), jobs(&answers).len()), (CALLERS, 1));
    for answer in &answers {
        assert_eq!((answer.state.as_str(), answer.conclusion.as_str()), ("done", "findings"), "{answer:#?}");
    }
    // What has ended is not shared: the next request is a job of its own.
    let mut client = world.client().await;
    let next = call(&mut client, &request(&target)).await.unwrap();
    assert!(!jobs(&answers).contains(next.job.as_str()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_not_shared() {
    let world = world().await;
    let (one, other) =
        (world.target("one", &[("app.py", "x = 1\n")]), world.target("other", &[("app.py", "x = 1\n")]));
    let requests = vec![
        request(&one),
        request(&other),
        ScanArguments { deadline_s: Some(77), ..request(&one) },
        ScanArguments { fresh: true, ..request(&one) },
        ScanArguments { attached: true, ..request(&one) },
    ];
    let count = requests.len();
    assert_eq!(jobs(&at_once(&world, requests).await).len(), count);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_made_after_an_edit_is_answered_for_what_is_there_now() {
    let world = world().await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let mut client = world.client().await;
    let before = call(&mut client, &ScanArguments { wait_s: Some(0), ..request(&target) }).await.unwrap();
    world.until_running(&mut client, &before.job, &fake(NAP)).await;
    let same = call(&mut client, &ScanArguments { wait_s: Some(0), ..request(&target) }).await.unwrap();
    assert_eq!(same.job, before.job, "the content is the same");
    std::fs::write(target.join("app.py"), "x = 2\n").unwrap();
    let answers = at_once(&world, vec![request(&target); 5]).await;
    assert_eq!(jobs(&answers).len(), 1, "equal among themselves");
    assert_ne!(answers[0].job, before.job);
    assert_ne!(answers[0].content_digest, world.end_of(&mut client, &before.job).await.content_digest);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_job_at_once_afterwards_and_after_a_restart() {
    let world = world().await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let answers = at_once(&world, vec![keyed(&target, "k"); 20]).await;
    assert_eq!(jobs(&answers).len(), 1);
    let mut client = world.client().await;
    // Ended, and its target is another: the key still stands for it.
    std::fs::write(target.join("app.py"), "x = 2\n").unwrap();
    assert_eq!(call(&mut client, &keyed(&target, "k")).await.unwrap(), answers[0]);
    let other = ScanArguments { deadline_s: Some(77), ..keyed(&target, "k") };
    let conflict = call(&mut client, &other).await.unwrap_err().to_string();
    assert!(conflict.contains("stands for job") && conflict.contains(&answers[0].job), "{conflict}");
    drop(client);

    let World { folder, daemon, config } = world;
    daemon.drain(std::time::Duration::from_secs(5)).await.unwrap();
    drop(daemon);
    let daemon = start(&config, &folder.path().join("targets")).await;
    let world = World { folder, daemon, config };
    let mut client = world.client().await;
    assert_eq!(call(&mut client, &keyed(&target, "k")).await.unwrap(), answers[0]);
    assert_ne!(call(&mut client, &keyed(&target, "another")).await.unwrap().job, answers[0].job);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_given_to_a_shared_job_stands_for_it() {
    let world = world().await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let answers = at_once(&world, (0..10).map(|n| keyed(&target, &n.to_string())).collect()).await;
    assert_eq!(jobs(&answers).len(), 1, "other names, the same work");
    let mut client = world.client().await;
    for n in 0..10 {
        assert_eq!(call(&mut client, &keyed(&target, &n.to_string())).await.unwrap().job, answers[0].job);
    }
    world.end().await;
}
