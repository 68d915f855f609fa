//! The promise: an engine that is not there, goes away, hangs or tears its streams costs nobody more than its own containers, is
//! told with what to do, and is used again when it is back.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use proctor::actors::docker::{EngineError, EngineState, Places};
use proctor::domain::container::state::Exit;
use proctor::domain::container::{ContainerState, Identity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::docker_world::{World, docker, reborn, seen, shell, soon, stranger, until};
use super::engine_world::{OwnEngine, command, tiny};

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_may_come_late_be_killed_and_come_back() {
    let mut own = OwnEngine::docker();
    let world = World::of(stranger(), Some(own.host())).await;
    let missing = soon("the answer", world.docker.engine()).await.unwrap_err();
    assert!(missing.why.contains("docker.sock") && missing.advice.contains("start Docker"), "{missing}");

    own.start();
    let engine = world.wait_ready().await;
    own.import();
    let spec = tiny(&["wait"]);
    let container = engine.start(&spec).await.unwrap();
    assert_eq!(world.left(), [container.name()]);

    own.signal(Signal::SIGKILL);
    let mut state = world.docker.state();
    let gone = |state: &EngineState| matches!(state, EngineState::Unavailable(_));
    drop(soon("the loss of the engine", state.wait_for(gone)).await.unwrap());
    let failed = engine.start(&spec).await.unwrap_err();
    assert!(failed.is_passing(), "{failed}");
    assert!(world.docker.engine().await.is_err());

    own.start();
    world.wait_ready().await;
    // An engine that starts ends what ran under the one before.
    assert!(soon("the container's end", container.ended()).await.is_over());
    let next = world.wait_ready().await.start(&spec).await.unwrap();
    seen(next.state(), "its start", |state| matches!(state, ContainerState::Running(_))).await;
    drop((container, next));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_on_a_port_is_as_good_as_one_on_a_socket() {
    let mut own = OwnEngine::docker_on_tcp();
    let world = World::of(stranger(), Some(own.host())).await;
    let missing = soon("the answer", world.docker.engine()).await.unwrap_err();
    assert!(missing.why.contains(own.host()) && missing.advice.contains("start it"), "{missing}");
    own.start();
    let engine = world.wait_ready().await;
    own.import();
    let container = engine.start(&tiny(&["exit", "3"])).await.unwrap();
    let end = soon("its end", container.ended()).await;
    assert_eq!(end, ContainerState::Exited(Exit { code: 3, oom_killed: false }));
    drop(container);
    until("the removal", || world.left().is_empty()).await;
    world.close().await;
}

/// Answers as a port does that speaks TLS, to who does not.
#[tokio::test(flavor = "multi_thread")]
async fn who_wants_tls_is_told_what_to_do() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("tcp://{}", port.local_addr().unwrap());
    let answering = async {
        loop {
            let (mut client, _) = port.accept().await.unwrap();
            drop(client.read(&mut [0; 4096]).await);
            let said = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            drop(client.write_all(said.as_bytes()).await);
        }
    };
    let asking = async {
        let world = World::of(stranger(), Some(&host)).await;
        let refused = soon("the answer", world.docker.engine()).await.unwrap_err();
        assert!(
            refused.advice.contains("without TLS") && refused.advice.contains("docker.host"),
            "{refused}"
        );
        world.abandon();
    };
    tokio::select! {
        () = answering => {}
        () = asking => {}
    }
}

/// Of several sockets the first that answers is taken: one that nobody listens on is no engine.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_was_left_behind_hides_no_engine() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left.sock");
    drop(UnixListener::bind(&left).unwrap());
    let proxy = Proxy::open(Way::Open);
    let hosts = vec![format!("unix://{}", left.display()), proxy.host()];
    let places = Places { hosts, chosen_by: "a test", tls: None };
    let world = World::at(stranger(), places, None).await;
    assert_eq!(world.wait_ready().await.info().host, proxy.host());
    world.close().await;
}

/// What the way to the engine does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Takes connections, hands nothing on.
    Frozen,
    /// Drops what there is and what comes.
    Cut,
}

/// A way to the common engine that can be disturbed.
struct Proxy {
    folder: tempfile::TempDir,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Proxy {
    fn open(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let way = watch::Sender::new(way);
        let watched = way.clone();
        #[expect(clippy::disallowed_methods, reason = "aborted by the proxy's Drop")]
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, watched.subscribe()));
            }
        });
        Self { folder, way, task }
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Hands bytes on while the way is open; ends when it is cut.
async fn forward(mut client: UnixStream, mut way: watch::Receiver<Way>) {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let socket = host.strip_prefix("unix://").expect("the common engine is on a socket");
    let mut engine = UnixStream::connect(Path::new(socket)).await.expect("an engine: tests/images/engine");
    loop {
        let now = *way.borrow_and_update();
        match now {
            Way::Cut => return,
            Way::Frozen => drop(way.changed().await),
            Way::Open => tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut engine) => return,
                _ = way.changed() => {}
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_stream_is_torn_is_known_after_it() {
    let proxy = Proxy::open(Way::Open);
    let world = World::of(stranger(), Some(&proxy.host())).await;
    let engine = world.wait_ready().await;
    let killed = engine.start(&shell("sleep 1000")).await.unwrap();
    let paused = engine.start(&shell("sleep 1000")).await.unwrap();
    let removed = engine.start(&shell("sleep 1000")).await.unwrap();
    seen(paused.state(), "its start", |state| matches!(state, ContainerState::Running(_))).await;
    proxy.way.send_replace(Way::Cut);
    docker(&["kill", killed.name()]);
    docker(&["pause", paused.name()]);
    docker(&["rm", "-f", removed.name()]);
    proxy.way.send_replace(Way::Open);
    let end = soon("the end", killed.ended()).await;
    assert_eq!(end, ContainerState::Exited(Exit { code: 137, oom_killed: false }));
    seen(paused.state(), "the pause", |state| state == ContainerState::Paused).await;
    assert!(soon("the removal", removed.ended()).await.is_over());
    // And the stream that was opened again is followed.
    docker(&["unpause", paused.name()]);
    seen(paused.state(), "the waking", |state| matches!(state, ContainerState::Running(_))).await;
    drop((killed, paused, removed));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_taken_for_gone_until_it_answers() {
    let proxy = Proxy::open(Way::Frozen);
    let world = World::of(stranger(), Some(&proxy.host())).await;
    let mut state = world.docker.state();
    let unavailable = |state: &EngineState| matches!(state, EngineState::Unavailable(_));
    match soon("the first look", state.wait_for(unavailable)).await.unwrap().clone() {
        EngineState::Unavailable(why) => assert!(why.to_string().contains("did not answer within"), "{why}"),
        other => panic!("{other:?}"),
    }
    proxy.way.send_replace(Way::Open);
    let engine = world.wait_ready().await;
    let container = engine.start(&shell("sleep 1000")).await.unwrap();
    // Streams do not end by themselves now: the pings notice.
    proxy.way.send_replace(Way::Frozen);
    drop(soon("the loss", state.wait_for(unavailable)).await.unwrap());
    proxy.way.send_replace(Way::Open);
    world.wait_ready().await;
    assert!(!container.state().borrow().is_over(), "it runs on");
    drop(container);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_an_engine_that_hangs_are_bounded() {
    let proxy = Arc::new(Proxy::open(Way::Open));
    let world = World::of(stranger(), Some(&proxy.host())).await;
    let engine = world.wait_ready().await;
    proxy.way.send_replace(Way::Frozen);
    let asked = soon("an answer", engine.find_image(&"nothing".parse().unwrap())).await;
    assert!(matches!(asked, Err(EngineError::TimedOut { .. })), "{asked:?}");
    proxy.way.send_replace(Way::Open);
    world.wait_ready().await;
    world.close().await;
}

const DAEMON: &str = "PROCTOR_TEST_DAEMON_ID";

/// Not a test: what the next one starts as a process of its own, and kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_daemon_that_is_killed_leaves_nothing_for_long"]
async fn child_holds_containers_until_it_is_killed() {
    let daemon = std::env::var(DAEMON).unwrap().parse().unwrap();
    let world = World::of(Identity { daemon, ..stranger() }, None).await;
    let container = world.engine().await.start(&shell("sleep 1000")).await.unwrap();
    println!("ready");
    container.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_leaves_nothing_for_long() {
    let identity = stranger();
    let mut child = command(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "docker_engine::child_holds_containers_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(DAEMON, identity.daemon.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the child ended before it was ready");
    child.kill().unwrap();
    child.wait().unwrap();
    let next = World::of(reborn(identity), None).await;
    assert_eq!(next.left().len(), 1, "the dead one could not clear up");
    next.wait_ready().await;
    until("the sweep", || next.left().is_empty()).await;
    tokio::time::timeout(Duration::from_secs(60), next.close()).await.unwrap();
}
