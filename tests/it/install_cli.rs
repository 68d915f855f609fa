//! Promise: `proctor tools` says what is there, what works and what to do, to people and to programs, and does nothing
//! when a name is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proctor::actors::installer::{Installed, Locks, Package};
use proctor::domain::ids::ToolName;
use proctor::tools::catalogue::Catalogue;
use proctor::tools::manifest::Manifest;
use serde_json::{Value, json};

/// Columns of a table when standard output is no terminal.
const WIDTH: usize = 120;

/// A home with a tools directory.
struct Home(tempfile::TempDir);

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn tools_dir(&self) -> PathBuf {
        self.0.path().join("tools")
    }

    #[expect(clippy::disallowed_methods, reason = "the binary itself is under test")]
    fn tools(&self, arguments: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_proctor"))
            .arg("tools")
            .args(arguments)
            .args([Path::new("--tools-dir"), &self.tools_dir()])
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A tool of the catalogue whose receipt is right and whose program prints `answer`.
    fn pretend(&self, tool: &str, answer: &str) {
        self.pretend_version(tool, &manifest(tool).version.pinned, answer);
    }

    fn pretend_version(&self, tool: &str, version: &str, answer: &str) {
        let manifest = &manifest(tool);
        let package = Package::of(manifest, &Locks::builtin()).unwrap();
        let program = self.tools_dir().join(tool).join("bin").join(tool);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let receipt = json!({
            "version": version,
            "digest": package.digest,
            "installed_at": "2026-01-01T00:00:00Z",
            "root": tool,
            "program": format!("{tool}/bin/{tool}"),
            "bin_dirs": [format!("{tool}/bin")],
            "needs": [],
            "bytes": 1,
        });
        fs::write(self.tools_dir().join(tool).join("receipt.json"), receipt.to_string()).unwrap();
    }
}

impl Ended {
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The doctor's checks of one kind, by subject.
    fn checks(&self, kind: &str) -> Vec<Value> {
        let answer = self.json();
        let all = answer["checks"].as_array().unwrap().iter();
        all.filter(|check| check["kind"] == kind).cloned().collect()
    }
}

fn manifest(tool: &str) -> Manifest {
    let catalogue = Catalogue::builtin().unwrap();
    catalogue.get(&ToolName(tool.to_owned())).unwrap().clone()
}

/// The programs of a distribution are upgraded without us; what is told of a run is what its receipt says.
#[test]
fn a_run_is_of_the_version_that_is_installed() {
    let home = Home::new();
    home.pretend_version("nmap", "7.99", "Nmap version 7.99");
    assert_eq!(Installed::version(&manifest("nmap"), &home.tools_dir()), "7.99");
    let absent = manifest("wrk");
    assert_eq!(Installed::version(&absent, &home.tools_dir()), absent.version.pinned);
}

fn names() -> Vec<String> {
    let catalogue = Catalogue::builtin().unwrap();
    catalogue.iter().map(|tool| tool.name.0.clone()).collect()
}

/// Whether a tool is a part of proctor, so that there is nothing to install.
fn is_ours(name: &str) -> bool {
    let catalogue = Catalogue::builtin().unwrap();
    catalogue.get(&ToolName(name.to_owned())).unwrap().native().is_some()
}

#[test]
fn an_unknown_name_does_nothing_and_the_nearest_is_suggested() {
    let home = Home::new();
    for command in ["install", "doctor"] {
        let ended = home.tools(&[command, "ruff", "bandti"]).expect(3);
        let wanted = "there is no tool \"bandti\"; did you mean bandit?";
        assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
        assert!(ended.stdout.is_empty() && !home.tools_dir().exists());
    }
    let ended = home.tools(&["install", "zzzz"]).expect(3);
    assert!(!ended.stderr.contains("did you mean"), "{}", ended.stderr);
}

#[test]
fn the_doctor_of_an_empty_directory_fails_for_every_tool_and_says_how_to_go_on() {
    let home = Home::new();
    let ended = home.tools(&["doctor", "--format", "json"]).expect(2);
    assert_eq!(ended.json()["ok"], false);
    let tools = ended.checks("tool");
    let subjects: Vec<_> = tools.iter().map(|check| check["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, names());
    for check in &tools {
        let name = check["subject"].as_str().unwrap();
        let advice = format!("run `proctor tools install {name}`");
        let wanted =
            if is_ours(name) { (json!("ok"), json!(null)) } else { (json!("failed"), json!(advice)) };
        assert_eq!((&check["state"], &check["advice"]), (&wanted.0, &wanted.1), "{check}");
    }
    assert_eq!(ended.checks("runtime").len(), 3);
    assert!(!home.tools_dir().exists(), "a question made a directory");

    let table = home.tools(&["doctor"]).expect(2).stdout;
    for name in names().into_iter().filter(|name| !is_ours(name)) {
        assert!(table.contains(&format!("  {name}: run `proctor tools install {name}`")), "{table}");
    }
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= WIDTH, "{widest} columns:\n{table}");
}

#[test]
fn the_doctor_asks_programs_and_believes_no_receipt() {
    let home = Home::new();
    home.pretend("vulture", "vulture 2.16");
    let ended = home.tools(&["doctor", "vulture", "--format", "json"]).expect(0);
    assert_eq!(ended.checks("tool")[0]["detail"], "2.16 answers");

    home.pretend("vulture", "vulture 2.17");
    let ended = home.tools(&["doctor", "vulture", "--format", "json"]).expect(2);
    let check = &ended.checks("tool")[0];
    assert_eq!(check["state"], "failed");
    assert!(check["detail"].as_str().unwrap().contains("says \"vulture 2.17\""), "{check}");
    assert_eq!(check["advice"], "run `proctor tools install --force vulture`");
}

#[test]
fn the_list_is_the_catalogue_and_tells_what_is_installed() {
    let home = Home::new();
    home.pretend("vulture", "unasked");
    let ended = home.tools(&["list", "--format", "json"]).expect(0);
    let rows = ended.json().as_array().unwrap().clone();
    let listed: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(listed, names());
    for row in &rows {
        let wanted = match row["name"].as_str().unwrap() {
            "vulture" => "installed",
            name if is_ours(name) => "built_in",
            _ => "missing",
        };
        assert_eq!(row["state"], wanted, "{row}");
    }
    let table = home.tools(&["list"]).expect(0).stdout;
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= WIDTH, "{widest} columns:\n{table}");
}

#[test]
fn what_is_installed_is_left_alone() {
    let home = Home::new();
    home.pretend("vulture", "unasked");
    let ended = home.tools(&["install", "vulture"]).expect(0);
    assert!(ended.stdout.starts_with("0 installed, 1 already there; "), "{}", ended.stdout);
}
