//! The promise: an engine that is not there, goes away, hangs or tears its streams costs nobody more than its own containers, is
//! told with what to do, and is used again when it is back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proctor::actors::docker::{EngineError, EngineState};
use proctor::domain::container::state::Exit;
use proctor::domain::container::{ContainerState, Identity};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::docker_world::{World, docker, reborn, seen, shell, soon, stranger};

#[expect(
    clippy::disallowed_methods,
    reason = "an engine of the test's own, and this very binary, to be killed"
)]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A Docker engine of the test's own: nobody else's is disturbed when it is killed.
struct OwnEngine {
    folder: tempfile::TempDir,
    running: Option<Child>,
}

impl OwnEngine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), running: None }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.at("docker.sock").display())
    }

    fn start(&mut self) {
        let log = File::options().append(true).create(true).open(self.at("log")).unwrap();
        let path = |flag: &str, name: &str| format!("--{flag}={}", self.at(name).display());
        let child = command("dockerd")
            .args([path("data-root", "data"), path("exec-root", "exec"), path("pidfile", "pid")])
            .arg(format!("--host={}", self.host()))
            // It must not touch the machine's network or the rules of the other engine's.
            .args(["--bridge=none", "--iptables=false", "--ip-forward=false", "--storage-driver=vfs"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("dockerd is installed: tests/images/engine");
        self.running = Some(child);
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(mut child) = self.running.take() {
            kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
            child.wait().unwrap();
        }
        // Killed, it leaves the numbers of its processes, and the next one waits for them. Its own child is killed with it,
        // but where the first process of the machine reaps nobody, it looks alive for ever.
        for name in ["pid", "exec/containerd/containerd.pid"] {
            drop(std::fs::remove_file(self.at(name)));
        }
    }

    /// An image with nothing in it but a program that waits.
    fn image(&self) {
        let root = self.at("image");
        std::fs::create_dir_all(&root).unwrap();
        let source = self.at("wait.c");
        std::fs::write(&source, "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n").unwrap();
        let line = format!(
            "cc -static -o {root}/wait {source} && tar -C {root} -c wait | docker -H {host} import - tiny:latest",
            root = root.display(),
            source = source.display(),
            host = self.host(),
        );
        let made = command("sh").args(["-c", &line]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

impl Drop for OwnEngine {
    #[expect(clippy::print_stderr, reason = "what the engine said, beside what failed")]
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", std::fs::read_to_string(self.at("log")).unwrap_or_default());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_may_come_late_be_killed_and_come_back() {
    let mut own = OwnEngine::new();
    let world = World::of(stranger(), Some(&own.host())).await;
    let missing = soon("the answer", world.docker.engine()).await.unwrap_err();
    assert!(missing.why.contains("docker.sock") && missing.advice.contains("start Docker"), "{missing}");

    own.start();
    let engine = world.wait_ready().await;
    own.image();
    let mut spec = shell("");
    (spec.image, spec.command) = ("tiny".parse().unwrap(), Some(vec!["/wait".to_owned()]));
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
    super::docker_world::until("the sweep", || next.left().is_empty()).await;
    tokio::time::timeout(Duration::from_secs(60), next.close()).await.unwrap();
}
