//! Group `restart_simple_one_for_one`: what is `Strategy::Dynamic` here.

use std::time::Duration;

use proctor::actors::supervise::{ChildError, ChildSpec, Ended, Refusal, StartError, Supervisor};

use super::probe::{DYNAMIC, Init, Probe, Say, World, calm, children, counts, supervisor, table, until};

#[tokio::test(start_paused = true)]
async fn simple_one_for_one() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.child("a")).await.unwrap();
    supervisor.start_child(world.child("b")).await.unwrap();
    world.told();
    world.crash_and_recover("a").await;
    assert_eq!(world.told(), ["down a", "start a", "up a"]);
    world.crash_and_recover("b").await;
    world.crash("a").await;
    assert!(matches!(supervisor.wait().await, Ended::Melted(_)));
}

/// All at once: a thousand slow children take no longer to stop than one.
#[tokio::test(start_paused = true)]
async fn simple_one_for_one_shutdown() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    for n in 0..1_000 {
        let name = format!("child{n}");
        supervisor.start_child(world.child(&name)).await.unwrap();
        world.probe(&name).try_send(Say::Sleep(Duration::from_millis(900))).unwrap();
    }
    calm().await;
    let began = tokio::time::Instant::now();
    assert_eq!(supervisor.shutdown(Duration::from_secs(60)).await, Ended::Stopped);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let stopped = world.told().iter().filter(|line| line.starts_with("terminate")).count();
    assert_eq!(stopped, 1_000, "each in good order");
}

/// A server that lives once takes arguments that exist once, and its address comes back.
#[tokio::test(start_paused = true)]
async fn simple_one_for_one_extra() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    let arguments = ("once".to_owned(), world.clone(), Init::Fine);
    let probe = supervisor.start_server::<Probe>("once", arguments).await.unwrap();
    assert_eq!(probe.call(Say::Ping, Duration::from_secs(1)).await, Ok(()));
    probe.try_send(Say::Panic).unwrap();
    probe.closed().await;
    until(|| counts(&supervisor) == [0, 0, 0, 0]).await;
    let failing = ("once".to_owned(), world.clone(), Init::Permanent);
    let failed = supervisor.start_server::<Probe>("once", failing).await.map(|_| ());
    assert_eq!(failed, Err(ChildError::NotStarted(StartError::Permanent("no such binary".to_owned()))));
}

#[tokio::test(start_paused = true)]
async fn simple_one_for_one_escalation() {
    let world = World::default();
    let supervisor = Supervisor::start(table(4, DYNAMIC, vec![])).await.unwrap();
    supervisor.start_child(world.child("a")).await.unwrap();
    supervisor.start_child(world.child("b")).await.unwrap();
    for _ in 0..4 {
        world.crash_and_recover("a").await;
    }
    world.told();
    world.crash("a").await;
    assert!(matches!(supervisor.wait().await, Ended::Melted(_)));
    assert_eq!(world.told(), ["down a", "terminate b", "down b"]);
}

/// A child's failed start must not corrupt the table: what follows works as before.
#[tokio::test(start_paused = true)]
async fn simple_one_for_one_corruption() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.child("a")).await.unwrap();
    supervisor.start_child(world.scripted("b", |_| Init::Panic)).await.unwrap_err();
    let taken: ChildSpec = world.child("a");
    let refused = supervisor.start_child(taken).await;
    assert_eq!(refused, Err(ChildError::Refused(Refusal::AlreadyStarted("a".into()))));
    world.crash_and_recover("a").await;
    supervisor.start_child(world.child("b")).await.unwrap();
    assert_eq!(children(&supervisor), ["a: running", "b: running"]);
}
