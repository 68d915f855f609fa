//! The promise: Podman is as good an engine as Docker. The same door, guards, labels, events and ends, on a real one.

use std::time::Duration;

use proctor::actors::docker::build::BuildSpec;
use proctor::actors::docker::context::ContextLimits;
use proctor::actors::docker::image::Pull;
use proctor::actors::docker::{EngineError, EngineState};
use proctor::domain::container::state::Exit;
use proctor::domain::container::{Attachment, ContainerState, Mount, NetworkSpec, Owner, Reach, labels};
use proctor::domain::ids::{JobId, RunId};

use super::docker_world::{World, fixture, reborn, seen, soon, stranger, until};
use super::engine_world::{OwnEngine, TINY, tiny};

fn exited(code: i64) -> ContainerState {
    ContainerState::Exited(Exit { code, oom_killed: false })
}

fn network() -> NetworkSpec {
    NetworkSpec { word: "net".into(), owner: Owner::default(), reach: Reach::Internal }
}

async fn podman() -> (OwnEngine, World) {
    let mut own = OwnEngine::podman();
    own.start();
    let world = World::of(stranger(), Some(own.host())).await;
    world.wait_ready().await;
    own.import();
    (own, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_podman_runs_within_its_walls_and_is_reached() {
    let (_own, world) = podman().await;
    let engine = world.engine().await;
    let info = engine.info();
    assert_eq!((info.product.as_str(), info.rootless), ("Podman", false), "{info:?}");
    assert!(info.api.starts_with("1.4"), "{info:?}");
    let network = engine.network(&network()).await.unwrap();
    let mut spec = tiny(&["serve", "8000"]);
    spec.owner = Owner { job: Some(JobId::from_random([7; 16])), run: Some(RunId::from_random([8; 16])) };
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: vec!["me".into()] });
    let served = engine.start(&spec).await.unwrap();
    let address = served.address().expect("an address on its network");
    soon("an answer", tokio::net::TcpStream::connect((address, 8000))).await.unwrap();
    assert_eq!(world.left().len(), 2);
    for label in [labels::JOB, labels::RUN] {
        let filter = format!("label={label}");
        assert_eq!(world.ask(&["ps", "-q", "--filter", &filter]).lines().count(), 1, "{label}");
    }

    let gate = tokio::net::TcpListener::bind((network.gateway(), 0)).await.unwrap();
    let port = gate.local_addr().unwrap().port().to_string();
    let mut spec = tiny(&["reach", &network.gateway().to_string(), &port]);
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: vec![] });
    let reaching = engine.start(&spec).await.unwrap();
    assert_eq!(soon("its end", reaching.ended()).await, exited(0), "the gateway is this machine");

    let mut spec = tiny(&["show", "/proc/self/status"]);
    spec.read_only = true;
    spec.mounts.push(Mount::Tmpfs { target: "/tmp".into(), bytes: 1 << 20 });
    let shown = engine.start(&spec).await.unwrap();
    assert_eq!(soon("its end", shown.ended()).await, exited(0));
    let text = shown.log_tail().await.unwrap();
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    let mut spec = tiny(&["make", "/file"]);
    spec.read_only = true;
    let refused = engine.start(&spec).await.unwrap();
    assert_eq!(soon("its end", refused.ended()).await, exited(1), "its root is read-only");
    assert!(served.disk_bytes().await.unwrap() < 1 << 20);
    served.remove().await.unwrap();
    drop((reaching, shown, refused, network));
    until("the removal", || world.left().is_empty()).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_container_of_podman_is_heard() {
    let (_own, world) = podman().await;
    let engine = world.engine().await;
    let running = |state| matches!(state, ContainerState::Running(_));
    let container = engine.start(&tiny(&["wait"])).await.unwrap();
    seen(container.state(), "its start", running).await;
    world.ask(&["pause", container.name()]);
    seen(container.state(), "its pause", |state| state == ContainerState::Paused).await;
    world.ask(&["unpause", container.name()]);
    seen(container.state(), "its waking", running).await;
    world.ask(&["kill", container.name()]);
    assert_eq!(soon("its end", container.ended()).await, exited(137));

    let quick = engine.start(&tiny(&["exit", "3"])).await.unwrap();
    assert_eq!(soon("its end", quick.ended()).await, exited(3));
    let stopped = engine.start(&tiny(&["deaf"])).await.unwrap();
    stopped.stop(Duration::from_secs(1)).await.unwrap();
    assert_eq!(stopped.ended().await, exited(137));
    stopped.stop(Duration::ZERO).await.unwrap();
    let taken = engine.start(&tiny(&["wait"])).await.unwrap();
    world.ask(&["rm", "-f", taken.name()]);
    assert!(soon("its end", taken.ended()).await.is_over());

    let mut hungry = tiny(&["eat"]);
    hungry.limits.memory_bytes = 24 << 20;
    let hungry = engine.start(&hungry).await.unwrap();
    // That it was for lack of memory is what this Podman does not say.
    let end = soon("its end", hungry.ended()).await;
    assert!(matches!(end, ContainerState::Exited(Exit { code: 137, .. })), "{end:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_may_be_killed_and_what_a_dead_daemon_left_there_is_swept() {
    let (mut own, dead) = podman().await;
    let engine = dead.engine().await;
    let missing = engine.image(&"localhost/nothing:1".parse().unwrap(), Pull::Never, &|_| {}).await;
    assert!(matches!(missing, Err(EngineError::ImageMissing { .. })), "{missing:?}");
    let mut spec = tiny(&["wait"]);
    spec.image = "localhost/nothing:1".parse().unwrap();
    assert!(matches!(engine.start(&spec).await, Err(EngineError::ImageMissing { .. })));
    let found = engine.find_image(&TINY.parse().unwrap()).await.unwrap().expect("it was imported");
    assert!(found.bytes > 1 << 10, "{found:?}");

    let network = engine.network(&network()).await.unwrap();
    let mut spec = tiny(&["wait"]);
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: vec![] });
    spec.mounts.push(Mount::Volume { target: "/tmp".into() });
    let container = engine.start(&spec).await.unwrap();
    own.signal(nix::sys::signal::Signal::SIGKILL);
    let gone = |state: &EngineState| matches!(state, EngineState::Unavailable(_));
    drop(soon("the loss of the engine", dead.docker.state().wait_for(gone)).await.unwrap());
    own.start();
    dead.wait_ready().await;
    assert!(!container.state().borrow().is_over(), "no daemon of Podman's holds it");
    // As with `kill -9`: no guard, no terminate.
    std::mem::forget((container, network));
    dead.abandon();
    assert_eq!(dead.left().len(), 2, "a container and a network; this Podman puts no label on its volume");
    let next = World::of(reborn(dead.identity), Some(own.host())).await;
    next.wait_ready().await;
    until("the sweep", || next.left().is_empty()).await;
    assert_eq!(next.ask(&["volume", "ls", "-q"]), "", "its volume went with it");
    next.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_builds_images_and_lets_go_of_them() {
    let (_own, world) = podman().await;
    let engine = world.engine().await;
    let dockerfile =
        |last: &str| format!("FROM {TINY}\nCOPY Dockerfile /\nEXPOSE 8000\nRUN [\"/tiny\", {last}]\n");
    let file = fixture(&world, "app/Dockerfile", &dockerfile("\"say\", \"so far\""));
    let spec = BuildSpec {
        directory: file.parent().unwrap().to_owned(),
        dockerfile: "Dockerfile".to_owned(),
        stage: None,
        arguments: Default::default(),
        tag: "localhost/proctor-test:1".parse().unwrap(),
        network: false,
        owner: Owner::default(),
        context: ContextLimits { bytes: 1 << 20, files: 10 },
        limits: tiny(&[]).limits,
    };
    let steps = std::sync::Mutex::new(Vec::new());
    let progress = |step: &str| steps.lock().unwrap().push(step.to_owned());
    let image = soon("an image", engine.build(&spec, Duration::from_secs(60), &progress)).await.unwrap();
    assert_eq!(image.ports, [8000]);
    assert!(steps.lock().unwrap().iter().any(|step| step.starts_with("STEP 2/")), "{steps:?}");
    let filter = format!("label={}={}", labels::DAEMON, world.identity.daemon);
    let images = || world.ask(&["images", "-q", "--filter", &filter]).lines().count();
    assert_eq!(images(), 1);

    fixture(&world, "app/Dockerfile", &dockerfile("\"exit\", \"3\""));
    match engine.build(&spec, Duration::from_secs(60), &progress).await {
        Err(EngineError::BuildFailed { why, .. }) => assert!(why.contains("exit"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.prune_images(0).await.unwrap(), 0);
    assert_eq!(images(), 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rootless_engine_says_what_it_cannot_do() {
    let mut own = OwnEngine::rootless_podman();
    own.start();
    let world = World::of(stranger(), Some(own.host())).await;
    let engine = world.wait_ready().await;
    assert!(engine.info().rootless, "{:?}", engine.info());
    let refused = engine.network(&network()).await.unwrap_err().to_string();
    assert!(refused.contains("is rootless") && refused.contains("runs as root"), "{refused}");
    // What needs no way to it works.
    own.import();
    let said = engine.start(&tiny(&["say", "hello"])).await.unwrap();
    assert_eq!(soon("its end", said.ended()).await, exited(0));
    assert!(said.log_tail().await.unwrap().contains("hello"));
    drop(said);
    until("the removal", || world.left().is_empty()).await;

    let (_, answer) = super::doctor::doctor(&[&format!("docker.host={}", own.host())]);
    let check = super::doctor::check(&answer, "engine");
    assert_eq!(check["state"], "note", "{check:#}");
    assert!(check["advice"].as_str().unwrap().contains("runs as root"), "{check:#}");
    world.close().await;
}
