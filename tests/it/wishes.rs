//! The promise: a job lives for as long as somebody wants it. A client that cancels its call, or to whose connection the
//! job was attached, takes his wish back; one that just leaves does not.

use std::path::PathBuf;

use proctor::cli::client::Client as Command;
use proctor::protocol::api::{JobAnswer, JobArguments};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{soon, until};
use crate::whole::{World, fake_manifest};

const TOOL: &str = "fake-hang";

async fn world() -> (World, PathBuf) {
    let world = World::with_manifests(&[fake_manifest("hang", 600)]).await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    (world, target)
}

async fn client(world: &World) -> Client {
    let token = std::fs::read_to_string(world.daemon.token_file()).unwrap();
    Client::at(world.daemon.address(), token.trim()).await.unwrap()
}

fn request(target: &std::path::Path, attached: bool, wait_s: u32) -> Value {
    json!({"path": target, "tools": [TOOL], "attached": attached, "wait_s": wait_s})
}

async fn status(watcher: &mut Command, job: &str, wait_s: u32) -> JobAnswer {
    let arguments = JobArguments { job: job.to_owned(), wait_s: Some(wait_s) };
    watcher.call("job_status", &arguments, |_| {}).await.unwrap()
}

/// Submits without waiting; the job's id, once its tool runs.
async fn running(world: &World, client: &mut Client, watcher: &mut Command, request: Value) -> String {
    let answer = client.call_tool("scan", request).await;
    let job = answer["result"]["structuredContent"]["job"].as_str().expect("a job").to_owned();
    world.until_running(watcher, &job, TOOL).await;
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_job_ends_with_the_connection_and_another_goes_on() {
    let (world, target) = world().await;
    let mut watcher = world.client().await;
    for attached in [true, false] {
        let mut owner = client(&world).await;
        let job = running(&world, &mut owner, &mut watcher, request(&target, attached, 0)).await;
        // Not a goodbye: the socket is gone.
        drop(owner);
        if attached {
            let ended = soon("the end of the job", status(&mut watcher, &job, 40)).await;
            assert_eq!(ended.state, "cancelled");
            until("the end of its processes", || world.tool_processes() == 0).await;
        } else {
            assert_eq!(status(&mut watcher, &job, 1).await.state, "running");
            world.cancel(&mut watcher, &job).await;
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_job_that_is_shared_ends_with_the_last_of_its_connections() {
    let (world, target) = world().await;
    let mut watcher = world.client().await;
    let (mut first, mut second) = (client(&world).await, client(&world).await);
    let job = running(&world, &mut first, &mut watcher, request(&target, true, 0)).await;
    assert_eq!(running(&world, &mut second, &mut watcher, request(&target, true, 0)).await, job);
    drop(first);
    assert_eq!(status(&mut watcher, &job, 1).await.state, "running");
    drop(second);
    assert_eq!(soon("the end of the job", status(&mut watcher, &job, 40)).await.state, "cancelled");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_takes_its_wish_back_and_only_its_own() {
    let (world, target) = world().await;
    let mut watcher = world.client().await;
    let (mut first, mut second) = (client(&world).await, client(&world).await);
    // Both wait for one job.
    let waits = first.ask_tool("scan", request(&target, false, 40)).await;
    let job = running(&world, &mut second, &mut watcher, request(&target, false, 0)).await;
    let cancel = |id: u64| json!({"requestId": id, "reason": "no longer of interest"});
    first.notify("notifications/cancelled", cancel(waits)).await;
    assert_eq!(status(&mut watcher, &job, 1).await.state, "running", "the other caller still wants it");
    world.cancel(&mut watcher, &job).await;
    // Alone, the call was all that wanted it.
    let waits = first.ask_tool("scan", request(&target, false, 40)).await;
    until("a process of the tool", || world.tool_processes() > 0).await;
    first.notify("notifications/cancelled", cancel(waits)).await;
    until("the end of its processes", || world.tool_processes() == 0).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_answered_has_nothing_left_to_take_back() {
    let (world, target) = world().await;
    let mut watcher = world.client().await;
    let mut owner = client(&world).await;
    let job = running(&world, &mut owner, &mut watcher, request(&target, false, 0)).await;
    for id in 0..10 {
        owner.notify("notifications/cancelled", json!({"requestId": id})).await;
    }
    assert!(owner.call("ping", json!({})).await["result"].is_object(), "they have been read");
    assert_eq!(status(&mut watcher, &job, 1).await.state, "running");
    world.cancel(&mut watcher, &job).await;
    world.end().await;
}
