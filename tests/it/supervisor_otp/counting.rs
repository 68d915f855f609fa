//! `tree`, `count_children` and their kin: what a supervisor says of its children.

use std::time::Duration;

use proctor::actors::supervise::{
    Backoff, ChildSpec, Ended, Restart, Strategy, Supervisor, SupervisorSlot, SupervisorSpec,
};
use proctor::domain::tree::TreeNode;

use super::probe::{
    DYNAMIC, Init, Say, World, calm, children, counts, cpu_time, supervisor, supervisor_within, table, until,
};

fn path(node: &TreeNode) -> String {
    let inner: Vec<String> = node.children.iter().map(path).collect();
    if inner.is_empty() { node.id.clone() } else { format!("{}({})", node.id, inner.join(" ")) }
}

/// `base`, then `outer` over `inner` over `leaf`, then `top`: each level allows one restart.
async fn three_levels(world: &World, inner_slot: &SupervisorSlot) -> Supervisor {
    let leaf = world.child("leaf");
    let inner =
        ChildSpec::supervisor("inner", inner_slot, move || table(1, Strategy::OneForOne, vec![leaf.clone()]));
    let outer = ChildSpec::supervisor("outer", &SupervisorSlot::new(), move || {
        table(1, Strategy::OneForAll, vec![inner.clone()])
    });
    let children = vec![world.child("base"), outer, world.child("top")];
    supervisor_within(1, Strategy::RestForOne, children).await
}

/// A tree of supervisors: crashes at each level, escalation from level to level, and its picture at any time.
#[tokio::test(start_paused = true)]
async fn tree() {
    let (world, inner_slot) = (World::default(), SupervisorSlot::new());
    let root = three_levels(&world, &inner_slot).await;
    assert_eq!(path(&root.tree()), "sup_test(base outer(inner(leaf)) top)");
    let first = inner_slot.get().unwrap();
    world.crash_and_recover("leaf").await;
    assert!(inner_slot.get().is_some_and(|inner| inner.tree().children[0].restarts == 1));
    // The second crash melts `inner`; `outer` restarts it whole, and `top` never hears of it.
    world.told();
    world.crash_and_recover("leaf").await;
    assert!(matches!(first.wait().await, Ended::Melted(_)));
    assert_eq!(world.told(), ["down leaf", "start leaf", "up leaf"]);
    until(|| root.tree().children[1].children[0].restarts == 1).await;
    // Two more melt `inner` again, now `outer`, too: `root` restarts it and what depends on it.
    world.crash_and_recover("leaf").await;
    world.told();
    world.crash_and_recover("leaf").await;
    until(|| world.count("up top") == 1).await;
    assert_eq!(
        world.told(),
        ["down leaf", "terminate top", "down top", "start leaf", "up leaf", "start top", "up top"]
    );
    calm().await;
    let tree = root.tree();
    assert_eq!(path(&tree), "sup_test(base outer(inner(leaf)) top)");
    assert_eq!((tree.children[1].restarts, tree.children[1].state.as_str()), (1, "running"));
    assert!(
        tree.children[1].last_failure.as_deref().is_some_and(|why| why.contains("too many restarts: inner"))
    );
    assert_eq!(root.shutdown(Duration::from_secs(60)).await, Ended::Stopped);
    assert_eq!(
        world.told(),
        ["terminate top", "down top", "terminate leaf", "down leaf", "terminate base", "down base"]
    );
}

#[tokio::test(start_paused = true)]
async fn count_children() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    for n in 0..1_000 {
        supervisor.start_child(world.child(&format!("child{n}"))).await.unwrap();
        assert_eq!(counts(&supervisor), [n + 1, n + 1, 0, n + 1]);
    }
    for n in 0..1_000 {
        supervisor.terminate_child(&format!("child{n}").into()).await.unwrap();
        assert_eq!(counts(&supervisor), [999 - n, 999 - n, 0, 999 - n]);
    }
}

#[tokio::test(start_paused = true)]
async fn count_children_supervisor() {
    let sub = |n: usize| {
        ChildSpec::supervisor(format!("sub{n}"), &SupervisorSlot::new(), || {
            SupervisorSpec::new("sub", Strategy::OneForAll)
        })
    };
    let world = World::default();
    let supervisor = supervisor(Strategy::OneForOne, vec![sub(0), world.child("a"), sub(1)]).await;
    assert_eq!(counts(&supervisor), [3, 3, 2, 1]);
    supervisor.terminate_child(&"sub0".into()).await.unwrap();
    assert_eq!(counts(&supervisor), [3, 2, 2, 1]);
    supervisor.delete_child(&"sub0".into()).await.unwrap();
    assert_eq!(counts(&supervisor), [2, 2, 1, 1]);
}

/// A child between two lives is known but not active.
#[tokio::test(start_paused = true)]
async fn count_restarting_children() {
    let world = World::default();
    let backoff =
        Backoff { first: Duration::from_secs(10), cap: Duration::from_secs(10), steady: Duration::ZERO };
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    supervisor.start_child(world.child("a").backoff(backoff)).await.unwrap();
    supervisor.start_child(world.child("b")).await.unwrap();
    world.crash("a").await;
    calm().await;
    assert_eq!((counts(&supervisor), children(&supervisor)[0].as_str()), ([2, 1, 0, 2], "a: restarting"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((counts(&supervisor), children(&supervisor)[0].as_str()), ([2, 2, 0, 2], "a: running"));
}

/// Ten thousand temporary children come and go; nothing is kept of them.
#[tokio::test(start_paused = true)]
async fn simple_one_for_one_scale_many_temporary_children() {
    let world = World::default();
    let supervisor = supervisor(DYNAMIC, vec![]).await;
    let before = cpu_time();
    for n in 0..10_000 {
        supervisor.start_child(world.temporary(&format!("child{n}"))).await.unwrap();
    }
    assert_eq!(counts(&supervisor), [10_000, 10_000, 0, 10_000]);
    for n in 0..10_000 {
        world.probe(&format!("child{n}")).try_send(Say::End(proctor::actors::server::Stop::Normal)).unwrap();
    }
    until(|| counts(&supervisor) == [0, 0, 0, 0]).await;
    // OTP compares 1,000 with 10,000; a quadratic table would take minutes here.
    let took = cpu_time() - before;
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// Not OTP's: the tree names what is busy, refused and unavailable, without asking anybody.
#[tokio::test(start_paused = true)]
async fn tree_shows_the_living() {
    let world = World::default();
    let down = world.scripted("down", |_| Init::Permanent).restart(Restart::Permanent);
    let supervisor = supervisor(Strategy::OneForOne, vec![world.child("busy"), down]).await;
    let probe = world.probe("busy");
    for _ in 0..20 {
        drop(probe.try_send(Say::Sleep(Duration::from_secs(100))));
    }
    tokio::time::sleep(Duration::from_secs(7)).await;
    let tree = supervisor.tree();
    let actor = tree.children[0].actor.as_ref().unwrap();
    assert_eq!((actor.mailbox.depth, actor.mailbox.limit, actor.mailbox.refused), (16, 16, 4));
    assert_eq!((actor.name.as_str(), actor.handling_ms), ("probe", Some(7_000)));
    assert_eq!(
        (tree.children[1].state.as_str(), tree.children[1].last_failure.as_deref()),
        ("unavailable", Some("no such binary"))
    );
    assert_eq!(tree.walk().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["sup_test", "busy", "down"]);
    let read: TreeNode = serde_json::from_str(&serde_json::to_string(&tree).unwrap()).unwrap();
    assert_eq!(read, tree);
}
