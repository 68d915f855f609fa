//! The promise: the service manager is told the truth. Ready when the gateway serves, alive only while every part
//! answers, stopping when a drain begins; and what it told us stays with us.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use crate::cli::Home;
use crate::cli_scan::{self, Served};
use crate::drain::door;
use crate::support::client::Client;
use crate::support::{PATIENCE, until};

/// What the service manager bears, in microseconds: a ping every second, and a part may take half of one to answer.
const WATCHDOG_USEC: &str = "2000000";

/// A service manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    lines: VecDeque<String>,
}

impl Manager {
    fn new(home: &Home) -> Self {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path, lines: VecDeque::new() }
    }

    fn serve(&self, home: &Home) -> Served {
        let mut command = home.command(&["serve", "--root", "target"]);
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", WATCHDOG_USEC);
        Served::of(command)
    }

    /// The next line it is told; one that never comes fails the test.
    fn hear(&mut self) -> String {
        while self.lines.is_empty() {
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).expect("a notice in time");
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            self.lines.extend(text.lines().map(str::to_owned));
        }
        self.lines.pop_front().unwrap()
    }

    /// Reads up to a line that starts like this; says what came before. One that does not come in time fails the test.
    fn hear_until(&mut self, start: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "{start} was not said; this was: {before:?}");
            let line = self.hear();
            if line.starts_with(start) {
                return before;
            }
            before.push(line);
        }
    }
}

#[test]
fn the_service_manager_hears_of_the_start_of_life_and_of_the_end() {
    let home = cli_scan::world();
    let mut manager = Manager::new(&home);
    let served = manager.serve(&home);
    manager.hear_until("READY=1");
    manager.hear_until("WATCHDOG=1");
    manager.hear_until("STATUS=0 jobs under way, 0 waiting");
    manager.hear_until("WATCHDOG=1");
    assert_eq!(served.stop(), Some(0));
    let before = manager.hear_until("STOPPING=1");
    assert!(!before.contains(&"READY=1".to_owned()), "{before:?}");
    // The drain's 25 s and the end of the process.
    manager.hear_until("EXTEND_TIMEOUT_USEC=30000000");
}

#[cfg(feature = "fault-injection")]
#[tokio::test(flavor = "multi_thread")]
async fn no_ping_while_the_store_hangs_and_pings_again_after_that() {
    let home = cli_scan::world();
    let mut manager = Manager::new(&home);
    let served = manager.serve(&home);
    manager.hear_until("WATCHDOG=1");
    let (address, token) = door(&home);
    let mut client = Client::at(address, &token).await.expect("let in");
    client.ask_tool("fault", json!({ "kind": "hang_store", "lasting_ms": 6_000 })).await;
    let silent = "STATUS=the store gave no answer";
    manager.hear_until(silent);
    for _ in 0..2 {
        assert_eq!(manager.hear_until(silent), [""; 0], "nothing else is said while it hangs");
    }
    manager.hear_until("WATCHDOG=1");
    assert_eq!(served.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_does_not_inherit_the_way_to_the_service_manager() {
    let home = cli_scan::world();
    let manager = Manager::new(&home);
    let served = manager.serve(&home);
    let (address, token) = door(&home);
    let mut client = Client::at(address, &token).await.expect("let in");
    let target = home.path().join("target");
    let scan = client.call_tool("scan", json!({ "path": target, "tools": ["hangs"], "wait_s": 0 })).await;
    let runs = format!("HOME={}", home.path().join(".local/state/proctor/runs").display());
    let mut environment = Vec::new();
    until("the tool's start", || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let environments = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
        let of_a_tool =
            |one: &Vec<u8>| one.split(|byte| *byte == 0).any(|line| line.starts_with(runs.as_bytes()));
        environment = environments.into_iter().find(of_a_tool).unwrap_or_default();
        !environment.is_empty()
    })
    .await;
    let environment = String::from_utf8_lossy(&environment);
    assert!(!environment.contains("NOTIFY") && !environment.contains("WATCHDOG"), "{environment}");
    let job = &scan["result"]["structuredContent"]["job"];
    client.call_tool("job_cancel", json!({ "job": job, "wait_s": 20 })).await;
    assert_eq!(served.stop(), Some(0));
}
