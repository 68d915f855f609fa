//! The promise: SIGTERM ends the daemon within its budget, whatever runs. Nobody is left without an answer: who waits for
//! a job hears where it stands, every socket is told 1001, and the exit code is 0.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::Home;
use crate::cli_scan::Served;
use crate::support::client::Client;
use crate::support::soon;
use crate::whole::fake_manifest;

/// Of it, two seconds are for jobs to finish.
const BUDGET_S: u64 = 14;
/// Sessions that wait for a job each; more than may run at once.
const SESSIONS: usize = 10;
const RUNNING_MAX: usize = 4;

/// A home with tools that do not end by themselves: one obeys SIGTERM, one does not.
fn home() -> Home {
    let home = Home::new();
    for mode in ["ignore-term", "hang"] {
        home.write(&format!("manifests/{mode}.toml"), &fake_manifest(mode, 600));
    }
    for number in 0..SESSIONS {
        home.write(&format!("target/{number}/app.py"), "x = 1\n");
    }
    let manifests = home.path().join("manifests");
    home.write(
        ".config/proctor/proctor.toml",
        &format!(
            "[daemon]\ndrain_s = {BUDGET_S}\nmanifests_dir = {manifests:?}\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
             requests_per_s = 10000\nrequests_burst = 10000\n[jobs]\nrunning_max = {RUNNING_MAX}\ncpu_slots = 8\n"
        ),
    );
    home
}

/// Where the daemon listens, and the key to it.
pub fn door(home: &Home) -> (SocketAddr, String) {
    let state = home.path().join(".local/state/proctor");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let announced: Value = serde_json::from_str(&read(&state.join("daemon.json"))).unwrap();
    (announced["address"].as_str().unwrap().parse().unwrap(), read(&state.join("token")).trim().to_owned())
}

/// A session that waits for a job of its own.
struct Waiter {
    client: Client,
    request: u64,
}

impl Waiter {
    async fn start(home: &Home, number: usize, tool: &str) -> Self {
        let (address, token) = door(home);
        let mut client = Client::at(address, &token).await.expect("let in");
        let path = home.path().join(format!("target/{number}"));
        let arguments = json!({ "path": path, "tools": [tool], "wait_s": 45 });
        let request = client.ask_tool("scan", arguments).await;
        Self { client, request }
    }

    /// The job as the answer shows it, once it and the close frame are there.
    async fn leave(mut self) -> Value {
        let answer = self.client.answer(self.request).await;
        assert_eq!(answer["result"]["isError"], false, "{answer:#}");
        assert_eq!(self.client.close_code().await, Some(1001));
        answer["result"]["structuredContent"].clone()
    }
}

/// Waits until as many jobs run as may, each with its tool.
async fn until_busy(client: &mut Client) {
    soon("a busy daemon", async {
        loop {
            let tree = client.call("resources/read", json!({ "uri": "proctor://tree" })).await.to_string();
            if tree.matches("\\\"name\\\":\\\"run\\\"").count() == RUNNING_MAX {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_answers_everybody_and_ends_in_time_though_a_tool_is_deaf() {
    let home = home();
    let served = Served::start(&home);
    let mut waiters = Vec::new();
    for number in 0..SESSIONS {
        let tool = if number % 2 == 0 { "fake-ignore-term" } else { "fake-hang" };
        waiters.push(Waiter::start(&home, number, tool).await);
    }
    let (address, token) = door(&home);
    let mut idle = Client::at(address, &token).await.expect("let in");
    until_busy(&mut idle).await;

    let began = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || (served.stop_and_tell(), began.elapsed()));
    // From the first moment on nothing new begins.
    soon("the refusal", async {
        while idle.call_tool("tools", json!({})).await["error"]["code"] != -31003 {}
    })
    .await;
    assert_eq!(Client::at(address, &token).await.err(), Some(503));
    assert_eq!(idle.close_code().await, Some(1001));

    for waiter in waiters {
        let job = waiter.leave().await;
        assert_eq!((&job["state"], &job["conclusion"]), (&"queued".into(), &"pending".into()), "{job:#}");
        assert!(job["hint"].as_str().unwrap().contains("after the restart"), "{job:#}");
    }
    let ((code, log), after) = stopped.await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("left behind"), "every stage ended in its time:\n{log}");
    assert!(!log.contains("HolderLost"), "a drain is no fault of the job's:\n{log}");
    assert!(after <= Duration::from_secs(BUDGET_S), "it took {after:?}");
    let state = home.path().join(".local/state/proctor");
    assert!(!state.join("proctor.db-wal").exists(), "the log is folded into the database");
}
