//! What OTP has no case for: threads that block, faults during restarts, storms, permanent failures, dead supervisors.

use std::time::{Duration, Instant};

use proctor::actors::supervise::{Backoff, ChildSpec, Ended, Shutdown, Strategy, Supervisor, SupervisorSlot};

use super::probe::{DYNAMIC, Init, Say, World, calm, children, supervisor, supervisor_within, table, until};

const LONG: Duration = Duration::from_secs(3600);

/// A sibling blocks its thread for 300 ms when its group is restarted: it is waited for, nobody starts beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sibling_blocked_in_sync_code() {
    let world = World::default();
    let blocked = world.child("blocked").shutdown(Shutdown::Stop(Duration::from_millis(20)));
    let supervisor = supervisor(Strategy::OneForAll, vec![blocked, world.child("crashing")]).await;
    let began = Instant::now();
    world.probe("blocked").try_send(Say::Block(Duration::from_millis(300))).unwrap();
    // A stop that came first would find nothing blocked.
    until(|| world.count("blocked blocked") == 1).await;
    world.told();
    world.crash("crashing").await;
    until(|| world.count("up crashing") == 1).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    let told = world.told();
    let rest = ["start blocked", "up blocked", "start crashing", "up crashing"];
    assert_eq!(told[0], "down crashing");
    assert!(
        told.contains(&"down blocked".to_owned()) && told.ends_with(&rest.map(str::to_owned)),
        "{told:?}"
    );
    assert_eq!(children(&supervisor), ["blocked: running", "crashing: running"]);
}

/// A second child fails while the first one's group is being restarted.
#[tokio::test(start_paused = true)]
async fn double_fault_during_restart() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let world = World::default();
        let slow = |nth| {
            if nth == 2 { Init::Slow(Duration::from_secs(5)) } else { Init::Fine }
        };
        let group = vec![world.child("a"), world.scripted("b", slow), world.child("c")];
        let supervisor = supervisor(strategy, group).await;
        world.crash("b").await;
        until(|| world.births("b") == 2).await;
        // `b` is starting, `c` waits for it: now `a` fails as well.
        world.crash("a").await;
        until(|| children(&supervisor) == ["a: running", "b: running", "c: running"]).await;
        assert_eq!(
            (world.count("up b"), world.births("b")),
            (2, 3),
            "the second start was given up: {strategy:?}"
        );
        assert_eq!(world.births("a"), if strategy == Strategy::OneForAll { 3 } else { 2 });
    }
}

/// A doomed sibling crashes by itself before its turn to be stopped: that is no further failure.
#[tokio::test(start_paused = true)]
async fn crash_of_the_doomed_is_not_counted() {
    let world = World::default();
    let slow_to_stop = world.child("c").shutdown(Shutdown::Stop(Duration::from_secs(10)));
    let supervisor =
        supervisor_within(1, Strategy::OneForAll, vec![world.child("a"), world.child("b"), slow_to_stop])
            .await;
    world.probe("c").try_send(Say::Sleep(Duration::from_secs(5))).unwrap();
    calm().await;
    world.crash("a").await;
    calm().await;
    world.crash("b").await;
    until(|| children(&supervisor) == ["a: running", "b: running", "c: running"]).await;
    assert_eq!((world.births("a"), world.births("b"), world.births("c")), (2, 2, 2));
}

/// A hundred children crash as fast as they come up, without any bound but the request to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_storm_does_not_starve_shutdown() {
    let world = World::default();
    let storm = (0..100).map(|n| world.scripted(&format!("child{n}"), |_| Init::Transient)).collect();
    let supervisor = Supervisor::start(table(u32::MAX, Strategy::OneForOne, storm)).await.unwrap();
    until(|| world.births("child99") > 5).await;
    let began = Instant::now();
    assert_eq!(supervisor.shutdown(Duration::from_secs(20)).await, Ended::Stopped);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// A missing binary is not looked for again and again; the rest serves, and a request brings the child back.
#[tokio::test(start_paused = true)]
async fn permanent_failure_is_not_retried() {
    let world = World::default();
    let missing = world.scripted("tool", |nth| if nth < 3 { Init::Permanent } else { Init::Fine });
    let supervisor = supervisor_within(0, Strategy::RestForOne, vec![missing, world.child("rest")]).await;
    assert_eq!(children(&supervisor), ["tool: unavailable", "rest: running"]);
    assert_eq!(supervisor.which_children()[0].unavailable(), Some("no such binary"));
    tokio::time::sleep(LONG).await;
    assert_eq!(world.births("tool"), 1);
    supervisor.restart_child(&"tool".into()).await.unwrap_err();
    supervisor.restart_child(&"tool".into()).await.unwrap();
    assert_eq!(children(&supervisor), ["tool: running", "rest: running"]);
}

#[tokio::test(start_paused = true)]
async fn permanent_failure_of_an_essential_child_melts() {
    let world = World::default();
    let store = world.scripted("store", |_| Init::Permanent).essential();
    let spec = table(9, Strategy::RestForOne, vec![world.child("first"), store, world.child("rest")]);
    let supervisor = Supervisor::start(spec).await.unwrap();
    let why = "store is essential and cannot start: no such binary".to_owned();
    assert_eq!(supervisor.booted().await, Err(Ended::Melted(why)));
    assert_eq!((world.births("rest"), world.count("terminate first")), (0, 1));
}

/// Delays double, and are forgotten after a steady run.
#[tokio::test(start_paused = true)]
async fn backoff_doubles_and_resets() {
    let world = World::default();
    let backoff = Backoff {
        first: Duration::from_secs(1),
        cap: Duration::from_secs(8),
        steady: Duration::from_secs(600),
    };
    let _supervisor =
        supervisor_within(100, Strategy::OneForOne, vec![world.child("a").backoff(backoff)]).await;
    let mut waited = Vec::new();
    for steady in [false, false, false, false, false, true, false] {
        if steady {
            tokio::time::sleep(Duration::from_secs(601)).await;
        }
        let began = tokio::time::Instant::now();
        world.crash_and_recover("a").await;
        waited.push(began.elapsed().as_secs_f64());
    }
    for (waited, full) in waited.iter().zip([1.0, 2.0, 4.0, 8.0, 8.0, 1.0, 2.0]) {
        assert!((full / 2.0..full + 0.01).contains(waited), "{waited} of {full}");
    }
}

/// A supervisor that is killed takes its children with it: they are linked. Its parent restarts all of it.
#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_leaves_no_orphan() {
    let world = World::default();
    let slot = SupervisorSlot::new();
    let inner = world.child("leaf");
    let sub = ChildSpec::supervisor("sub", &slot, move || table(1, Strategy::OneForOne, vec![inner.clone()]));
    let root = supervisor(Strategy::OneForOne, vec![sub]).await;
    let (leaf, first) = (world.probe("leaf"), slot.get().unwrap());
    first.kill();
    leaf.closed().await;
    assert!(matches!(first.wait().await, Ended::Melted(_)));
    until(|| world.births("leaf") == 2 && world.is_up("leaf")).await;
    calm().await;
    assert_eq!(children(&root), ["sub: running"]);
    assert_eq!(world.count("down leaf"), 1);
}

/// A thread that is stuck for ever is abandoned and named; the shutdown ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_thread_does_not_hang_the_shutdown() {
    let world = World::default();
    let supervisor =
        supervisor(Strategy::OneForOne, vec![world.child("stuck").shutdown(Shutdown::Kill)]).await;
    world.probe("stuck").try_send(Say::Block(Duration::from_secs(10))).unwrap();
    // A kill that came first would find nothing stuck.
    until(|| world.count("blocked stuck") == 1).await;
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
    assert_eq!(world.count("down stuck"), 0, "it is still stuck, and nobody waits for it");
    assert_eq!(
        supervisor.which_children()[0].last_failure.as_deref(),
        Some("did not die after a kill: abandoned")
    );
}

/// Other sessions do not notice: 1,000 children, every fourth one crashes.
#[tokio::test(start_paused = true)]
async fn a_crash_never_spreads() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    for n in 0..1_000 {
        supervisor.start_child(world.temporary(&format!("child{n}"))).await.unwrap();
    }
    for n in (0..1_000).step_by(4) {
        world.probe(&format!("child{n}")).try_send(Say::Panic).unwrap();
    }
    until(|| supervisor.count_children().active == 750).await;
    for n in (0..1_000).filter(|n| n % 4 != 0) {
        assert_eq!(world.probe(&format!("child{n}")).call(Say::Ping, Duration::from_secs(1)).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_dead_supervisor_are_answered() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![]).await;
    supervisor.shutdown(LONG).await;
    assert!(supervisor.start_child(world.child("a")).await.is_err());
    assert_eq!(supervisor.tree().state, "stopped");
    assert_eq!(world.births("a"), 0);
}
