//! Group `restart_one_for_one`.

use std::time::Duration;

use proctor::actors::supervise::{Ended, Intensity, Strategy, Supervisor, SupervisorSpec};

use super::probe::{World, children, supervisor, supervisor_within};

#[tokio::test(start_paused = true)]
async fn multiple_restarts() {
    let world = World::default();
    let spec = SupervisorSpec::new("sup", Strategy::OneForOne)
        .intensity(Intensity { restarts: 1, period: Duration::from_secs(1) })
        .child(world.child("child1"));
    let supervisor = Supervisor::start(spec).await.unwrap();
    supervisor.booted().await.unwrap();
    for _ in 0..5 {
        world.crash_and_recover("child1").await;
        tokio::time::sleep(Duration::from_millis(1_001)).await;
    }
    assert_eq!(world.births("child1"), 6);
    assert_eq!(supervisor.which_children()[0].restarts, 5);
}

#[tokio::test(start_paused = true)]
async fn one_for_one() {
    let world = World::default();
    let supervisor =
        supervisor(Strategy::OneForOne, vec![world.child("child1"), world.child("child2")]).await;
    world.told();
    world.crash_and_recover("child1").await;
    assert_eq!(world.told(), ["down child1", "start child1", "up child1"]);
    assert_eq!(children(&supervisor), ["child1: running", "child2: running"]);
    world.crash_and_recover("child2").await;
    world.crash("child1").await;
    assert!(matches!(supervisor.wait().await, Ended::Melted(_)), "the third restart is one too many");
}

#[tokio::test(start_paused = true)]
async fn one_for_one_escalation() {
    let world = World::default();
    let supervisor =
        supervisor_within(4, Strategy::OneForOne, vec![world.child("a"), world.child("b")]).await;
    for _ in 0..4 {
        world.crash_and_recover("a").await;
    }
    world.told();
    world.crash("a").await;
    let ended = supervisor.wait().await;
    assert_eq!(ended, Ended::Melted("too many restarts: a failed last: panicked: a was told to".to_owned()));
    assert_eq!(world.told(), ["down a", "terminate b", "down b"], "the others are stopped in good order");
}
