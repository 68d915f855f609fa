use super::*;
use crate::domain::ids::ToolName;
use crate::tools::catalogue::{Catalogue, TOOL_CONFIG};

fn places() -> Places {
    Places {
        target: "/snapshots/1".into(),
        work: "/runs/2".into(),
        tool_config: "/data/tool-config".into(),
        rules: "/data/rules".into(),
        install: "/tools/x".into(),
        bin_dirs: vec!["/tools/x/bin".into()],
    }
}

fn files(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn manifest(name: &str) -> Manifest {
    let catalogue = Catalogue::builtin().expect("our own manifests are right");
    catalogue.get(&ToolName(name.to_owned())).expect("it is ours").clone()
}

fn call(name: &str, names: &[&str]) -> Invocation {
    let environment = |variable: &str| Some(OsString::from(format!("the daemon's {variable}")));
    manifest(name).invocation(&places(), &files(names), environment).expect("it can be called")
}

#[test]
fn placeholders_become_paths() {
    let call = call("bandit", &["a.py"]);
    let args: Vec<_> = call.args.iter().filter_map(|argument| argument.to_str()).collect();
    assert!(args.contains(&"/data/tool-config/bandit/empty.ini"), "{args:?}");
    assert_eq!(args.last(), Some(&"/snapshots/1"));
    assert_eq!(call.cwd, Path::new("/runs/2"));
    assert_eq!(call.report, None);
}

/// The one text of a call that a stranger chose is the name of a file.
#[test]
fn a_files_name_can_become_neither_a_flag_nor_a_second_argument() {
    let names = ["--config=evil.py", "-rf.py", "/etc/passwd", "a b.py", "{work}.py", "x;y.py"];
    let call = call("vulture", &names);
    let own = call.args.iter().filter(|argument| argument.as_bytes().starts_with(b"/snapshots/1/"));
    assert_eq!(own.count(), names.len());
    let fixed = ["--config", "/dev/null", "--min-confidence", "60", "/data/tool-config/vulture/canary.py"];
    assert_eq!(call.args.len(), names.len() + fixed.len());
    assert!(call.args.iter().any(|argument| argument == "/snapshots/1/{work}.py"));
}

#[test]
fn a_group_is_repeated_for_each_file() {
    let call = call("pip-audit", &["requirements.txt", "b/requirements.txt"]);
    let tail: Vec<_> = call.args.iter().rev().take(4).rev().collect();
    assert_eq!(tail, ["-r", "/snapshots/1/b/requirements.txt", "-r", "/snapshots/1/requirements.txt"]);
}

#[test]
fn only_listed_variables_are_passed_on() {
    let variables = |name: &str| call(name, &["requirements.txt"]).env;
    let has = |name: &str, variable: &str| variables(name).iter().any(|(key, _)| key == variable);
    assert!(has("pip-audit", "HTTPS_PROXY"));
    assert!(!has("bandit", "HTTPS_PROXY"));
    assert!(!has("pip-audit", "PYTHONPATH"));
    let path = variables("bandit").into_iter().find(|(key, _)| key == "PATH").expect("PATH is set");
    assert_eq!(path.1, "/tools/x/bin:/usr/local/bin:/usr/bin:/bin");
}

#[test]
fn a_relative_place_is_refused() {
    let mut places = places();
    places.target = "snapshots".into();
    let refused = manifest("bandit").invocation(&places, &files(&["a.py"]), |_| None);
    assert!(matches!(refused, Err(InvocationError::NotAbsolute { .. })), "{refused:?}");
}

#[test]
fn more_files_than_fit_on_a_command_line_are_refused() {
    let many: BTreeSet<String> = (0..60_000).map(|number| format!("directory/file-{number}.py")).collect();
    let refused = manifest("vulture").invocation(&places(), &many, |_| None);
    assert!(matches!(refused, Err(InvocationError::TooManyFiles { files: 60_000, .. })), "{refused:?}");
}

#[test]
fn a_tool_with_a_list_can_be_run_on_some_of_the_files() {
    let half = files(&["a.py"]);
    let call = manifest("ruff").invocation_for_files(&places(), &half, |_| None);
    let call = call.expect("it takes a list").expect("it can be called");
    assert_eq!(call.args.last().and_then(|it| it.to_str()), Some("/snapshots/1/a.py"));
    assert!(manifest("gitleaks").invocation_for_files(&places(), &half, |_| None).is_none());
}

/// Every file that an argument names below `{config}` is in the binary, and every canary.
#[test]
fn the_configuration_that_manifests_name_is_there() {
    for manifest in Catalogue::builtin().expect("our own manifests are right").iter() {
        let call = manifest.invocation(&places(), &files(&["x"]), |_| None).expect("it can be called");
        let named = call.args.iter().filter_map(|it| it.to_str()?.split_once("/data/tool-config/"));
        for (_, path) in named {
            assert!(
                TOOL_CONFIG.get_file(path).is_some(),
                "{}: config/tools/{path} is missing",
                manifest.name
            );
        }
    }
}

#[test]
fn a_path_outside_of_the_root_is_no_relative_path() {
    let root = Path::new("/snapshots/1");
    assert_eq!(relative("/snapshots/1/a/b.py", root).as_deref(), Some("a/b.py"));
    assert_eq!(relative("/snapshots/1/./a.py", root).as_deref(), Some("a.py"));
    for outside in ["/snapshots/10/a.py", "/snapshots/1", "/snapshots/1/", "/snapshots/1/../2/a", "a.py"] {
        assert_eq!(relative(outside, root), None, "{outside}");
    }
}
