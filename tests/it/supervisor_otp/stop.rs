//! Group `sup_stop`: how hard a child is stopped.

use std::time::Duration;

use proctor::actors::server::Stop;
use proctor::actors::supervise::{Ended, Shutdown, Strategy};
use tokio::time::Instant;

use super::probe::{DYNAMIC, Say, World, calm, supervisor};

const LONG: Duration = Duration::from_secs(3600);

async fn stop(
    world: &World,
    strategy: Strategy,
    rule: Shutdown,
    busy: Option<Duration>,
) -> (Vec<String>, Duration) {
    let supervisor = supervisor(strategy, vec![]).await;
    supervisor.start_child(world.child("child1")).await.unwrap();
    supervisor.start_child(world.child("child2").shutdown(rule)).await.unwrap();
    if let Some(time) = busy {
        world.probe("child2").try_send(Say::Sleep(time)).unwrap();
        calm().await;
    }
    world.told();
    let began = Instant::now();
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
    let mut told = world.told();
    if strategy == DYNAMIC {
        told.sort();
    }
    (told, began.elapsed())
}

/// Stopped in reverse, each with its `terminate`.
const IN_ORDER: [&str; 4] = ["terminate child2", "down child2", "terminate child1", "down child1"];
/// The second one was killed: no `terminate`, but what it owned was dropped.
const KILLED: [&str; 3] = ["down child2", "terminate child1", "down child1"];
const KILLED_SORTED: [&str; 3] = ["down child1", "down child2", "terminate child1"];

#[tokio::test(start_paused = true)]
async fn sup_stop_infinity() {
    let world = World::default();
    let (told, took) =
        stop(&world, Strategy::OneForOne, Shutdown::Infinity, Some(Duration::from_secs(200))).await;
    assert_eq!(told, IN_ORDER);
    assert!(took >= Duration::from_secs(199), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn sup_stop_timeout() {
    let world = World::default();
    let rule = Shutdown::Stop(Duration::from_secs(1));
    let (told, took) = stop(&world, Strategy::OneForOne, rule, Some(Duration::from_secs(200))).await;
    assert_eq!(told, KILLED);
    assert!((Duration::from_secs(1)..Duration::from_millis(1_100)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn sup_stop_timeout_dynamic() {
    let world = World::default();
    let rule = Shutdown::Stop(Duration::from_secs(1));
    let (told, took) = stop(&world, DYNAMIC, rule, Some(Duration::from_secs(200))).await;
    assert_eq!(told, KILLED_SORTED);
    assert!((Duration::from_secs(1)..Duration::from_millis(1_100)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn sup_stop_brutal_kill() {
    let world = World::default();
    let (told, took) = stop(&world, Strategy::OneForOne, Shutdown::Kill, None).await;
    assert_eq!(told, KILLED);
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn sup_stop_brutal_kill_dynamic() {
    let world = World::default();
    let (told, _) = stop(&world, DYNAMIC, Shutdown::Kill, None).await;
    assert_eq!(told, KILLED_SORTED);
}

/// A child ends by itself while the supervisor stops it: no restart, no failure of the stop.
#[tokio::test(start_paused = true)]
async fn sup_stop_race() {
    for _ in 0..50 {
        let world = World::default();
        let supervisor = supervisor(Strategy::OneForOne, vec![world.child("a"), world.child("b")]).await;
        supervisor.request_stop();
        world.probe("a").try_send(Say::End(Stop::Abnormal("just now".to_owned()))).unwrap();
        world.probe("b").kill();
        assert_eq!(supervisor.wait().await, Ended::Stopped);
        assert_eq!((world.births("a"), world.births("b")), (1, 1));
    }
}

/// A dynamic child that ends abnormally while being stopped.
#[tokio::test(start_paused = true)]
async fn sup_stop_non_shutdown_exit_dynamic() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.child("a").shutdown(Shutdown::Infinity)).await.unwrap();
    let probe = world.probe("a");
    probe.try_send(Say::Sleep(Duration::from_secs(5))).unwrap();
    calm().await;
    supervisor.request_stop();
    probe.kill();
    assert_eq!(supervisor.wait().await, Ended::Stopped);
    assert_eq!(world.births("a"), 1);
}

/// Not OTP's: what waits is finished before a drained child stops, and nothing new enters.
#[tokio::test(start_paused = true)]
async fn sup_stop_drain() {
    let world = World::default();
    let rule = Shutdown::Drain { drain: Duration::from_secs(10), stop: Duration::from_secs(1) };
    let supervisor = supervisor(Strategy::OneForOne, vec![world.child("a").shutdown(rule)]).await;
    let probe = world.probe("a");
    for _ in 0..5 {
        probe.try_send(Say::Sleep(Duration::from_secs(1))).unwrap();
    }
    let began = Instant::now();
    supervisor.request_stop();
    calm().await;
    assert!(probe.is_closed() && probe.try_send(Say::Panic).is_err());
    assert_eq!(supervisor.wait().await, Ended::Stopped);
    assert!((Duration::from_secs(5)..Duration::from_millis(5_100)).contains(&began.elapsed()));
    assert_eq!(world.count("terminate a"), 1);
}

/// Not OTP's: a drain that takes too long becomes a stop, and a stop a kill.
#[tokio::test(start_paused = true)]
async fn sup_stop_drain_to_stop_to_kill() {
    for (handler, terminates) in [(3, 1), (60, 0)] {
        let world = World::default();
        let rule = Shutdown::Drain { drain: Duration::from_secs(10), stop: Duration::from_secs(4) };
        let supervisor = supervisor(Strategy::OneForOne, vec![world.child("a").shutdown(rule)]).await;
        for _ in 0..10 {
            world.probe("a").try_send(Say::Sleep(Duration::from_secs(handler))).unwrap();
        }
        let began = Instant::now();
        assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
        assert_eq!(world.count("terminate a"), terminates);
        let expected = if terminates == 1 { 12 } else { 14 };
        assert_eq!(began.elapsed().as_secs(), expected);
    }
}

/// Not OTP's: a deadline for the whole shutdown.
#[tokio::test(start_paused = true)]
async fn sup_stop_deadline() {
    let world = World::default();
    let supervisor = supervisor(
        Strategy::OneForOne,
        vec![world.child("a"), world.child("b").shutdown(Shutdown::Infinity)],
    )
    .await;
    world.probe("b").try_send(Say::Sleep(LONG)).unwrap();
    let began = Instant::now();
    assert_eq!(supervisor.shutdown(Duration::from_secs(3)).await, Ended::Stopped);
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!((world.count("down a"), world.count("down b")), (1, 1));
}
