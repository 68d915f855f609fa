//! The promise: the command line says what it did by its exit code, results on standard output, everything else on
//! standard error; a wrong command line or configuration does nothing and ends with 3.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A user's home, where nothing is configured and nothing runs.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    #[expect(clippy::disallowed_methods, reason = "the binary itself is under test")]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proctor"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    pub fn says(&self, wanted: &str) -> &Self {
        assert!(self.stderr.contains(wanted), "{wanted:?} not in stderr:\n{}", self.stderr);
        self
    }
}

#[test]
fn help_and_version_are_answers() {
    let home = Home::new();
    let help = home.run(&["--help"]).expect(0);
    for wanted in
        ["scan", "tree", "mcp-config", "Exit codes:", "  3  the command line or the configuration is wrong"]
    {
        assert!(help.stdout.contains(wanted), "{wanted}\n{}", help.stdout);
    }
    assert!(help.stderr.is_empty(), "{}", help.stderr);
    assert!(home.run(&["scan", "--help"]).expect(0).stdout.contains("--fail-on"));
    assert!(home.run(&["--version"]).expect(0).stdout.starts_with("proctor "));
}

#[test]
fn a_wrong_command_line_ends_with_3_and_says_what_is_right() {
    let home = Home::new();
    home.run(&[]).expect(3).says("Usage:");
    home.run(&["scna", "."]).expect(3).says("similar subcommand exists: 'scan'");
    home.run(&["scan"]).expect(3).says("<TARGET>");
    home.run(&["scan", ".", "--fail-on", "worst"]).expect(3).says("possible values: info, low, medium");
    home.run(&["scan", ".", "--deadline", "soon"]).expect(3).says("such as 90s, 30m or 2h");
    home.run(&["scan", "absent"]).expect(3).says("absent cannot be examined: No such file or directory");
    home.write("file", "");
    home.run(&["scan", "file"]).expect(3).says("file cannot be examined: not a directory");
}

#[test]
fn a_wrong_configuration_stops_every_command_and_all_errors_are_told() {
    let home = Home::new();
    let file = home.write(".config/proctor/proctor.toml", "[gateway]\nlisten = \"x\"\nping = 1\n");
    for command in [&["config"][..], &["tree"], &["scan", "."]] {
        let ended = home.run(command).expect(3);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        ended.says("the configuration has 2 errors");
        ended.says(&format!("{file}:2: gateway.listen: \"x\" is not an address"));
        ended.says(&format!("{file}:3: gateway.ping: is not a key; did you mean gateway.ping_s?"));
    }
    // What explains the keys works whatever the configuration is worth.
    assert!(home.run(&["config", "manual"]).expect(0).stdout.contains("[gateway]"));
}

#[test]
fn the_configuration_in_force_is_shown_with_its_origins() {
    let home = Home::new();
    let file = home.write("own.toml", "[jobs]\ncpu_slots = 2\n");
    let mut command = home.command(&["config", "--config", &file, "--set", "log.format=json"]);
    let shown = Ended::from(command.env("PROCTOR_GATEWAY__PING_S", "7").output().unwrap()).expect(0);
    for (assignment, origin) in [
        ("cpu_slots = 2", format!("# {file}:2")),
        ("format = \"json\"", "# command line".to_owned()),
        ("ping_s = 7", "# environment PROCTOR_GATEWAY__PING_S".to_owned()),
        ("drain_s = 25", "# default".to_owned()),
    ] {
        let line = shown.stdout.lines().find(|line| line.starts_with(assignment));
        assert!(line.is_some_and(|line| line.ends_with(&origin)), "{assignment} {origin}\n{}", shown.stdout);
    }
    // What is shown is itself a configuration.
    let again = home.write("again.toml", &shown.stdout);
    home.run(&["config", "check", &again]).expect(0).says("no errors");
    home.run(&["config", "check", "absent.toml"]).expect(3).says("absent.toml: does not exist");
}

#[test]
fn without_a_daemon_its_questions_fail_and_say_how_to_start_one() {
    let home = Home::new();
    let job = "0123456789abcdef0123456789abcdef";
    for command in
        [&["tree"][..], &["status", job], &["results", job], &["cancel", job], &["stdio"], &["token"]]
    {
        home.run(command).expect(2).says("start one with `proctor serve`");
    }
    home.run(&["mcp-config", "claude"]).expect(2);
    home.run(&["mcp-config", "emacs"]).expect(3).says("possible values: claude, vscode, cursor");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let home = Home::new();
    let mut child =
        home.command(&["config", "manual"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = Ended::from(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn no_color_reaches_a_pipe_and_quiet_is_quiet() {
    let home = Home::new();
    let file = home.write("own.toml", "");
    let quiet = home.run(&["-q", "config", "check", &file]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    for arguments in [&["--help"][..], &["scna"], &["config"]] {
        let ended = home.run(arguments);
        assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'), "{arguments:?}");
    }
}
