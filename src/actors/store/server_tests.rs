use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::super::writer::Done;
use super::*;
use crate::actors::server::{Spawned, spawn};
use crate::actors::store::Store;
use crate::domain::ids::{JobId, Principal};
use crate::domain::job::{JobRequest, JobView};
use crate::domain::rescue::Tries;
use crate::store::open;
use crate::store::record::{LetIn, Submission};

const TRIES: Tries = Tries { attempts_max: 3, deaths_max: 2 };
/// Longest wait for what takes milliseconds.
const SOON: Duration = Duration::from_secs(5);

async fn start(directory: &Path) -> Spawned<StoreMessage> {
    let arguments = StoreArguments::new(directory.to_owned(), BootId::from_random([1; 16]));
    spawn::<StoreServer>(arguments).await.unwrap()
}

fn is_free(directory: &Path) -> bool {
    Lock::acquire(&directory.join(WRITER_LOCK)).is_ok()
}

#[tokio::test]
async fn the_threads_end_with_the_actor_when_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let actor = start(directory.path()).await;
    assert!(!is_free(directory.path()));
    actor.address.stop();
    actor.ended().await;
    assert!(is_free(directory.path()), "the writer's thread outlived an orderly stop");
}

#[tokio::test]
async fn the_next_life_of_a_killed_actor_starts_when_the_thread_has_let_go() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let actor = start(directory.path()).await;
        let store = Store::bound_to(actor.address.clone());
        store.recover(TRIES).await.unwrap();
        actor.address.kill();
        actor.ended().await;
        assert!(store.recover(TRIES).await.is_err(), "a dead store answered");
    }
}

#[tokio::test]
async fn a_read_that_takes_long_holds_no_write_up() {
    let directory = tempfile::tempdir().unwrap();
    let actor = start(directory.path()).await;
    let store = Store::bound_to(actor.address.clone());
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let slow: Query = Box::new(move |connection| {
        let connection = connection.unwrap();
        connection.execute_batch("BEGIN; SELECT * FROM jobs").unwrap();
        begun.send(()).unwrap();
        held.recv().unwrap_err();
        connection.execute_batch("COMMIT").unwrap();
    });
    actor.address.try_send(StoreMessage::Read(slow)).unwrap();
    begins.await.unwrap();
    tokio::time::timeout(SOON, store.recover(TRIES)).await.expect("the write waited for the read").unwrap();
    drop(release);
    let principal = Principal("p".into());
    tokio::time::timeout(SOON, store.jobs(principal, None, 1)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let actor = start(directory.path()).await;
    let store = Store::bound_to(actor.address.clone());
    let (release, held) = mpsc::channel::<()>();
    let slow: Query = Box::new(move |_| {
        held.recv().unwrap_err();
    });
    actor.address.try_send(StoreMessage::Read(slow)).unwrap();
    let mut refused = 0;
    let (told, tells) = mpsc::channel();
    for _ in 0..READS_WAITING_MAX + 2 {
        let told = told.clone();
        let query: Query = Box::new(move |connection| told.send(connection.is_err()).unwrap());
        actor.address.send(StoreMessage::Read(query)).await.unwrap();
    }
    // A write behind them all: the mailbox is worked off when it is answered.
    store.recover(TRIES).await.unwrap();
    while let Ok(busy) = tells.try_recv() {
        assert!(busy, "a query overtook the one before it");
        refused += 1;
    }
    // One more if the thread had not yet taken the first query out.
    assert!((2..=3).contains(&refused), "{refused} refused");
    drop(release);
    for _ in refused..READS_WAITING_MAX + 2 {
        assert!(!tells.recv().unwrap(), "a query that was taken was not answered");
    }
    store.jobs(Principal("p".into()), None, 1).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_ended_takes_the_actor_down_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let actor = start(directory.path()).await;
    let store = Store::bound_to(actor.address.clone());
    let panics: Order = Box::new(|_| panic!("a defect in a query"));
    actor.address.try_send(StoreMessage::Write(panics)).unwrap();
    // Unknown while the thread dies, then refused by the closed mailbox: never acknowledged.
    let gone = async {
        while !actor.address.is_closed() {
            assert!(store.recover(TRIES).await.is_err());
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("the actor lives on without its writer");
    let next = start(directory.path()).await;
    Store::bound_to(next.address.clone()).recover(TRIES).await.unwrap();
}

/// A constraint that is checked at COMMIT only, and broken.
fn unkept_promise() -> Order {
    Box::new(|connection| {
        let broken = "PRAGMA defer_foreign_keys = ON;
                      INSERT INTO events (job, sequence, at, event) VALUES (99, 1, '', '')";
        connection.unwrap().execute_batch(broken).unwrap();
        Done { kept: true, fault: None, answer: Box::new(drop) }
    })
}

#[tokio::test]
async fn after_a_commit_that_failed_the_database_is_opened_anew_and_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let actor = start(directory.path()).await;
    let store = Store::bound_to(actor.address.clone());
    // Holds the writer, with a group of its own, until both wait: they are then one group.
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let hold: Order = Box::new(move |_| {
        begun.send(()).unwrap();
        held.recv().unwrap_err();
        Done { kept: true, fault: None, answer: Box::new(drop) }
    });
    actor.address.try_send(StoreMessage::Write(hold)).unwrap();
    begins.await.unwrap();
    actor.address.try_send(StoreMessage::Write(unkept_promise())).unwrap();
    let job = JobView::queued(
        JobId::from_random([2; 16]),
        Principal("p".into()),
        JobRequest { target: "/t".into(), tools: vec![], deadline_s: 1, attached: false },
        "2026-01-01T00:00:00Z".into(),
    );
    let (recover, submit) = (store.recover(TRIES), store.submit(Submission::alone(job.clone())));
    let release = async {
        while actor.address.depth() > 0 {
            tokio::task::yield_now().await;
        }
        drop(release);
    };
    let (told, submitted, ()) = tokio::join!(recover, submit, release);
    assert!(matches!(told, Err(StoreError::Unknown { .. })), "{told:?}");
    // The same group; but to write a submission twice is to write it once, so it was tried again.
    assert_eq!(submitted.unwrap(), LetIn::New);
    assert_eq!(store.job(Principal("p".into()), job.id).await.unwrap(), Some(job));
}

#[tokio::test]
async fn a_damaged_file_is_named_and_kept_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATABASE);
    drop(open::writer(&path).unwrap());
    let healthy = std::fs::read(&path).unwrap();
    let mut torn = healthy.clone();
    for byte in torn.iter_mut().skip(4096).take(8192) {
        *byte ^= 0x5a;
    }
    let damages = [b"not a database at all, but long enough".repeat(300), torn];
    for damaged in damages {
        std::fs::write(&path, &damaged).unwrap();
        let arguments = StoreArguments::new(directory.path().to_owned(), BootId::from_random([1; 16]));
        let Err(StartError::Permanent(why)) = spawn::<StoreServer>(arguments).await else {
            panic!("started, or would try again");
        };
        assert!(why.contains("damaged") && why.contains(DATABASE), "{why}");
        assert!(std::fs::read(&path).unwrap() == damaged, "the damaged file was changed");
    }
}
