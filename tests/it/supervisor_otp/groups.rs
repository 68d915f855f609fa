//! Groups `restart_one_for_all` and `restart_rest_for_one`: who goes down with whom.

use proctor::actors::supervise::{Ended, Strategy};

use super::probe::{Init, World, calm, children, supervisor, supervisor_within, until};

fn three(world: &World) -> Vec<proctor::actors::supervise::ChildSpec> {
    vec![world.child("a"), world.child("b"), world.child("c")]
}

#[tokio::test(start_paused = true)]
async fn one_for_all() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForAll, three(&world)).await;
    world.told();
    world.crash_and_recover("b").await;
    until(|| world.count("up c") == 1).await;
    assert_eq!(
        world.told(),
        [
            "down b",
            "terminate c",
            "down c",
            "terminate a",
            "down a",
            "start a",
            "up a",
            "start b",
            "up b",
            "start c",
            "up c"
        ]
    );
    calm().await;
    assert_eq!(children(&supervisor), ["a: running", "b: running", "c: running"]);
}

#[tokio::test(start_paused = true)]
async fn one_for_all_escalation() {
    let world = World::default();
    let supervisor = supervisor_within(1, Strategy::OneForAll, three(&world)).await;
    world.crash_and_recover("a").await;
    until(|| children(&supervisor)[2] == "c: running").await;
    world.told();
    world.crash("b").await;
    assert!(matches!(supervisor.wait().await, Ended::Melted(_)));
    assert_eq!(world.told(), ["down b", "terminate c", "down c", "terminate a", "down a"]);
}

/// While the group is restarted another child fails to start: the group is stopped again, and tried again.
#[tokio::test(start_paused = true)]
async fn one_for_all_other_child_fails_restart() {
    let world = World::default();
    let fails_twice =
        world.scripted("b", |nth| if (2..=3).contains(&nth) { Init::Transient } else { Init::Fine });
    let group = vec![world.child("a"), fails_twice, world.child("c")];
    let supervisor = supervisor_within(3, Strategy::OneForAll, group).await;
    world.told();
    world.crash("a").await;
    until(|| world.count("up c") == 1).await;
    assert_eq!(
        world.told(),
        [
            "down a",
            "terminate c",
            "down c",
            "terminate b",
            "down b", //
            "start a",
            "up a",
            "start b",
            "terminate a",
            "down a", //
            "start a",
            "up a",
            "start b",
            "terminate a",
            "down a", //
            "start a",
            "up a",
            "start b",
            "up b",
            "start c",
            "up c"
        ]
    );
    calm().await;
    assert_eq!(children(&supervisor), ["a: running", "b: running", "c: running"]);
}

#[tokio::test(start_paused = true)]
async fn rest_for_one() {
    let world = World::default();
    let supervisor = supervisor(Strategy::RestForOne, three(&world)).await;
    world.told();
    world.crash_and_recover("b").await;
    until(|| world.count("up c") == 1).await;
    assert_eq!(world.told(), ["down b", "terminate c", "down c", "start b", "up b", "start c", "up c"]);
    world.crash_and_recover("c").await;
    assert_eq!(world.told(), ["down c", "start c", "up c"]);
    calm().await;
    assert_eq!(children(&supervisor), ["a: running", "b: running", "c: running"]);
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_escalation() {
    let world = World::default();
    let supervisor = supervisor_within(1, Strategy::RestForOne, three(&world)).await;
    world.crash_and_recover("b").await;
    until(|| children(&supervisor)[2] == "c: running").await;
    world.told();
    world.crash("b").await;
    assert!(matches!(supervisor.wait().await, Ended::Melted(_)));
    assert_eq!(world.told(), ["down b", "terminate c", "down c", "terminate a", "down a"]);
}

/// While the rest is restarted a later child fails to start: those before it stay up, it is tried again.
#[tokio::test(start_paused = true)]
async fn rest_for_one_other_child_fails_restart() {
    let world = World::default();
    let fails_once = world.scripted("b", |nth| if nth == 2 { Init::Panic } else { Init::Fine });
    let group = vec![world.child("a"), fails_once, world.child("c")];
    let supervisor = supervisor(Strategy::RestForOne, group).await;
    world.told();
    world.crash("a").await;
    until(|| world.count("up c") == 1).await;
    assert_eq!(
        world.told(),
        [
            "down a",
            "terminate c",
            "down c",
            "terminate b",
            "down b", //
            "start a",
            "up a",
            "start b",
            "start b",
            "up b",
            "start c",
            "up c"
        ]
    );
    calm().await;
    assert_eq!(children(&supervisor), ["a: running", "b: running", "c: running"]);
}
