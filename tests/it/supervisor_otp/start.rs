//! Group `sup_start`: what a start may end in.

use std::time::Duration;

use proctor::actors::supervise::{
    ChildError, ChildSpec, Ended, Restart, StartError, Strategy, Supervisor, SupervisorSlot,
};

use super::probe::{DYNAMIC, Init, World, children, counts, supervisor, table};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn sup_start_normal() {
    let supervisor = supervisor(Strategy::OneForOne, vec![]).await;
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
}

/// Our supervisors have no init of their own to ignore with; a supervisor's place may be taken by a child that does.
#[tokio::test(start_paused = true)]
async fn sup_start_ignore_init() {
    let world = World::default();
    let supervisor =
        supervisor(Strategy::RestForOne, vec![world.scripted("a", |_| Init::Ignore), world.child("b")]).await;
    assert_eq!(children(&supervisor), ["a: ignored", "b: running"]);
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_child() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![]).await;
    supervisor.start_child(world.scripted("child1", |_| Init::Ignore)).await.unwrap();
    supervisor.start_child(world.child("child2")).await.unwrap();
    assert_eq!(children(&supervisor), ["child1: ignored", "child2: running"]);
    assert_eq!(counts(&supervisor), [2, 1, 0, 2]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_temporary_child() {
    let world = World::default();
    let ignoring = world.scripted("child1", |_| Init::Ignore).restart(Restart::Temporary);
    let supervisor = supervisor(Strategy::OneForOne, vec![ignoring, world.temporary("child2")]).await;
    assert_eq!(children(&supervisor), ["child2: running"]);
    assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_temporary_child_start_child() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![]).await;
    let ignoring = world.scripted("child1", |_| Init::Ignore).restart(Restart::Temporary);
    supervisor.start_child(ignoring).await.unwrap();
    supervisor.start_child(world.temporary("child2")).await.unwrap();
    assert_eq!(children(&supervisor), ["child2: running"]);
    assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_temporary_child_start_child_simple() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    let ignoring = world.scripted("child1", |_| Init::Ignore).restart(Restart::Temporary);
    supervisor.start_child(ignoring).await.unwrap();
    supervisor.start_child(world.temporary("child2")).await.unwrap();
    assert_eq!(children(&supervisor), ["child2: running"]);
    assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_permanent_child_start_child_simple() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.scripted("child1", |_| Init::Ignore)).await.unwrap();
    supervisor.start_child(world.child("child2")).await.unwrap();
    assert_eq!(children(&supervisor), ["child2: running"]);
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
}

/// A table that cannot be: two children of one name.
#[tokio::test(start_paused = true)]
async fn sup_start_error_return() {
    let world = World::default();
    let twins = table(2, Strategy::OneForOne, vec![world.child("a"), world.child("a")]);
    let refused = Supervisor::start(twins).await.map(|_| ());
    assert_eq!(refused, Err(StartError::Permanent("two children are named a".to_owned())));
    assert_eq!(world.told(), Vec::<String>::new());
}

/// A supervisor whose table cannot even be made is a child that fails to start.
#[tokio::test(start_paused = true)]
async fn sup_start_fail() {
    let root = supervisor(Strategy::OneForOne, vec![]).await;
    let broken = ChildSpec::supervisor("sub", &SupervisorSlot::new(), || panic!("badmatch 2"));
    let failed = root.start_child(broken).await;
    assert!(matches!(failed, Err(ChildError::NotStarted(StartError::Transient(_)))), "{failed:?}");
    assert_eq!(children(&root), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn sup_start_child_returns_error() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![]).await;
    for (init, expected) in [
        (Init::Transient, StartError::Transient("port is taken".to_owned())),
        (Init::Permanent, StartError::Permanent("no such binary".to_owned())),
        (Init::Panic, StartError::Transient("panicked: init of child1".to_owned())),
    ] {
        let failed = supervisor.start_child(world.scripted("child1", move |_| init)).await;
        assert_eq!(failed, Err(ChildError::NotStarted(expected)));
    }
    assert_eq!(children(&supervisor), Vec::<String>::new());
    assert_eq!(world.births("child1"), 3, "a start that was asked for is not retried");
}

#[tokio::test(start_paused = true)]
async fn sup_start_restart_child_returns_error() {
    let world = World::default();
    let fails_later = world.scripted("child1", |nth| if nth == 1 { Init::Fine } else { Init::Transient });
    let supervisor = supervisor(Strategy::OneForOne, vec![fails_later]).await;
    supervisor.terminate_child(&"child1".into()).await.unwrap();
    let failed = supervisor.restart_child(&"child1".into()).await;
    assert_eq!(failed, Err(ChildError::NotStarted(StartError::Transient("port is taken".to_owned()))));
    assert_eq!(children(&supervisor), ["child1: unavailable"]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_child_returns_error_simple() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    for _ in 0..2 {
        let failed = supervisor.start_child(world.scripted("child1", |_| Init::Transient)).await;
        assert_eq!(failed, Err(ChildError::NotStarted(StartError::Transient("port is taken".to_owned()))));
    }
    assert_eq!(children(&supervisor), Vec::<String>::new());
}
