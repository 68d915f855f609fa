use super::*;
use crate::domain::severity::Severity;
use crate::tools::catalogue::{Catalogue, ManifestError};
use crate::tools::read;

fn errors(text: &str) -> Vec<ManifestError> {
    read::manifest("tool.toml", text).expect_err("the manifest is wrong")
}

fn catalogue() -> Catalogue {
    Catalogue::builtin().expect("our own manifests are right")
}

fn tool(name: &str) -> Manifest {
    let name = ToolName(name.to_owned());
    catalogue().get(&name).expect("it is ours").clone()
}

fn bandit() -> &'static str {
    include_str!("catalogue/bandit.toml")
}

#[test]
fn all_errors_of_a_file_come_at_once_with_their_keys() {
    let text = bandit()
        .replace("network = false", "network = \"no\"\nnetwrok = true")
        .replace("wall_s = 1800", "wall_s = 0")
        .replace("\"{target}\"", "\"{tarket}\"")
        .replace("1 = \"findings\"", "1 = \"maybe\"\n256 = \"clean\"")
        .replace("HIGH = \"high\"", "HIGH = \"grave\"")
        .replace("program = \"bin/bandit\"", "program = \"../bandit\"")
        .replace("files = [\"**/*.py\"]", "files = [\"**/*.{py\"]")
        .replace("[weights]\ncpu = 1", "[weights]");
    let keys: Vec<String> = errors(&text).into_iter().map(|error| error.key).collect();
    let expected = [
        "applies.files",
        "run.args",
        "exit.1",
        "exit.256",
        "limits.wall_s",
        "weights.cpu",
        "severity.words.HIGH",
        "install.program",
        "network",
        "netwrok",
    ];
    for key in expected {
        assert!(keys.iter().any(|found| found == key), "{key} is not in {keys:?}");
    }
    assert_eq!(keys.len(), expected.len(), "{keys:?}");
}

#[test]
fn an_error_names_file_key_and_reason() {
    let found = errors(&bandit().replace("cwd = \"neutral\"", "cwd = \"home\""));
    let lines: Vec<String> = found.iter().map(ManifestError::to_string).collect();
    assert_eq!(lines, ["tool.toml: run.cwd: \"home\" is none of neutral, target, rules"]);
}

#[test]
fn what_is_no_toml_is_refused_in_one_error() {
    let found = errors("name = ");
    assert_eq!(found.len(), 1);
    assert!(found[0].reason.starts_with("not TOML"), "{}", found[0]);
}

#[test]
fn a_placeholder_without_a_value_is_refused() {
    for (right, wrong) in [("\"{target}\"", "\"{file}\""), ("\"{target}\"", "\"{target\"")] {
        let found = errors(&bandit().replace(right, wrong));
        assert!(found.iter().all(|error| error.key.starts_with("run.args")), "{found:?}");
    }
}

#[test]
fn a_users_manifests_are_read_beside_ours_and_replace_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("a.toml"), bandit()).expect("written");
    std::fs::write(directory.path().join("b.toml"), "x = 1").expect("written");
    let own = bandit().replace("name = \"bandit\"", "name = \"own\"");
    std::fs::write(directory.path().join("c.toml"), &own).expect("written");
    std::fs::write(directory.path().join("notes.txt"), "no manifest").expect("written");
    let found = Catalogue::with_user_dir(directory.path()).expect_err("two are wrong");
    assert!(found.iter().any(|error| error.file.ends_with("a.toml") && error.key == "name"), "{found:?}");
    assert!(found.iter().any(|error| error.file.ends_with("b.toml") && error.key == "x"), "{found:?}");
    assert!(!found.iter().any(|error| error.file.ends_with("c.toml")), "{found:?}");

    std::fs::remove_file(directory.path().join("a.toml")).expect("removed");
    std::fs::remove_file(directory.path().join("b.toml")).expect("removed");
    let both = Catalogue::with_user_dir(directory.path()).expect("all are right");
    assert_eq!(both.iter().count(), catalogue().iter().count() + 1);
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let missing = std::path::Path::new("/proctor/no/such/directory");
    let found = Catalogue::with_user_dir(missing).expect_err("it is not there");
    assert_eq!(found.len(), 1);
}

#[test]
fn only_files_of_its_kind_are_a_tools_business() {
    let files = ["a.py", "b/c.py", "b/c.js", "d.pyc", "e"];
    let expected = tool("bandit").expected(files);
    assert_eq!(expected.into_iter().collect::<Vec<_>>(), ["a.py", "b/c.py"]);
}

#[test]
fn what_a_tool_passes_over_by_its_own_rules_is_not_expected_of_it() {
    let files = ["a.py", "x/package-lock.json", "x/y.png", "node_modules/a/b.js", "docs/readme", ".env"];
    let of = |name: &str| tool(name).expected(files).into_iter().collect::<Vec<_>>();
    assert_eq!(of("gitleaks"), [".env", "a.py", "docs/readme"]);
    assert_eq!(of("detect-secrets"), [".env", "a.py", "docs/readme", "node_modules/a/b.js"]);
}

#[test]
fn an_exit_code_that_nobody_described_is_a_failure() {
    let meaning = tool("bandit").meaning(77);
    let reason = FailureReason::UnexpectedExit;
    assert!(matches!(meaning, ExitMeaning::Failed { reason: found, .. } if found == reason), "{meaning:?}");
}

#[test]
fn a_rules_own_severity_goes_before_the_words_and_the_longest_key_before_shorter_ones() {
    let map = tool("ruff").severity;
    assert_eq!(map.of("S602", None), Severity::High);
    assert_eq!(map.of("S404", None), Severity::Low);
    assert_eq!(map.of("S401", Some("whatever")), Severity::High);
    assert_eq!(map.of("Z1", None), map.default);
    let map = tool("semgrep").severity;
    assert_eq!(map.of("any", Some("ERROR")), Severity::High);
    assert_eq!(map.of("any", Some("a new word")), map.default);
}

#[test]
fn a_version_is_found_in_what_a_program_prints() {
    let say = |name: &str, printed: &str| tool(name).version.find_in(printed);
    assert_eq!(say("eslint", "v10.15.0\n").as_deref(), Some("10.15.0"));
    assert_eq!(say("bandit", "bandit 1.9.4\n  python version = 3.11.7\n").as_deref(), Some("1.9.4"));
    assert_eq!(say("bandit", "command not found"), None);
    assert_eq!(say("gitleaks", "version is set by build process"), None);
    let of_debian = Version { pinned: "4".into(), args: vec![], after: "wrk ".into(), exit: 1 };
    assert_eq!(of_debian.find_in("wrk debian/4.1.0-3+b2 [epoll]").as_deref(), Some("4.1.0-3+b2"));
}

/// A tool for running targets that names what only such a tool can.
const PROBE: &str = r#"
name = "probe"
summary = "Looks at a running target"
network = true
[version]
pinned = "1.0"
args = ["--version"]
[applies]
target = "web"
[web]
intrusion = "active"
[run]
args = ["--url", "{url}", "--proxy={proxy}", "--seconds", "{wall_s}", "--out", "{report}"]
cwd = "neutral"
[run.env]
LEVEL = "{concurrency}"
[report]
from = "file"
format = "sarif"
[exit]
0 = "either"
[limits]
wall_s = 60
output_mib = 1
[weights]
cpu = 1
memory_mb = 64
[severity]
default = "low"
[install]
kind = "system"
package = "probe-utils"
program = "probe"
"#;

/// One that is ours.
const OURS: &str = r#"
name = "ours"
summary = "Looks at a running target from inside of proctor"
network = true
[applies]
target = "web"
[web]
intrusion = "passive"
[run]
native = "headers"
[limits]
wall_s = 60
[weights]
cpu = 1
memory_mb = 64
"#;

fn read(text: &str) -> Manifest {
    read::manifest("tool.toml", text).expect("the manifest is right")
}

fn keys(text: &str) -> Vec<String> {
    errors(text).into_iter().map(|error| error.key).collect()
}

#[test]
fn a_tool_for_running_targets_says_what_it_does_to_them() {
    let probe = read(PROBE);
    assert!(probe.is_for_web() && probe.is_installable());
    assert_eq!(probe.intrusion(), Some(Intrusion::Active));
    assert_eq!((probe.native(), probe.image(), probe.install()), (None, None, None));
    assert!(probe.names(Place::Proxy) && probe.names(Place::Concurrency) && !probe.names(Place::Address));
    assert!(!probe.applies_to("app.py") && !probe.takes_files());
    let origin = &probe.program().expect("it is a program").origin;
    assert!(matches!(origin, Origin::System(system) if system.package == "probe-utils"), "{origin:?}");
    let bandit = tool("bandit");
    assert!(!bandit.is_for_web() && bandit.intrusion().is_none() && bandit.install().is_some());
}

#[test]
fn a_tool_of_ours_has_neither_program_nor_report_nor_version_of_its_own() {
    let ours = read(OURS);
    assert_eq!(ours.native(), Some(Native::Headers));
    assert!(ours.program().is_none() && !ours.is_installable());
    assert_eq!(ours.version.pinned, env!("CARGO_PKG_VERSION"));
    let failed = ours.meaning(0);
    assert!(matches!(failed, ExitMeaning::Failed { .. }), "{failed:?}");

    let more = OURS.replace("native = \"headers\"", "native = \"headers\"\nargs = []")
        + "[version]\npinned = \"1\"\n[report]\n[exit]\n[severity]\n[install]\n";
    assert_eq!(keys(&more), ["run.args", "exit", "install", "report", "severity", "version"]);
    assert_eq!(keys(&OURS.replace("\"headers\"", "\"heads\""))[..1], ["run.native"]);
    let tree =
        OURS.replace("target = \"web\"", "files = [\"**\"]").replace("[web]\nintrusion = \"passive\"", "");
    assert_eq!(keys(&tree), ["run.native"]);
}

#[test]
fn an_image_needs_a_tag_and_a_program_inside_of_it() {
    let (start, _) = PROBE.split_once("[install]").expect("it has one");
    let inside = |run: &str| start.replace("[run]", &format!("[run]\n{run}"));
    let program = "program = \"/usr/bin/probe\"";
    let probe = read(&inside(&format!("{program}\nimage = \"registry.test:5000/a/probe:1.0\"")));
    assert_eq!(probe.image(), Some("registry.test:5000/a/probe:1.0"));
    assert!(!probe.is_installable());
    for image in ["probe", "registry.test:5000/probe", "-v:1", "a b:1"] {
        let found = keys(&inside(&format!("{program}\nimage = \"{image}\"")));
        assert_eq!(found, ["run.image"], "{image}");
    }
    assert_eq!(keys(&inside("image = \"probe:1\"")), ["install"]);
}

#[test]
fn what_belongs_to_the_other_kind_of_target_is_refused() {
    let wrong = PROBE
        .replace("network = true", "network = false")
        .replace("target = \"web\"", "target = \"web\"\nfiles = [\"**\"]")
        .replace("\"active\"", "\"rude\"")
        .replace("\"{url}\"", "\"{target}\"")
        .replace("{concurrency}", "{report}")
        .replace("cwd = \"neutral\"", "cwd = \"target\"\ncall_per_file = true")
        .replace("program = \"probe\"", "program = \"bin/probe\"")
        .replace("\"probe-utils\"", "\"-y\"");
    let mut found = keys(&wrong);
    found.sort();
    let expected = [
        "applies.files",
        "install.package",
        "install.program",
        "network",
        "run.args",
        "run.call_per_file",
        "run.cwd",
        "run.env.LEVEL",
        "web.intrusion",
    ];
    assert_eq!(found, expected);
    for (right, wrong) in [("\"{target}\"", "\"{url}\""), ("\"{target}\"", "\"{wall_s/2}\"")] {
        assert_eq!(keys(&bandit().replace(right, wrong)), ["run.args"]);
    }
    for wrong in ["{wall_s/0}", "{wall_s/-1}", "{wall_s/}", "{port/2}"] {
        assert_eq!(keys(&PROBE.replace("{wall_s}", wrong)), ["run.args"], "{wrong}");
    }
    let listed = PROBE.replace("\"{url}\"", "[\"{url}\"]");
    assert_eq!(keys(&listed), ["run.args"]);
    assert_eq!(keys(&bandit().replace("[run]", "[web]\nintrusion = \"active\"\n[run]")), ["web"]);
}
