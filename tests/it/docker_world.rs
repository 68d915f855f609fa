//! What the tests with containers share: the docker actor alone, on the engine that `tests/images/all` provides, as a daemon of
//! its own. Whatever of it is left in the engine fails the test.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use proctor::actors::docker::{Docker, DockerArguments, DockerServer, Engine, EngineState, Places};
use proctor::actors::journal::Journal;
use proctor::actors::supervise::{ChildSpec, Strategy, Supervisor, SupervisorSpec};
use proctor::domain::container::{
    ContainerLimits, ContainerSpec, ContainerState, Identity, Policy, Purpose, labels,
};
use proctor::domain::ids::{BootId, DaemonId};
use tokio::sync::watch;

/// An engine on two busy cores makes a container in seconds.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// What containers of these tests are made from.
pub const BASE: &str = "debian:bookworm-slim";

/// Waits for `what` and fails the test when it does not come.
pub async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come within {PATIENCE:?}"),
    }
}

/// Waits until `holds` does.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon(what, waiting).await;
}

/// Asks the engine from outside, by its own client; its standard output.
pub fn docker(words: &[&str]) -> String {
    docker_at(None, words)
}

/// The same, of another engine than the common one.
pub fn docker_at(host: Option<&str>, words: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "an observer that shares no code with what it observes")]
    let mut command = Command::new("docker");
    if let Some(host) = host {
        command.env("DOCKER_HOST", host);
    }
    let output = command.args(words).output().expect("the docker client is installed: tests/images/engine");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {words:?} (did ./tests/images/all run?): {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A random daemon in its first life.
pub fn stranger() -> Identity {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    Identity { daemon: DaemonId::from_random(bytes), boot: BootId::from_random([1; 16]) }
}

/// The same daemon after a restart.
pub fn reborn(identity: Identity) -> Identity {
    Identity { boot: BootId::from_random([2; 16]), ..identity }
}

/// The docker actor under a supervisor, and a directory that its containers may see.
pub struct World {
    pub docker: Docker,
    pub identity: Identity,
    pub folder: tempfile::TempDir,
    supervisor: Supervisor,
    host: Option<String>,
}

impl World {
    pub async fn boot() -> Self {
        Self::of(stranger(), None).await
    }

    /// A daemon on the engine at `host`; `None`: on the common one.
    pub async fn of(identity: Identity, host: Option<&str>) -> Self {
        let said =
            ["DOCKER_HOST"].into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        Self::at(identity, Places::of(host.unwrap_or_default(), &said.collect(), 0), host).await
    }

    /// A daemon on the first of these engines that answers; the client of the test asks the one at `host`.
    pub async fn at(identity: Identity, places: Places, host: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let docker = Docker::default();
        let allowed = folder.path().canonicalize().unwrap();
        let arguments = DockerArguments {
            door: docker.clone(),
            identity,
            policy: Policy { readable: vec![allowed], writable: vec![] },
            places,
            journal: Journal::default(),
        };
        let child = ChildSpec::server_in::<DockerServer>("docker", docker.slot(), move || arguments.clone());
        let spec = SupervisorSpec::new("world", Strategy::OneForOne).child(child);
        let supervisor = Supervisor::start(spec).await.unwrap();
        Self { docker, identity, folder, supervisor, host: host.map(str::to_owned) }
    }

    /// The engine, which must be there.
    pub async fn engine(&self) -> Engine {
        let engine = self.docker.engine().await;
        engine.unwrap_or_else(|error| panic!("{error} (run ./tests/images/all)"))
    }

    pub async fn wait_ready(&self) -> Engine {
        let mut state = self.docker.state();
        let ready = soon("the engine", state.wait_for(|state| matches!(state, EngineState::Ready(_)))).await;
        match ready.unwrap().clone() {
            EngineState::Ready(engine) => engine,
            other => panic!("{other:?}"),
        }
    }

    pub fn ask(&self, words: &[&str]) -> String {
        docker_at(self.host.as_deref(), words)
    }

    /// Names of containers, networks and volumes that carry this daemon's label.
    pub fn left(&self) -> Vec<String> {
        let filter = format!("label={}={}", labels::DAEMON, self.identity.daemon);
        held(&filter, |words| self.ask(words))
    }

    /// Kills the actor; its supervisor starts another.
    pub async fn kill_actor(&self) {
        let before = soon("the actor", self.docker.slot().ready()).await;
        before.kill();
        soon("the actor's end", before.closed()).await;
    }

    /// Ends the actor without a word, as a crash of the daemon would.
    pub fn abandon(&self) {
        self.supervisor.kill();
    }

    /// Ends in good order; nothing may be left then.
    pub async fn close(self) {
        self.supervisor.shutdown(PATIENCE).await;
        // What it asked for last is done by the engine a moment later; nobody asks again.
        until("an empty engine", || self.left().is_empty()).await;
    }
}

/// What filters the objects of the daemon with this data directory.
pub fn filter_of(data_dir: &Path) -> String {
    let id = std::fs::read_to_string(data_dir.join("daemon-id")).unwrap();
    format!("label={}={}", labels::DAEMON, id.trim())
}

/// Names of containers, networks and volumes of the daemon with this data directory, in the common engine.
pub fn left_of(data_dir: &Path) -> Vec<String> {
    held(&filter_of(data_dir), docker)
}

fn held(filter: &str, ask: impl Fn(&[&str]) -> String) -> Vec<String> {
    let containers = ask(&["ps", "-a", "--filter", filter, "--format", "{{.Names}}"]);
    let networks = ask(&["network", "ls", "--filter", filter, "--format", "{{.Name}}"]);
    let volumes = ask(&["volume", "ls", "-q", "--filter", filter]);
    containers.lines().chain(networks.lines()).chain(volumes.lines()).map(str::to_owned).collect()
}

/// A container that runs a shell line.
pub fn shell(line: &str) -> ContainerSpec {
    let limits = ContainerLimits { memory_bytes: 64 << 20, cpu_milli: 500, pids: 32 };
    let image = BASE.parse().unwrap();
    let command = ["sh", "-c", line].map(str::to_owned).to_vec();
    ContainerSpec { command: Some(command), ..ContainerSpec::new("test", Purpose::Tool, image, limits) }
}

/// Waits until a container is seen to be so.
pub async fn seen(
    mut state: watch::Receiver<ContainerState>,
    what: &str,
    holds: impl Fn(ContainerState) -> bool,
) -> ContainerState {
    *soon(what, state.wait_for(|state| holds(*state))).await.expect("the container is held")
}

/// `docker inspect`, as JSON.
pub fn inspected(id: &str) -> serde_json::Value {
    let text = docker(&["inspect", id]);
    serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap().remove(0)
}

/// Labels as the engine shows them.
pub fn labels_of(inspected: &serde_json::Value) -> HashMap<String, String> {
    serde_json::from_value(inspected["Config"]["Labels"].clone()).unwrap()
}

/// A file that a test brings.
pub fn fixture(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.folder.path().canonicalize().unwrap().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}
