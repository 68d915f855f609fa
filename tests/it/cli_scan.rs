//! The promise: `proctor scan` ends with the exit code of its table, through the running daemon or one of its own, and
//! the other commands see the same job. Tools are `cat` of a prepared report, and `sleep`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cli::{Ended, Home};
use crate::support::rest_of_manifest;

/// A target, and three tools: one finds something of severity high, one finds nothing, one never ends.
pub fn world() -> Home {
    let home = Home::new();
    home.write("target/app.py", "import os\n\nprint(os.sep)\n");
    let hit = json!([{
        "ruleId": "R1",
        "level": "error",
        "message": { "text": "planted" },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": "app.py" }, "region": { "startLine": 3 } } }],
    }]);
    let finds = home.write("finds.sarif", &report(&hit));
    let clean = home.write("clean.sarif", &report(&json!([])));
    home.write("manifests/finds.toml", &manifest("finds", "cat", &finds));
    home.write("manifests/clean.toml", &manifest("clean", "cat", &clean));
    home.write("manifests/hangs.toml", &manifest("hangs", "sleep", "600"));
    let manifests = home.path().join("manifests");
    home.write(
        ".config/proctor/proctor.toml",
        // The prepared reports are files of the user's, which a tool does not see unless told so.
        &format!(
            "[daemon]\nmanifests_dir = {manifests:?}\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
             [process]\nsandbox_readable = [{finds:?}, {clean:?}]\n"
        ),
    );
    home
}

fn report(results: &Value) -> String {
    let examined = json!([{ "location": { "uri": "app.py" }, "roles": ["analysisTarget"] }]);
    json!({ "version": "2.1.0", "runs": [{
        "tool": { "driver": { "name": "prepared" } }, "artifacts": examined, "results": results }] })
    .to_string()
}

fn manifest(name: &str, program: &str, argument: &str) -> String {
    let folder = ["/usr/bin", "/bin"].into_iter().find(|folder| Path::new(folder).join(program).exists());
    format!(
        r#"
name = "{name}"
summary = "prepared"
network = false
[version]
pinned = "1"
args = ["--version"]
[applies]
files = ["**/*.py"]
[run]
program = "{folder}/{program}"
args = ["{argument}"]
cwd = "neutral"
{rest}[severity.words]
error = "high"
"#,
        rest = rest_of_manifest(60),
        folder = folder.expect("coreutils"),
    )
}

/// `proctor serve`, ready.
pub struct Served {
    child: Child,
    /// Kept open: a daemon whose log has no reader would fail to write it.
    log: BufReader<ChildStderr>,
}

impl Served {
    pub fn start(home: &Home) -> Self {
        Self::of(home.command(&["serve", "--root", "target"]))
    }

    /// The daemon that this command starts.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        wait_for(&mut log, "serving");
        Self { child, log }
    }

    pub fn stop(mut self) -> Option<i32> {
        signal(&self.child, Signal::SIGTERM);
        self.child.wait().unwrap().code()
    }

    /// The same, with the log since it served.
    pub fn stop_and_tell(mut self) -> (Option<i32>, String) {
        signal(&self.child, Signal::SIGTERM);
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn kill(mut self) {
        signal(&self.child, Signal::SIGKILL);
        self.child.wait().unwrap();
    }
}

/// Reads up to a line with `word` and returns it; a process that ends without saying it fails the test.
pub fn wait_for(lines: &mut BufReader<ChildStderr>, word: &str) -> String {
    let mut seen = String::new();
    while !seen.lines().next_back().is_some_and(|line| line.contains(word)) {
        assert_ne!(lines.read_line(&mut seen).unwrap(), 0, "{word:?} was never said:\n{seen}");
    }
    seen.lines().next_back().unwrap_or_default().to_owned()
}

pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

fn job_of(ended: &Ended) -> String {
    let line = ended.stderr.lines().find(|line| line.starts_with("scanning ")).expect("the job is named");
    job_of_line(line)
}

/// The id at the end of the line that names the job.
pub fn job_of_line(line: &str) -> String {
    line.trim_end().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn an_embedded_daemon_gives_the_answer_and_the_exit_code() {
    let home = world();
    let found = home.run(&["scan", "target", "--tools", "finds"]).expect(1);
    assert!(found.stdout.contains("high") && found.stdout.contains("app.py:3"), "{}", found.stdout);
    assert!(found.stdout.contains("1 of 1"), "{}", found.stdout);
    found.says("finds              findings");
    home.run(&["scan", "target", "--tools", "finds", "--fail-on", "critical"]).expect(0);
    let clean = home.run(&["scan", "target", "--tools", "clean", "-q"]).expect(0);
    assert!(clean.stdout.contains("clean: every applicable tool read everything"), "{}", clean.stdout);
    assert_eq!(clean.stderr, "");
    home.run(&["scan", "target", "--tools", "absent"]).expect(3).says("there is no tool of that name");
    assert!(!home.path().join(".local/state/proctor/daemon.json").exists(), "the announcement is taken back");
}

#[test]
fn a_tool_that_fails_is_never_clean() {
    let home = world();
    home.write("finds.sarif", "not a report");
    let ended = home.run(&["scan", "target", "--tools", "finds,clean", "--fail-on", "never"]).expect(2);
    assert!(ended.stdout.contains("unreadable_report"), "{}", ended.stdout);
    assert!(ended.stdout.contains("incomplete: what is not reported may still be there"), "{}", ended.stdout);
}

#[test]
fn json_and_sarif_are_whole_documents() {
    let home = world();
    let scan = ["scan", "target", "--tools", "finds,clean", "-q", "--format"];
    let document: Value =
        serde_json::from_str(&home.run(&[&scan[..], &["json"]].concat()).expect(1).stdout).unwrap();
    assert_eq!((&document["total"], &document["findings"][0]["rule"]), (&json!(1), &json!("R1")));
    assert_eq!(document["job"]["conclusion"], "findings");
    let file = home.path().join("out.sarif").to_string_lossy().into_owned();
    let ended = home.run(&[&scan[..], &["sarif", "--output", &file]].concat()).expect(1);
    assert_eq!(ended.stdout, "");
    let sarif: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!((&sarif["version"], sarif["runs"].as_array().unwrap().len()), (&json!("2.1.0"), 2));
}

#[test]
fn every_command_sees_the_job_of_the_running_daemon() {
    let home = world();
    let served = Served::start(&home);
    let job = job_of(&home.run(&["scan", "target", "--tools", "finds"]).expect(1));
    let status = home.run(&["status", &job]).expect(0).stdout;
    assert!(status.contains("finds") && status.contains("1 high"), "{status}");
    let results = home.run(&["results", &job, "--format", "json"]).expect(1).stdout;
    assert_eq!(serde_json::from_str::<Value>(&results).unwrap()["findings"][0]["line"], 3);
    assert!(home.run(&["results", &job, "--min-severity", "critical"]).expect(1).stdout.contains("1 high"));
    home.run(&["status", "0123456789abcdef0123456789abcdef"]).expect(2).says("no job");

    let tree = home.run(&["tree"]).expect(0).stdout;
    assert!(tree.contains("├─ store ") && tree.contains("session-"), "{tree}");
    serde_json::from_str::<Value>(&home.run(&["tree", "--json"]).expect(0).stdout).unwrap();
    let token = home.run(&["token", "--show"]).expect(0).stdout.trim().to_owned();
    let config: Value = serde_json::from_str(&home.run(&["mcp-config", "claude"]).expect(0).stdout).unwrap();
    let server = &config["mcpServers"]["proctor"];
    assert_eq!(server["headers"]["Authorization"], format!("Bearer {token}"));

    home.write("elsewhere/app.py", "");
    home.run(&["scan", "elsewhere"]).expect(3).says("outside the allowed roots");
    assert_eq!(served.stop(), Some(0), "SIGTERM drains");
    home.run(&["tree"]).expect(2).says("start one with `proctor serve`");
}

#[test]
fn the_bridge_carries_mcp_over_standard_input_and_output() {
    let home = world();
    let served = Served::start(&home);
    let requests = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-11-25",
            "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": "two", "method": "tools/list" }),
    ];
    let input = home.write("requests", &requests.map(|request| request.to_string()).join("\n"));
    let mut command = home.command(&["stdio"]);
    let ended = Ended::from(command.stdin(std::fs::File::open(input).unwrap()).output().unwrap()).expect(0);
    let answers: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "proctor");
    assert_eq!(answers[1]["id"], "two");
    assert!(answers[1]["result"]["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "scan"));
    assert_eq!((answers.len(), served.stop()), (2, Some(0)));
}

#[test]
fn ctrl_c_cancels_the_job_and_shows_what_was_found() {
    let home = world();
    let served = Served::start(&home);
    let mut scan = home.command(&["scan", "target", "--tools", "clean,hangs", "--deadline", "60s"]);
    let mut scan = scan.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(scan.stderr.take().unwrap());
    wait_for(&mut progress, "hangs              running");
    signal(&scan, Signal::SIGINT);
    wait_for(&mut progress, "hangs              cancelled");
    let ended = Ended::from(scan.wait_with_output().unwrap()).expect(2);
    assert!(ended.stdout.contains("clean") && ended.stdout.contains("cancelled"), "{}", ended.stdout);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn two_daemons_do_not_share_a_data_directory() {
    let home = world();
    let served = Served::start(&home);
    let second = home.run(&["serve"]).expect(2);
    assert!(second.stderr.contains("proctor: "), "{}", second.stderr);
    assert_eq!(served.stop(), Some(0));
}
