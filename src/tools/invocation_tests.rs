use std::time::Duration;

use super::*;
use crate::domain::ids::ToolName;
use crate::tools::catalogue::{Catalogue, TOOL_CONFIG};
use crate::tools::read;

fn places() -> Places {
    Places {
        target: TargetPlace::Tree("/snapshots/1".into()),
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
    places.target = TargetPlace::Tree("snapshots".into());
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

/// A manifest for running targets: the URL and what it is made of.
fn prober(arguments: &str) -> Manifest {
    let text = format!(
        "name = \"probe\"\nsummary = \"-\"\nnetwork = true\n[version]\npinned = \"1\"\nargs = []\n\
         [applies]\ntarget = \"web\"\n[web]\nintrusion = \"load\"\n[run]\nprogram = \"/bin/probe\"\n\
         args = {arguments}\ncwd = \"neutral\"\n[run.env]\nTARGET = \"{{url}}\"\n[report]\nfrom = \"stdout\"\n\
         format = \"sarif\"\n[exit]\n0 = \"either\"\n[limits]\nwall_s = 9\noutput_mib = 1\n[weights]\ncpu = 1\n\
         memory_mb = 1\n[severity]\ndefault = \"low\"\n"
    );
    read::manifest("probe.toml", &text).expect("the manifest is right")
}

fn web(proxy: Option<&str>) -> Places {
    let run = WebRun {
        url: "http://shop.test:5000/?a={work}".parse().expect("a URL"),
        address: "127.0.0.1:5000".parse().expect("an address"),
        proxy: proxy.map(|proxy| proxy.parse().expect("an address")),
        duration_s: 3,
        concurrency: 2,
        wall: Duration::from_secs(60),
    };
    Places { target: TargetPlace::Web(Box::new(WebPlaces::new(run).expect("a good URL"))), ..places() }
}

#[test]
fn a_running_target_is_named_whole_and_in_parts() {
    let arguments = "[\"-H\", \"Host: {authority}\", \"{pinned_url}\", \"--for={duration_s}s\", \"{proxy}\", \"{wall_s/7}\"]";
    let places = web(Some("127.0.0.1:1"));
    let call = prober(arguments).invocation(&places, &files(&[]), |_| None).expect("it can be called");
    let expected = [
        "-H",
        "Host: shop.test:5000",
        "http://127.0.0.1:5000/?a={work}",
        "--for=3s",
        "http://127.0.0.1:1",
        "8",
    ];
    assert_eq!(call.args, expected);
    let target = call.env.iter().find(|(name, _)| name == "TARGET").expect("it is set");
    assert_eq!(target.1, "http://shop.test:5000/?a={work}");
    assert_eq!(call.cwd, Path::new("/runs/2"));
}

#[test]
fn a_place_without_a_value_stops_the_call() {
    let asks_proxy = prober("[\"{proxy}\"]");
    let refused = asks_proxy.invocation(&web(None), &files(&[]), |_| None);
    assert!(matches!(refused, Err(InvocationError::NoValue { place: "proxy", .. })), "{refused:?}");
    let refused = asks_proxy.invocation(&places(), &files(&[]), |_| None);
    assert!(matches!(refused, Err(InvocationError::NoValue { .. })), "{refused:?}");
    let refused = manifest("bandit").invocation(&web(None), &files(&[]), |_| None);
    assert!(matches!(refused, Err(InvocationError::NoValue { place: "target", .. })), "{refused:?}");
}

/// Every file that an argument names below `{config}` is in the binary, and every canary.
#[test]
fn the_configuration_that_manifests_name_is_there() {
    for manifest in Catalogue::builtin().expect("our own manifests are right").iter() {
        if manifest.native().is_some() {
            continue;
        }
        let places = if manifest.is_for_web() { web(Some("127.0.0.1:1")) } else { places() };
        let call = manifest.invocation(&places, &files(&["x"]), |_| None).expect("it can be called");
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
