//! The promise: a daemon that is killed or stopped costs nobody what was acknowledged. After its restart every job goes on
//! where it was, results that were there are there, and nothing of the earlier life is left.

use std::io::BufReader;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Home;
use crate::cli_scan::{Served, job_of_line, wait_for, world};

/// A job that was left behind is taken up within a second; a loaded machine may take longer.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(15);

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

/// Waits until the job is taken up again and its last tool runs.
fn until_taken_up(home: &Home, job: &str) -> Value {
    let deadline = Instant::now() + TAKEN_UP_WITHIN;
    loop {
        // Asked as fast as the command starts; one that comes too soon after another is refused, and has no output.
        let status = serde_json::from_str::<Value>(&home.run(&["status", job, "--json"]).stdout);
        if let Ok(status) = &status
            && status["attempt"] == 2
            && run(status, "hangs")["state"] == "running"
        {
            return status.clone();
        }
        assert!(Instant::now() < deadline, "the job was not taken up: {status:#?}");
    }
}

/// What the restarted daemon makes of the job: it goes on where it was, and ends once.
fn goes_on_and_ends_once(home: &Home, served: Served, mut scan: Child, job: &str) {
    let again = until_taken_up(home, job);
    assert_eq!((&again["state"], &again["conclusion"]), (&"running".into(), &"pending".into()), "{again:#}");
    assert_eq!(
        run(&again, "finds")["state"],
        "findings",
        "what was acknowledged is kept, and not done twice"
    );
    let results = home.run(&["results", job, "--format", "json"]);
    let results: Value = serde_json::from_str(&results.stdout).unwrap();
    assert_eq!(
        (results["findings"].as_array().unwrap().len(), &results["findings"][0]["rule"]),
        (1, &"R1".into())
    );
    home.run(&["cancel", job]).expect(0);
    // The client followed the job over the restart, and says what came of it.
    assert_eq!(scan.wait().unwrap().code(), Some(2));
    assert_eq!(status(home, job)["state"], "cancelled");
    assert_nothing_is_left(home);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn after_kill_9_a_job_goes_on_where_it_was() {
    let home = world();
    let served = Served::start(&home);
    let (scan, _progress, job) = half_done(&home);
    served.kill();
    goes_on_and_ends_once(&home, Served::start(&home), scan, &job);
}

#[test]
fn sigterm_gives_running_work_its_time_then_hands_it_back_and_exits_0() {
    let home = world();
    set(&home, "drain_s = 3");
    let served = Served::start(&home);
    let (scan, _progress, job) = half_done(&home);
    assert_eq!(served.stop(), Some(0), "a drain is no failure");
    assert_nothing_is_left(&home);
    goes_on_and_ends_once(&home, Served::start(&home), scan, &job);
}

#[test]
fn a_job_whose_target_changed_while_it_was_interrupted_says_so_and_keeps_what_it_had() {
    let home = world();
    let served = Served::start(&home);
    let (mut scan, _progress, job) = half_done(&home);
    served.kill();
    home.write("target/app.py", "import sys\n");
    let served = Served::start(&home);
    assert_eq!(scan.wait().unwrap().code(), Some(2));
    let status = status(&home, &job);
    assert_eq!(
        (&status["state"], &status["conclusion"]),
        (&"failed".into(), &"incomplete".into()),
        "{status:#}"
    );
    assert_eq!(run(&status, "finds")["state"], "findings");
    assert_eq!(run(&status, "hangs")["failure"]["reason"], "target_changed");
    assert_nothing_is_left(&home);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_job_that_sees_the_daemon_die_twice_is_not_tried_a_third_time() {
    let home = world();
    let served = Served::start(&home);
    let (mut scan, _progress, job) = half_done(&home);
    served.kill();
    let served = Served::start(&home);
    until_taken_up(&home, &job);
    served.kill();
    let served = Served::start(&home);
    assert_eq!(scan.wait().unwrap().code(), Some(2));
    let status = status(&home, &job);
    assert_eq!((&status["state"], &status["conclusion"]), (&"quarantined".into(), &"incomplete".into()));
    assert_eq!(run(&status, "hangs")["failure"]["reason"], "daemon_restarted");
    assert_eq!(run(&status, "finds")["state"], "findings", "what was acknowledged is kept");
    assert_nothing_is_left(&home);
    assert_eq!(served.stop(), Some(0));
}

/// Adds a line to the section `[daemon]` of the home's configuration.
fn set(home: &Home, line: &str) {
    let path = home.path().join(".config/proctor/proctor.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("[daemon]", &format!("[daemon]\n{line}"), 1)).unwrap();
}
