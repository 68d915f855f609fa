//! Children administered by request: add, stop, restart, forget.

use proctor::actors::supervise::{ChildError, Refusal, Strategy};

use super::probe::{DYNAMIC, World, children, counts, supervisor};

fn refused(refusal: Refusal) -> Result<(), ChildError> {
    Err(ChildError::Refused(refusal))
}

#[tokio::test(start_paused = true)]
async fn child_adm() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![world.child("child1")]).await;
    let child1 = &"child1".into();
    assert_eq!(
        supervisor.start_child(world.child("child1")).await,
        refused(Refusal::AlreadyStarted("child1".into()))
    );
    assert_eq!(supervisor.delete_child(child1).await, refused(Refusal::AlreadyStarted("child1".into())));
    assert_eq!(supervisor.restart_child(child1).await, refused(Refusal::AlreadyStarted("child1".into())));
    supervisor.terminate_child(child1).await.unwrap();
    supervisor.terminate_child(child1).await.unwrap();
    assert_eq!(children(&supervisor), ["child1: stopped"]);
    assert_eq!(
        supervisor.start_child(world.child("child1")).await,
        refused(Refusal::AlreadyPresent("child1".into()))
    );
    supervisor.restart_child(child1).await.unwrap();
    assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
    supervisor.terminate_child(child1).await.unwrap();
    supervisor.delete_child(child1).await.unwrap();
    for lost in [
        supervisor.restart_child(child1).await,
        supervisor.delete_child(child1).await,
        supervisor.terminate_child(child1).await,
    ] {
        assert_eq!(lost, refused(Refusal::NotFound("child1".into())));
    }
    supervisor.start_child(world.child("child1")).await.unwrap();
    assert_eq!(children(&supervisor), ["child1: running"]);
}

#[tokio::test(start_paused = true)]
async fn child_adm_simple() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.child("child1")).await.unwrap();
    supervisor.start_child(world.child("child2")).await.unwrap();
    assert_eq!(counts(&supervisor), [2, 2, 0, 2]);
    supervisor.terminate_child(&"child1".into()).await.unwrap();
    assert_eq!(children(&supervisor), ["child2: running"], "a dynamic child that was stopped is forgotten");
    let again = supervisor.terminate_child(&"child1".into()).await;
    assert_eq!(again, refused(Refusal::NotFound("child1".into())));
    supervisor.start_child(world.child("child1")).await.unwrap();
    assert_eq!(counts(&supervisor), [2, 2, 0, 2]);
}

/// A temporary child's arguments are gone with it: nothing can start it again.
#[tokio::test(start_paused = true)]
async fn do_not_save_start_parameters_for_temporary_children() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne, DYNAMIC] {
        let world = World::default();
        let supervisor = supervisor(strategy, vec![]).await;
        let arguments = std::sync::Arc::new(());
        for name in ["a", "b", "c"] {
            let (held, inner) = (arguments.clone(), world.clone());
            let child = world.scripted(name, move |_| {
                let _held = (&held, &inner);
                super::probe::Init::Fine
            });
            supervisor
                .start_child(child.restart(proctor::actors::supervise::Restart::Temporary))
                .await
                .unwrap();
        }
        for name in ["a", "b", "c"] {
            supervisor.terminate_child(&name.into()).await.unwrap();
            assert_eq!(supervisor.restart_child(&name.into()).await, refused(Refusal::NotFound(name.into())));
        }
        super::probe::until(|| std::sync::Arc::strong_count(&arguments) == 1).await;
    }
}

/// A temporary child that ends takes its row with it, whoever ended it.
#[tokio::test(start_paused = true)]
async fn do_not_save_child_specs_for_temporary_children() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let world = World::default();
        let supervisor =
            supervisor(strategy, vec![world.temporary("a"), world.child("b"), world.temporary("c")]).await;
        world.crash("a").await;
        super::probe::until(|| children(&supervisor) == ["b: running", "c: running"]).await;
        supervisor.terminate_child(&"c".into()).await.unwrap();
        assert_eq!(children(&supervisor), ["b: running"]);
        supervisor.start_child(world.temporary("c")).await.unwrap();
        assert_eq!(children(&supervisor), ["b: running", "c: running"]);
    }
}
