//! A supervisor stays answerable and stoppable while a child keeps failing, or hangs, in its start.

use std::time::Duration;

use proctor::actors::supervise::{Backoff, ChildError, Ended, Refusal, StartError, Strategy, Supervisor};
use tokio::time::Instant;

use super::probe::{DYNAMIC, Init, World, calm, children, supervisor, supervisor_within, table};

const LONG: Duration = Duration::from_secs(3600);

fn slow_to_return(nth: usize) -> Init {
    if nth == 1 { Init::Fine } else { Init::Slow(LONG) }
}

async fn answers_and_stops(world: &World, supervisor: Supervisor, hanging: &str) {
    let began = Instant::now();
    let refused = supervisor.restart_child(&hanging.into()).await;
    assert_eq!(refused, Err(ChildError::Refused(Refusal::InTransition(hanging.into()))));
    assert_eq!(
        supervisor.terminate_child(&"nobody".into()).await,
        Err(ChildError::Refused(Refusal::NotFound("nobody".into())))
    );
    assert!(supervisor.delete_child(&hanging.into()).await.is_err());
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(world.count(&format!("up {hanging}")), 1);
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![world.scripted("child1", slow_to_return)]).await;
    world.crash("child1").await;
    calm().await;
    assert_eq!(children(&supervisor), ["child1: starting"]);
    answers_and_stops(&world, supervisor, "child1").await;
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop_rest_for_one() {
    let world = World::default();
    let group = vec![world.child("child1"), world.scripted("child2", slow_to_return), world.child("child3")];
    let supervisor = supervisor(Strategy::RestForOne, group).await;
    world.crash("child1").await;
    calm().await;
    assert_eq!(children(&supervisor), ["child1: running", "child2: starting", "child3: pending"]);
    answers_and_stops(&world, supervisor, "child2").await;
    assert_eq!(world.count("terminate child1"), 1);
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop_simple() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.scripted("child1", slow_to_return)).await.unwrap();
    world.crash("child1").await;
    calm().await;
    answers_and_stops(&world, supervisor, "child1").await;
}

/// It fails at once, over and over, in a supervisor that would allow it for ever.
#[tokio::test(start_paused = true)]
async fn failing_restart_loop() {
    let world = World::default();
    let failing = world.scripted("child1", |nth| if nth == 1 { Init::Fine } else { Init::Transient });
    let supervisor =
        supervisor_within(u32::MAX, Strategy::OneForOne, vec![failing, world.child("child2")]).await;
    world.crash("child1").await;
    tokio::task::yield_now().await;
    supervisor.terminate_child(&"child1".into()).await.unwrap();
    let births = world.births("child1");
    calm().await;
    assert_eq!((world.births("child1"), children(&supervisor)[0].as_str()), (births, "child1: stopped"));
    assert_eq!(supervisor.shutdown(LONG).await, Ended::Stopped);
}

/// A child that was stopped while its backoff ran is not raised when the timer would have fired.
#[tokio::test(start_paused = true)]
async fn a_late_timer_raises_nobody() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![world.child("a").backoff(Backoff::MANAGER)]).await;
    world.crash("a").await;
    calm().await;
    assert_eq!(children(&supervisor), ["a: restarting"]);
    supervisor.terminate_child(&"a".into()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((world.births("a"), children(&supervisor)), (1, vec!["a: stopped".to_owned()]));
}

/// A start that is asked for and then stopped: both callers are answered.
#[tokio::test(start_paused = true)]
async fn stopped_while_it_starts() {
    let world = World::default();
    let supervisor = Supervisor::start(table(2, Strategy::OneForOne, vec![])).await.unwrap();
    let slow = supervisor.start_child(world.scripted("a", |_| Init::Slow(LONG)));
    let stop = async {
        calm().await;
        supervisor.terminate_child(&"a".into()).await
    };
    let (started, stopped) = tokio::join!(slow, stop);
    let why = "it was stopped while it started".to_owned();
    assert_eq!(started, Err(ChildError::NotStarted(StartError::Transient(why))));
    assert_eq!((stopped, world.count("up a")), (Ok(()), 0));
}
