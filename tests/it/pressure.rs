//! The promise: as memory runs short the daemon gives up the least first: new jobs, then new sessions, then the newest
//! idle ones; and it takes everything back when there is room again.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proctor::actors::pressure::Meter;
use proctor::actors::process::MemoryCgroup;
use proctor::config::Config;
use serde_json::{Value, json};

use crate::cli::Home;
use crate::cli_scan::{self, Served};
use crate::drain::door;
use crate::support::client::Client;
use crate::support::raw::{exchange, status};
use crate::support::soon;
use crate::whole::{World, fake_manifest};

/// Sessions sent away by one reading.
const SHED_MAX: usize = 16;
/// More idle sessions than one reading sends away.
const IDLE: usize = SHED_MAX + 2;

/// A directory that looks like a cgroup with 100 MiB.
struct Memory {
    folder: tempfile::TempDir,
}

impl Memory {
    fn new() -> Self {
        let memory = Self { folder: tempfile::tempdir().unwrap() };
        memory.write("memory.max", 100 << 20);
        fs::write(memory.folder.path().join("memory.stat"), "inactive_file 0\n").unwrap();
        memory.set(10);
        memory
    }

    fn meter(&self) -> Meter {
        let path = self.folder.path().to_owned();
        Meter::of(MemoryCgroup { unified: true, point: path.clone(), own: path })
    }

    fn set(&self, percent: u64) {
        self.write("memory.current", percent << 20);
    }

    /// Written beside and renamed: nobody reads half of it.
    fn write(&self, name: &str, number: u64) {
        let path = self.folder.path().join(name);
        fs::write(path.with_extension("new"), number.to_string()).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }
}

/// Asks `/readyz` until it says this; its status then.
async fn until_ready_says(address: std::net::SocketAddr, wanted: &str) -> u16 {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    soon(wanted, async {
        loop {
            let answer = exchange(address, request.as_bytes()).await;
            if answer.contains(wanted) {
                return status(&answer);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

async fn world(memory: &Memory, change: impl FnOnce(&mut Config)) -> World {
    let roomy = |config: &mut Config| {
        config.gateway.connections_per_principal_max = 64;
        change(config);
    };
    World::measured(&[fake_manifest("hang", 600), fake_manifest("garbage", 60)], roomy, Some(memory.meter()))
        .await
}

async fn connect(world: &World) -> Result<Client, u16> {
    let token = fs::read_to_string(world.daemon.token_file()).unwrap();
    Client::at(world.daemon.address(), token.trim()).await
}

fn scan(world: &World, tool: &str, wait_s: u32) -> Value {
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    json!({ "path": target, "tools": [tool], "wait_s": wait_s })
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_refused_then_sent_away_and_let_in_again() {
    let memory = Memory::new();
    let world = world(&memory, |_| {}).await;
    let address = world.daemon.address();
    assert_eq!(until_ready_says(address, "ready").await, 200);
    let mut busy = connect(&world).await.unwrap();
    let waiting = busy.ask_tool("scan", scan(&world, "fake-hang", 45)).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(connect(&world).await.unwrap());
    }

    memory.set(91);
    assert_eq!(until_ready_says(address, "no new connections").await, 503);
    assert_eq!(connect(&world).await.err(), Some(503));
    let tools = idle[0].call_tool("tools", json!({})).await;
    assert_eq!(tools["result"]["isError"], false, "who is in is served: {tools}");

    memory.set(96);
    let ended = join_all(idle.into_iter().map(|mut session| async move {
        assert_eq!(session.close_code().await, Some(1013));
        Instant::now()
    }))
    .await;
    let (oldest, newest) = ended.split_at(IDLE - SHED_MAX);
    let first_of_the_old = oldest.iter().min().unwrap();
    assert!(
        newest.iter().all(|end| end < first_of_the_old),
        "the newest are sent away first, some at a time"
    );
    let status = busy.call_tool("tools", json!({})).await;
    assert_eq!(status["result"]["isError"], false, "whoever waits for something stays: {status}");

    memory.set(70);
    assert_eq!(until_ready_says(address, "ready\n").await, 200);
    let mut again = connect(&world).await.expect("let in again");
    let jobs = again.call_tool("findings", json!({})).await;
    assert_eq!(jobs["result"]["isError"], false, "{jobs}");
    busy.notify("notifications/cancelled", json!({ "requestId": waiting })).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_taken_or_started_until_there_is_room_again() {
    let memory = Memory::new();
    let world = world(&memory, |config| config.jobs.running_max = 1).await;
    let address = world.daemon.address();
    let mut client = connect(&world).await.unwrap();
    let mut submit = async |tool: &str, target: &str| {
        let target = world.target(target, &[("app.py", "x = 1\n")]);
        let arguments = json!({ "path": target, "tools": [tool], "wait_s": 0 });
        client.call_tool("scan", arguments).await["result"].clone()
    };
    let running = submit("fake-hang", "first").await["structuredContent"]["job"].clone();
    let waiting = submit("fake-garbage", "second").await["structuredContent"]["job"].clone();

    memory.set(81);
    assert_eq!(until_ready_says(address, "no new jobs: 81 % of 100 MiB").await, 503);
    let refused = submit("fake-garbage", "third").await;
    assert_eq!(refused["structuredContent"]["error"], "unavailable", "{refused}");
    assert!(refused["structuredContent"]["retryAfterMs"].as_u64().unwrap() > 0, "{refused}");
    let state = async |client: &mut Client, job: &Value, wait_s: u32| {
        let answer = client.call_tool("job_status", json!({ "job": job, "wait_s": wait_s })).await;
        answer["result"]["structuredContent"]["state"].clone()
    };
    client.call_tool("job_cancel", json!({ "job": running, "wait_s": 20 })).await;
    // Longer than a place stays free otherwise.
    assert_eq!(state(&mut client, &waiting, 3).await, "queued");

    memory.set(70);
    assert_eq!(state(&mut client, &waiting, 45).await, "done");
    world.end().await;
}

/// A cgroup of this machine, with a limit; removed when dropped.
struct Cgroup(PathBuf);

/// Of it, the daemon takes some 30 MiB.
const LIMIT_MIB: u64 = 400;

impl Cgroup {
    /// `None` where this user may make none.
    fn make() -> Option<Self> {
        let memory = MemoryCgroup::own()?;
        let made = Self(memory.own.join(format!("test-pressure-{}", std::process::id())));
        fs::create_dir(&made.0).ok()?;
        let file = if memory.unified { "memory.max" } else { "memory.limit_in_bytes" };
        fs::write(made.0.join(file), (LIMIT_MIB << 20).to_string()).ok()?;
        Some(made)
    }

    /// A command that runs inside.
    #[expect(clippy::disallowed_methods, reason = "what is measured is started, not a tool")]
    fn command(&self, home: &Home, script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("/bin/sh");
        let join = format!("echo $$ >{:?}/cgroup.procs; {script}", self.0);
        command.args(["-c", &join]).env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
        command.current_dir(home.path()).stdin(std::process::Stdio::piped());
        command
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        // Empty a moment after its last process was reaped.
        while fs::remove_dir(&self.0).is_err() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_a_real_cgroup_is_what_counts() {
    let cgroup = Cgroup::make().expect("the tests run as root, where a memory cgroup can be made");
    let home = cli_scan::world();
    let serve = format!("exec {} serve --root target", env!("CARGO_BIN_EXE_proctor"));
    let served = Served::of(cgroup.command(&home, &serve));
    let (address, _) = door(&home);
    assert_eq!(until_ready_says(address, "ready").await, 200);
    // `tail` keeps the last line, which has no end before its input has one.
    let fill = format!("exec tail -c {}", LIMIT_MIB << 20);
    let mut hog = cgroup.command(&home, &fill).spawn().unwrap();
    let mut input = hog.stdin.take().unwrap();
    let filled = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 320 << 20), &mut input).unwrap();
        input
    });
    let input = filled.await.unwrap();
    let wanted = format!("of {LIMIT_MIB} MiB");
    assert_eq!(until_ready_says(address, &wanted).await, 503);
    drop(input);
    hog.kill().unwrap();
    hog.wait().unwrap();
    assert_eq!(until_ready_says(address, "ready\n").await, 200);
    assert_eq!(served.stop(), Some(0));
}
