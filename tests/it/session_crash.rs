//! A crash stays where it is: in its call, in its session.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::until;
use crate::support::world::World;

/// Sessions, and how many of them panic (issue 3, "what must be shown", 3).
const SESSIONS: usize = 200;
const PANICKING: usize = 50;

#[tokio::test]
async fn a_panic_in_a_call_is_an_error_of_that_call_only() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let other = client.ask_tool("fault", json!({"kind": "sleep", "ms": 100})).await;
    let broken = client.call_tool("fault", json!({"kind": "panic_call"})).await;
    assert_eq!(broken["error"]["code"], -32603, "{broken}");
    assert!(!broken.to_string().contains("asked to panic"), "the cause is ours to read: {broken}");
    assert_eq!(client.answer(other).await["result"]["isError"], false);
    for _ in 0..20 {
        client.call_tool("fault", json!({"kind": "panic_call"})).await;
    }
    assert_eq!(client.call_tool("tools", json!({})).await["result"]["isError"], false, "no place is lost");
}

#[tokio::test]
async fn a_session_that_panics_closes_its_socket_with_1011() {
    let world = World::boot().await;
    let mut client = world.client().await;
    client.ask_tool("fault", json!({"kind": "panic_session"})).await;
    assert_eq!(client.close_code().await, Some(1011));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_of_two_hundred_sessions_panic_and_the_others_see_nothing() {
    let world = World::boot().await;
    let clients = join_all((0..SESSIONS).map(|_| world.client())).await;
    let (doomed, healthy): (Vec<_>, Vec<_>) =
        clients.into_iter().enumerate().partition(|(number, _)| number % (SESSIONS / PANICKING) == 0);
    assert_eq!((doomed.len(), healthy.len()), (PANICKING, SESSIONS - PANICKING));
    let dying = join_all(doomed.into_iter().map(|(_, mut client)| async move {
        client.ask_tool("fault", json!({"kind": "panic_session", "ms": 50})).await;
        client.close_code().await
    }));
    let living = join_all(healthy.into_iter().map(|(number, client)| work(number, client)));
    let (codes, survivors) = tokio::join!(dying, living);
    assert!(codes.iter().all(|code| *code == Some(1011)), "{codes:?}");
    assert_eq!(survivors.len(), SESSIONS - PANICKING);
    join_all(survivors.into_iter().map(Client::close)).await;
    until("all sessions are gone from the tree", || sessions(&world) == 0).await;
    assert_eq!(restarts(&world), 0, "nothing above a session noticed");
}

/// Calls before, during and after the others' crash; every answer must be right.
async fn work(number: usize, mut client: Client) -> Client {
    for round in 0..10 {
        let answer = client.call_tool("fault", json!({"kind": "sleep", "ms": 20, "bytes": number})).await;
        let filler = answer["result"]["structuredContent"]["filler"].as_str();
        assert_eq!(filler.map(str::len), Some(number), "session {number}, round {round}: {answer}");
        assert_eq!(client.call("ping", Value::Null).await["result"], json!({}));
    }
    client
}

fn sessions(world: &World) -> usize {
    world.root.tree().walk().filter(|node| node.id.starts_with("session-")).count()
}

fn restarts(world: &World) -> u32 {
    world.root.tree().walk().map(|node| node.restarts).sum()
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_calls_with_it() {
    let world = World::with_limits(|limits| limits.in_flight_per_principal = 1).await;
    let mut gone = world.client().await;
    gone.ask_tool("fault", json!({"kind": "sleep", "ms": 600_000})).await;
    gone.call("ping", json!({})).await;
    drop(gone);
    let mut client = world.client().await;
    crate::support::soon("the place of the call that was left", async {
        while client.call_tool("tools", json!({})).await.get("error").is_some() {}
    })
    .await;
}
