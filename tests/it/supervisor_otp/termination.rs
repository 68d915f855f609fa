//! Groups `normal_termination`, `shutdown_termination`, `abnormal_termination`: which end is followed by a restart.

use proctor::actors::server::Stop;
use proctor::actors::supervise::{Restart, Strategy};

use super::probe::{Say, World, calm, children, counts, supervisor};

/// Ends the child once and says how often it was born and what is left of it.
async fn after(restart: Restart, last_word: Say) -> (usize, Vec<String>) {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![world.child("child1").restart(restart)]).await;
    world.end("child1", last_word).await;
    calm().await;
    (world.births("child1"), children(&supervisor))
}

fn restarted() -> (usize, Vec<String>) {
    (2, vec!["child1: running".to_owned()])
}

fn done() -> (usize, Vec<String>) {
    (1, vec!["child1: done".to_owned()])
}

fn forgotten() -> (usize, Vec<String>) {
    (1, vec![])
}

fn abnormal() -> Say {
    Say::End(Stop::Abnormal("abnormal".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn permanent_normal() {
    assert_eq!(after(Restart::Permanent, Say::End(Stop::Normal)).await, restarted());
}

#[tokio::test(start_paused = true)]
async fn transient_normal() {
    assert_eq!(after(Restart::Transient, Say::End(Stop::Normal)).await, done());
}

#[tokio::test(start_paused = true)]
async fn temporary_normal() {
    assert_eq!(after(Restart::Temporary, Say::End(Stop::Normal)).await, forgotten());
}

#[tokio::test(start_paused = true)]
async fn permanent_shutdown() {
    assert_eq!(after(Restart::Permanent, Say::End(Stop::Shutdown)).await, restarted());
}

#[tokio::test(start_paused = true)]
async fn transient_shutdown() {
    assert_eq!(after(Restart::Transient, Say::End(Stop::Shutdown)).await, done());
}

#[tokio::test(start_paused = true)]
async fn temporary_shutdown() {
    assert_eq!(after(Restart::Temporary, Say::End(Stop::Shutdown)).await, forgotten());
}

#[tokio::test(start_paused = true)]
async fn permanent_abnormal() {
    assert_eq!(after(Restart::Permanent, abnormal()).await, restarted());
    assert_eq!(after(Restart::Permanent, Say::Panic).await, restarted());
}

#[tokio::test(start_paused = true)]
async fn transient_abnormal() {
    assert_eq!(after(Restart::Transient, abnormal()).await, restarted());
    assert_eq!(after(Restart::Transient, Say::Panic).await, restarted());
}

#[tokio::test(start_paused = true)]
async fn temporary_abnormal() {
    assert_eq!(after(Restart::Temporary, abnormal()).await, forgotten());
    assert_eq!(after(Restart::Temporary, Say::Panic).await, forgotten());
}

/// Not OTP's in name: who was killed from outside ended abnormally, whether it was busy or idle.
#[tokio::test(start_paused = true)]
async fn transient_killed() {
    for busy in [false, true] {
        let world = World::default();
        let supervisor = supervisor(Strategy::OneForOne, vec![world.transient("child1")]).await;
        let probe = world.probe("child1");
        if busy {
            probe.try_send(Say::Sleep(std::time::Duration::from_secs(9))).unwrap();
            calm().await;
        }
        probe.kill();
        probe.closed().await;
        calm().await;
        assert_eq!(children(&supervisor), ["child1: running"]);
        let told = world.told();
        assert_eq!(told, ["start child1", "up child1", "down child1", "start child1", "up child1"]);
    }
}

/// A transient child whose application is faulty: it fails at every start, and takes its supervisor with it.
#[tokio::test(start_paused = true)]
async fn faulty_application_shutdown() {
    use super::probe::{Init, table};
    use proctor::actors::supervise::{Ended, Supervisor};
    let world = World::default();
    let faulty = world.scripted("faulty", |_| Init::Panic).restart(Restart::Transient);
    let sound = world.child("sound");
    let supervisor = Supervisor::start(table(3, Strategy::OneForAll, vec![sound, faulty])).await.unwrap();
    let ended = supervisor.booted().await;
    assert!(
        matches!(&ended, Err(Ended::Melted(why)) if why.contains("panicked: init of faulty")),
        "{ended:?}"
    );
    assert_eq!((world.births("faulty"), world.count("terminate sound")), (4, 4));
}

/// A temporary child is not brought back when a sibling's crash takes it down.
#[tokio::test(start_paused = true)]
async fn temporary_bystander() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let world = World::default();
        let supervisor = supervisor(strategy, vec![world.child("child1"), world.temporary("child2")]).await;
        world.crash_and_recover("child1").await;
        assert_eq!(children(&supervisor), ["child1: running"], "{strategy:?}");
        assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
        assert_eq!((world.births("child2"), world.count("terminate child2")), (1, 1));
    }
}
