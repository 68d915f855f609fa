//! The promise: containers run within their walls, and whatever happens to whoever started them, nothing of them is left.

use std::time::Duration;

use proctor::actors::docker::EngineError;
use proctor::actors::docker::image::Pull;
use proctor::domain::container::state::Exit;
use proctor::domain::container::{
    Attachment, Capability, ContainerState, Demand, FileIn, Health, Mount, NetworkSpec, Owner, Purpose,
    Reach, Refusal, labels,
};
use proctor::domain::ids::{JobId, RunId};

use super::docker_world::{
    World, docker, fixture, inspected, labels_of, reborn, seen, shell, soon, stranger, until,
};

fn network() -> NetworkSpec {
    NetworkSpec { word: "net".into(), owner: Owner::default(), reach: Reach::Internal }
}

fn exited(code: i64) -> ContainerState {
    ContainerState::Exited(Exit { code, oom_killed: false })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_runs_within_its_walls_and_says_whose_it_is() {
    let world = World::boot().await;
    let engine = world.engine().await;
    assert!(!engine.info().version.is_empty() && engine.info().api.contains('.'), "{:?}", engine.info());
    let network = engine.network(&network()).await.unwrap();
    let mut spec = shell(
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; cat /etc/in /mnt/in; touch /root/x || echo read-only; \
         getent hosts proctor.invalid || echo unresolved; cat /proc/net/route | wc -l; sleep 1000",
    );
    spec.owner = Owner { job: Some(JobId::from_random([7; 16])), run: Some(RunId::from_random([8; 16])) };
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: vec!["me".into()] });
    spec.read_only = false;
    spec.files.push(FileIn {
        path: "/etc/in".into(),
        mode: 0o600,
        owner: (0, 0),
        content: b"file\n".to_vec(),
    });
    let source = fixture(&world, "in", "bound\n");
    spec.mounts.push(Mount::Bind { source, target: "/mnt/in".into(), writable: false });
    spec.mounts.push(Mount::Tmpfs { target: "/tmp".into(), bytes: 1 << 20 });
    let container = engine.start(&spec).await.unwrap();
    let address = container.address().expect("an address on its network");
    assert_ne!(address, network.gateway());

    let found = inspected(container.id());
    let host = &found["HostConfig"];
    assert_eq!(host["CapDrop"][0], "ALL");
    assert_eq!(host["SecurityOpt"][0], "no-new-privileges");
    assert_eq!((host["Memory"].as_i64(), host["MemorySwap"].as_i64()), (Some(64 << 20), Some(64 << 20)));
    assert_eq!((host["PidsLimit"].as_i64(), host["NanoCpus"].as_i64()), (Some(32), Some(500_000_000)));
    assert_eq!((host["Init"].as_bool(), host["Privileged"].as_bool()), (Some(true), Some(false)));
    assert_eq!(host["RestartPolicy"]["Name"], "no");
    let said = labels_of(&found);
    assert_eq!(said[labels::DAEMON], world.identity.daemon.to_string());
    assert_eq!(said[labels::BOOT], world.identity.boot.to_string());
    assert_eq!((&said[labels::JOB], &said[labels::RUN]), (&"07".repeat(16), &"08".repeat(16)));

    let mut text = String::new();
    for _ in 0..100 {
        let mut log = Vec::new();
        container.log(|piece| log.extend_from_slice(piece)).await.unwrap();
        text = String::from_utf8(log).unwrap();
        if text.contains("unresolved") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "file\nbound",
        "unresolved",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    assert!(container.log_tail().await.unwrap().contains("unresolved"));
    assert!(container.disk_bytes().await.unwrap() < 1 << 20);
    container.remove().await.unwrap();
    network.remove().await.unwrap();
    assert_eq!(world.left(), Vec::<String>::new());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_own_the_machine_is_refused_before_the_engine_hears_of_it() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let link = world.folder.path().join("link");
    std::os::unix::fs::symlink("/var/run/docker.sock", &link).unwrap();
    let out = world.folder.path().join("out");
    std::os::unix::fs::symlink("/etc", &out).unwrap();
    let bind = |source: &std::path::Path, writable| Mount::Bind {
        source: source.into(),
        target: "/in".into(),
        writable,
    };
    let mounts =
        [bind(&link, false), bind(&out, false), bind("/".as_ref(), false), bind(world.folder.path(), true)];
    for mount in mounts {
        let mut spec = shell("true");
        spec.mounts.push(mount.clone());
        let refused = engine.start(&spec).await.unwrap_err();
        assert!(matches!(refused, EngineError::Refused(_)), "{mount:?}: {refused}");
    }
    let mut spec = shell("true");
    spec.demands = vec![Demand::Privileged, Demand::Namespace { kind: "network", of: "host".into() }];
    spec.capabilities = vec![Capability::SetUid];
    match engine.start(&spec).await {
        Err(EngineError::Refused(refused)) => {
            assert_eq!((refused.len(), &refused[0]), (3, &Refusal::Privileged))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.left(), Vec::<String>::new());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_is_removed() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let network = engine.network(&network()).await.unwrap();
    let mut spec = shell("trap '' TERM; sleep 1000");
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: vec![] });
    spec.mounts.push(Mount::Volume { target: "/data".into() });
    let container = engine.start(&spec).await.unwrap();
    assert_eq!(world.left().len(), 3, "a container, a network, a volume");
    // The network first: it cannot go before its container has.
    drop(network);
    drop(container);
    until("the removal", || world.left().is_empty()).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_given_up_leaves_nothing() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let mut started = 0;
    for pause in [0, 5, 20, 50, 100, 200, 400] {
        let spec = shell("sleep 1000");
        let start = tokio::time::timeout(Duration::from_millis(pause), engine.start(&spec)).await;
        started += u32::from(start.is_ok());
    }
    assert!(started < 7, "none was given up in the middle");
    until("the removal", || world.left().is_empty()).await;
    assert!(world.docker.held().is_empty());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_container_is_heard() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let container = engine.start(&shell("sleep 1000")).await.unwrap();
    let running = |state| matches!(state, ContainerState::Running(_));
    seen(container.state(), "its start", running).await;
    docker(&["pause", container.name()]);
    seen(container.state(), "its pause", |state| state == ContainerState::Paused).await;
    docker(&["unpause", container.name()]);
    seen(container.state(), "its waking", running).await;
    docker(&["kill", container.name()]);
    assert_eq!(soon("its end", container.ended()).await, exited(137));

    let quick = engine.start(&shell("exit 3")).await.unwrap();
    assert_eq!(soon("its end", quick.ended()).await, exited(3));
    let stopped = engine.start(&shell("sleep 1000")).await.unwrap();
    stopped.stop(Duration::from_secs(5)).await.unwrap();
    assert_eq!(stopped.ended().await, exited(143));
    stopped.stop(Duration::ZERO).await.unwrap();
    let taken = engine.start(&shell("sleep 1000")).await.unwrap();
    docker(&["rm", "-f", taken.name()]);
    assert!(soon("its end", taken.ended()).await.is_over());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_for_lack_of_memory_is_told_as_such() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let mut spec = shell("exec tail /dev/zero");
    spec.limits.memory_bytes = 24 << 20;
    let container = engine.start(&spec).await.unwrap();
    let end = soon("its end", container.ended()).await;
    assert_eq!(end, ContainerState::Exited(Exit { code: 137, oom_killed: true }));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_is_heard() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let mut spec = shell("sleep 2; touch /tmp/well; sleep 1000");
    spec.healthcheck = Some(proctor::domain::container::HealthCheck::Ask {
        test: ["CMD", "test", "-f", "/tmp/well"].map(str::to_owned).to_vec(),
        interval: Duration::from_millis(500),
        timeout: Duration::from_secs(5),
        start_period: Duration::ZERO,
        retries: 100,
    });
    let container = engine.start(&spec).await.unwrap();
    seen(container.state(), "health", |state| state == ContainerState::Running(Health::Healthy)).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_daemon_left_is_swept_by_its_next_life_and_by_nobody_else() {
    let dead = World::boot().await;
    let engine = dead.engine().await;
    let network = engine.network(&network()).await.unwrap();
    let mut spec = shell("sleep 1000");
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: vec![] });
    spec.mounts.push(Mount::Volume { target: "/data".into() });
    let container = engine.start(&spec).await.unwrap();
    let taken = engine.start(&spec).await.unwrap();
    // Somebody removes a container, and not its volume.
    docker(&["rm", "-f", taken.name()]);
    // As with `kill -9`: no guard, no terminate.
    std::mem::forget((container, taken, network));
    dead.abandon();
    assert_eq!(dead.left().len(), 4, "a container, a network, two volumes");

    let other = World::of(stranger(), None).await;
    let bystander = other.engine().await.start(&shell("sleep 1000")).await.unwrap();
    assert_eq!(dead.left().len(), 4, "another daemon's are left alone");
    let next = World::of(reborn(dead.identity), None).await;
    next.wait_ready().await;
    until("the sweep", || next.left().is_empty()).await;
    assert!(!bystander.state().borrow().is_over(), "the bystander lives");
    drop(bystander);
    next.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_actor_costs_nobody_their_container() {
    let world = World::boot().await;
    let engine = world.engine().await;
    let kept = engine.start(&shell("sleep 1000")).await.unwrap();
    let dropped = engine.start(&shell("sleep 1000")).await.unwrap();
    world.kill_actor().await;
    let name = dropped.name().to_owned();
    drop(dropped);
    world.wait_ready().await;
    until("the removal by the successor", || !world.left().contains(&name)).await;
    assert_eq!(world.left(), [kept.name()]);
    docker(&["kill", kept.name()]);
    assert_eq!(soon("its end, told by the successor", kept.ended()).await, exited(137));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_nowhere_is_said_so() {
    let world = World::boot().await;
    let engine = world.engine().await;
    // Nobody listens on port 1: the registry is refused at once.
    let image = "127.0.0.1:1/nobody/nothing:1".parse().unwrap();
    let quiet = |_: &str| {};
    for pull in [Pull::Never, Pull::Missing(Duration::from_secs(60))] {
        let missing = engine.image(&image, pull, &quiet).await.unwrap_err();
        assert!(matches!(missing, EngineError::ImageMissing { .. }), "{missing}");
        assert!(missing.to_string().contains("docker pull"), "{missing}");
    }
    assert_eq!(engine.find_image(&image).await.unwrap(), None);
    let mut spec = shell("true");
    spec.image = image;
    assert!(matches!(engine.start(&spec).await, Err(EngineError::ImageMissing { .. })));
    let base = engine.image(&super::docker_world::BASE.parse().unwrap(), Pull::Never, &quiet).await.unwrap();
    assert!(base.bytes > 1 << 20 && !base.has_healthcheck, "{base:?}");
    let shop = engine.image(&"proctor-test/shop:latest".parse().unwrap(), Pull::Never, &quiet).await.unwrap();
    assert_eq!(
        (shop.ports.as_slice(), shop.user.as_str(), shop.has_healthcheck),
        (&[5000][..], "shop", true)
    );
    assert_eq!(Purpose::Tool.grantable(), []);
    world.close().await;
}
