//! The promise: a daemon that is killed or stopped costs nobody what was acknowledged. After its restart every job shows
//! a truthful state, results that were there are there, and nothing of the earlier life is left.

use std::io::BufReader;
use std::process::{Child, ChildStderr, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cli::Home;
use crate::cli_scan::{Served, job_of_line, signal, wait_for, world};

/// A scan of which one tool has found something and another will never end.
fn half_done(home: &Home) -> (Child, BufReader<ChildStderr>, String) {
    let mut scan = home.command(&["scan", "target", "--tools", "finds,hangs", "--deadline", "60s"]);
    let mut scan = scan.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(scan.stderr.take().unwrap());
    let job = job_of_line(&wait_for(&mut progress, "scanning "));
    wait_for(&mut progress, "finds              findings");
    (scan, progress, job)
}

fn status(home: &Home, job: &str) -> Value {
    serde_json::from_str(&home.run(&["status", job, "--json"]).stdout).unwrap()
}

fn run<'a>(status: &'a Value, tool: &str) -> &'a Value {
    let runs = status["runs"].as_array().unwrap();
    runs.iter().find(|run| run["tool"] == tool).unwrap()
}

/// Processes of tools that any daemon of this home started.
fn tool_processes(home: &Home) -> usize {
    let runs = format!("HOME={}", home.path().join(".local/state/proctor/runs").display());
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
    all.filter(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(runs.as_bytes()))
    })
    .count()
}

fn assert_nothing_is_left(home: &Home) {
    assert_eq!(tool_processes(home), 0);
    for folder in ["runs", "snapshots"] {
        let path = home.path().join(".local/state/proctor").join(folder);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "something is left in {folder}");
    }
}

#[test]
fn after_kill_9_every_job_shows_a_truthful_state() {
    let home = world();
    let served = Served::start(&home);
    let (mut scan, _progress, job) = half_done(&home);
    served.kill();
    let served = Served::start(&home);
    let status = status(&home, &job);
    assert_eq!(
        (&status["state"], &status["conclusion"]),
        (&"failed".into(), &"incomplete".into()),
        "{status:#}"
    );
    assert!(status["error"].as_str().unwrap().contains("restarted"), "{status:#}");
    assert_eq!(run(&status, "finds")["state"], "findings", "what was acknowledged is kept");
    assert_eq!(run(&status, "hangs")["failure"]["reason"], "daemon_restarted");
    let results = home.run(&["results", &job, "--format", "json"]);
    let results: Value = serde_json::from_str(&results.stdout).unwrap();
    assert_eq!(results["findings"][0]["rule"], "R1");
    assert_nothing_is_left(&home);
    // The client followed the job over the restart, and says what came of it.
    assert_eq!(scan.wait().unwrap().code(), Some(2));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn sigterm_gives_running_work_its_time_then_ends_it_and_exits_0() {
    let home = world();
    let settings = "[daemon]\ndrain_s = 1\nmanifests_dir = ";
    let path = home.path().join(".config/proctor/proctor.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("[daemon]\nmanifests_dir = ", settings);
    std::fs::write(&path, text).unwrap();
    let served = Served::start(&home);
    let (mut scan, _progress, job) = half_done(&home);
    assert_eq!(served.stop(), Some(0), "a drain is no failure");
    assert_nothing_is_left(&home);
    let served = Served::start(&home);
    let status = status(&home, &job);
    assert_eq!(status["state"], "cancelled", "{status:#}");
    assert_eq!(run(&status, "finds")["state"], "findings");
    assert_eq!(run(&status, "hangs")["state"], "cancelled");
    signal(&scan, Signal::SIGKILL);
    scan.wait().unwrap();
    assert_eq!(served.stop(), Some(0));
}
