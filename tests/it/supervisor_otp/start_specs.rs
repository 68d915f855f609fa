//! Group `sup_start_map` and the specs: defaults, and what a faulty one does.

use std::time::Duration;

use proctor::actors::supervise::{
    ChildError, ChildSpec, Ended, Intensity, Refusal, Restart, Shutdown, Strategy, Supervisor,
    SupervisorSlot, SupervisorSpec,
};
use proctor::domain::supervision::{Kind, Rules};

use super::probe::{DYNAMIC, Init, Probe, World, children, counts, supervisor};

fn worker(world: &World, name: &'static str) -> ChildSpec {
    let world = world.clone();
    ChildSpec::server::<Probe>(name, move || (name.to_owned(), world.clone(), Init::Fine))
}

#[tokio::test(start_paused = true)]
async fn sup_start_map() {
    let world = World::default();
    let child1 = worker(&world, "child1");
    let child2 = worker(&world, "child2").shutdown(Shutdown::Kill);
    let child3 = ChildSpec::supervisor("child3", &SupervisorSlot::new(), || {
        SupervisorSpec::new("child3", Strategy::OneForOne)
    });
    let worker = Rules {
        restart: Restart::Permanent,
        shutdown: Shutdown::Stop(Duration::from_secs(5)),
        ..Rules::WORKER
    };
    assert_eq!(child1.rules(), worker);
    assert_eq!(child2.rules(), Rules { shutdown: Shutdown::Kill, ..worker });
    assert_eq!(child3.rules(), Rules { shutdown: Shutdown::Infinity, kind: Kind::Supervisor, ..worker });
    let supervisor = supervisor(Strategy::OneForOne, vec![child1, child2, child3]).await;
    assert_eq!(counts(&supervisor), [3, 3, 1, 2]);
    assert_eq!(supervisor.shutdown(Duration::from_secs(60)).await, Ended::Stopped);
}

#[tokio::test(start_paused = true)]
async fn sup_start_map_simple() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    for name in ["child1", "child2", "child3"] {
        supervisor.start_child(worker(&world, name)).await.unwrap();
    }
    assert_eq!(children(&supervisor), ["child1: running", "child2: running", "child3: running"]);
    let over = SupervisorSpec::new("capped", Strategy::Dynamic { cap: 1 });
    let capped = Supervisor::start(over).await.unwrap();
    capped.start_child(worker(&world, "child1")).await.unwrap();
    let refused = capped.start_child(worker(&world, "child2")).await;
    assert_eq!(refused, Err(ChildError::Refused(Refusal::AtCap { cap: 1 })));
    assert_eq!(world.births("child2"), 0);
}

/// What a faulty map is to OTP the compiler refuses here; what is left is a name that is taken.
#[tokio::test(start_paused = true)]
async fn sup_start_map_faulty_specs() {
    let world = World::default();
    let twins =
        SupervisorSpec::new("sup", Strategy::RestForOne).child(world.child("a")).child(world.child("a"));
    assert!(Supervisor::start(twins).await.is_err());
    let supervisor = supervisor(Strategy::RestForOne, vec![world.child("a")]).await;
    let refused = supervisor.start_child(world.child("a")).await;
    assert_eq!(refused, Err(ChildError::Refused(Refusal::AlreadyStarted("a".into()))));
}

#[tokio::test(start_paused = true)]
async fn child_specs() {
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![]).await;
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for shutdown in [
            Shutdown::Kill,
            Shutdown::Stop(Duration::ZERO),
            Shutdown::Drain { drain: Duration::ZERO, stop: Duration::ZERO },
            Shutdown::Infinity,
        ] {
            supervisor.start_child(world.child("child").restart(restart).shutdown(shutdown)).await.unwrap();
            assert_eq!(counts(&supervisor), [1, 1, 0, 1], "{restart:?} {shutdown:?}");
            supervisor.terminate_child(&"child".into()).await.unwrap();
            if restart != Restart::Temporary {
                supervisor.delete_child(&"child".into()).await.unwrap();
            }
            assert_eq!(counts(&supervisor), [0, 0, 0, 0], "{restart:?} {shutdown:?}");
        }
    }
}

/// The kinds a child may be, and what the tree makes of them.
#[tokio::test(start_paused = true)]
async fn child_specs_map() {
    let world = World::default();
    let inner = world.child("leaf");
    let sub = ChildSpec::supervisor("sub", &SupervisorSlot::new(), move || {
        SupervisorSpec::new("sub", Strategy::OneForAll).child(inner.clone())
    });
    let supervisor = supervisor(Strategy::OneForOne, vec![worker(&world, "worker"), sub]).await;
    let kinds: Vec<Kind> = supervisor.which_children().iter().map(|child| child.kind).collect();
    assert_eq!(kinds, [Kind::Worker, Kind::Supervisor]);
}

/// Intensity and period: the default, and that both are kept.
#[tokio::test(start_paused = true)]
async fn sup_flags() {
    assert_eq!(Intensity::default(), Intensity { restarts: 5, period: Duration::from_secs(30) });
    let world = World::default();
    let spec = SupervisorSpec::new("sup", Strategy::OneForOne)
        .intensity(Intensity { restarts: 1, period: Duration::from_secs(10) })
        .child(world.child("a"));
    let supervisor = Supervisor::start(spec).await.unwrap();
    supervisor.booted().await.unwrap();
    for _ in 0..5 {
        world.crash_and_recover("a").await;
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    world.crash_and_recover("a").await;
    world.crash("a").await;
    assert!(matches!(supervisor.wait().await, Ended::Melted(_)));
}
