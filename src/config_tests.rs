use std::time::Duration;

use super::schema::Kind;
use super::*;

/// A world of its own: a home, a file with `text`, no other environment.
fn load(text: &str, environment: &[(&str, &str)], settings: &[&str]) -> Result<Loaded, Problems> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("test.toml");
    std::fs::write(&file, text).unwrap();
    let mut all = BTreeMap::from([("HOME".to_owned(), home.path().to_string_lossy().into_owned())]);
    all.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
    Sources { file: Some(file), environment: all, settings }.load()
}

fn problems(text: &str) -> Vec<String> {
    let Err(problems) = load(text, &[], &[]) else { panic!("accepted: {text}") };
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_manual_is_its_own_schema() {
    let defaults = load("", &[], &[]).unwrap();
    assert_eq!(load(MANUAL, &[], &[]).unwrap().config.gateway, defaults.config.gateway);
    let assignments = MANUAL.lines().filter(|line| !line.starts_with('#') && line.contains(" = "));
    assert_eq!(schema::keys().len(), assignments.count());
    for spec in schema::keys() {
        assert_eq!(spec.kind.check(&spec.default), Ok(()), "{}", spec.key);
        if let Kind::Integer { min, max, unit } = spec.kind {
            assert!(min < max && !unit.is_empty(), "{} needs a range and a unit", spec.key);
        }
    }
}

/// Values other than the default that a key accepts.
fn others(kind: &Kind, directory: &str) -> Vec<String> {
    match kind {
        Kind::Boolean => vec!["true".into()],
        Kind::Integer { min, max, .. } => vec![min.to_string(), max.to_string()],
        Kind::Text => vec!["debug".into()],
        Kind::Texts => vec!["one,two".into()],
        Kind::OneOf(words) => words.iter().map(|word| (*word).to_owned()).collect(),
        Kind::Address => vec!["127.0.0.1:0".into(), "[::1]:65535".into()],
        Kind::Directory | Kind::Directories => vec![directory.to_owned()],
    }
}

/// Checks a key alone: rules between keys are tried elsewhere.
#[test]
fn every_key_reaches_its_field() {
    let directory = tempfile::tempdir().unwrap();
    let config = |key: &str, text: &str| {
        let mut problems = Vec::new();
        let mut effective = Effective::defaults();
        effective.overlay(layer::from_arguments(&[format!("{key}={text}")], &mut problems), &mut problems);
        assert!(problems.is_empty(), "{key}={text}: {problems:?}");
        let config: Result<Config, _> = effective.into_table().try_into();
        config.unwrap_or_else(|error| panic!("{key}={text}: {error}"))
    };
    let defaults: Config = Effective::defaults().into_table().try_into().unwrap();
    for spec in schema::keys() {
        let values = others(&spec.kind, &directory.path().to_string_lossy());
        let changed = values.iter().any(|value| config(&spec.key, value) != defaults);
        assert!(changed, "{} changes nothing", spec.key);
    }
}

#[test]
fn every_error_is_reported_at_once_with_line_key_reason_and_what_is_allowed() {
    let found = problems(
        "[gateway]\nlisten = \"everywhere\"\nin_flight_max = 0\nquery_token = \"yes\"\n\
         [gatewy]\nlisten = \"127.0.0.1:1\"\n[log]\nformat = \"xml\"\nfilter = \"a=b=c\"\n\
         [targets]\nroots = [\"relative\"]\n[daemon]\ndrain = 5\n",
    );
    let expected = [
        ":2: gateway.listen: \"everywhere\" is not an address",
        ":3: gateway.in_flight_max: 0 is out of range (allowed: integer, 1 to 65536, requests)",
        ":4: gateway.query_token: string \"yes\" is not of the right type (allowed: boolean)",
        ":6: gatewy.listen: is not a key; did you mean gateway.listen?",
        ":8: log.format: \"xml\" is none of the words (allowed: one of text, json)",
        ":9: log.filter: \"a=b=c\" is not understood",
        ":11: targets.roots: \"relative\" is not an absolute path",
        ":13: daemon.drain: is not a key; did you mean daemon.drain_s?",
    ];
    for wanted in expected {
        let hits = found.iter().filter(|problem| problem.contains(wanted)).count();
        assert_eq!(hits, 1, "{wanted}\nin {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_syntax_error_does_not_hide_the_others() {
    let found = problems("listen = \"127.0.0.1:1\"\n[gateway]\nping_s = \nheader_s = 99\n");
    assert!(
        found.iter().any(|problem| problem.contains(":1: listen: stands outside every section")),
        "{found:#?}"
    );
    assert!(found.iter().any(|problem| problem.contains("test.toml:3:")), "{found:#?}");
    assert!(
        found.iter().any(|problem| problem.contains(":4: gateway.header_s: 99 is out of range")),
        "{found:#?}"
    );
}

#[test]
fn later_layers_win_and_say_so() {
    let text = "[gateway]\nping_s = 1\npong_s = 1\nwrite_s = 1\n";
    let environment = [("PROCTOR_GATEWAY__PONG_S", "2"), ("PROCTOR_GATEWAY__WRITE_S", "2")];
    let loaded = load(text, &environment, &["gateway.write_s=3"]).unwrap();
    let gateway = &loaded.config.gateway;
    let seconds = [gateway.ping_interval, gateway.pong_timeout, gateway.write_timeout].map(|it| it.as_secs());
    assert_eq!(seconds, [1, 2, 3]);
    let rendered = loaded.effective.render();
    let origin = |name: &str| rendered.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(origin("ping_s").ends_with("test.toml:2"), "{rendered}");
    assert!(origin("pong_s").ends_with("# environment PROCTOR_GATEWAY__PONG_S"), "{rendered}");
    assert!(origin("write_s").ends_with("# command line"), "{rendered}");
    assert!(origin("drain_s").ends_with("# default"), "{rendered}");
}

#[test]
fn what_is_printed_can_be_loaded_again() {
    let loaded = load("[jobs]\ncpu_slots = 3\n", &[], &[]).unwrap();
    let again = load(&loaded.effective.render(), &[], &[]).unwrap();
    assert_eq!(again.config, loaded.config);
}

#[test]
fn misspelled_variables_and_settings_are_refused() {
    let environment = [
        ("PROCTOR_GATEWAY_LISTEN", "127.0.0.1:1"),
        ("PROCTOR_GATEWAY__LISTN", "127.0.0.1:1"),
        ("PROCTOR_JOBS__CPU_SLOTS", "many"),
        ("PROCTOR_SOMETHING", "of another program of ours"),
    ];
    let Err(problems) = load("", &environment, &["gateway.listen"]) else { panic!("accepted") };
    let found = problems.to_string();
    for wanted in [
        "the configuration has 4 errors",
        "environment PROCTOR_GATEWAY_LISTEN: gateway_listen: is not a key; did you mean gateway.listen?",
        "environment PROCTOR_GATEWAY__LISTN: gateway.listn: is not a key; did you mean gateway.listen?",
        "environment PROCTOR_JOBS__CPU_SLOTS: jobs.cpu_slots: \"many\" is not of the right type",
        "command line: gateway.listen: has no value (allowed: section.key=value)",
    ] {
        assert!(found.contains(wanted), "{wanted}\nin {found}");
    }
}

#[test]
fn an_address_for_all_is_refused_unless_meant() {
    for listen in ["0.0.0.0:7878", "[::]:7878", "192.0.2.1:7878"] {
        let setting = format!("gateway.listen={listen}");
        let refused = load("", &[], &[&setting]).unwrap_err().to_string();
        assert!(refused.contains("set gateway.allow_remote = true to mean it"), "{refused}");
        load("", &[], &[&setting, "gateway.allow_remote=true"]).unwrap();
    }
}

#[test]
fn limits_above_what_contains_them_are_refused() {
    let found = problems("[gateway]\nin_flight_max = 4\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(":2: gateway.in_flight_max:"), "{found:#?}");
    assert!(found[0].contains("in_flight_per_principal_max (16) is larger than gateway.in_flight_max (4)"));
}

#[test]
fn directories_come_from_the_environment_unless_set() {
    let state = tempfile::tempdir().unwrap();
    let state_home = state.path().to_string_lossy().into_owned();
    let daemon = load("", &[("XDG_STATE_HOME", &state_home)], &[]).unwrap().config.daemon;
    assert_eq!(daemon.data_dir, state.path().join("proctor"));
    assert_eq!(daemon.tools_dir, state.path().join("proctor/tools"));

    let of_home = load("[daemon]\ntools_dir = \"~/analysers\"\n", &[], &[]).unwrap();
    assert!(of_home.config.daemon.data_dir.ends_with(".local/state/proctor"));
    assert!(
        of_home.config.daemon.tools_dir.is_absolute()
            && of_home.config.daemon.tools_dir.ends_with("analysers")
    );

    let nowhere = Sources::default().finish(Effective::defaults(), None, Vec::new()).unwrap_err().to_string();
    assert!(
        nowhere.contains("daemon.data_dir: has no default, since neither XDG_STATE_HOME nor HOME"),
        "{nowhere}"
    );
}

#[test]
fn roots_and_directories_must_be_directories() {
    let world = tempfile::tempdir().unwrap();
    let file = world.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_string_lossy().into_owned();
    let settings =
        [format!("targets.roots={},{file}", world.path().display()), format!("daemon.data_dir={file}")];
    let refused = load("", &[], &[&settings[0], &settings[1]]).unwrap_err();
    assert_eq!(refused.0.len(), 2, "{refused}");
    assert!(refused.to_string().contains("file is not an existing directory"), "{refused}");
    assert!(refused.to_string().contains("file is not a directory"), "{refused}");
}

#[test]
fn a_list_on_the_command_line_may_hold_commas() {
    let hosts = |text: &str| load("", &[], &[&format!("gateway.allowed_hosts={text}")]);
    let found = hosts(r#"["one,two", "three"]"#).unwrap().config.gateway.allowed_hosts;
    assert_eq!(found, ["one,two", "three"]);
    assert_eq!(hosts("one, two").unwrap().config.gateway.allowed_hosts, ["one", "two"]);
    assert!(hosts("[one").unwrap_err().to_string().contains("not of the right type"));
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let world = tempfile::tempdir().unwrap();
    let sources = Sources {
        file: Some(world.path().join("absent.toml")),
        environment: BTreeMap::from([("HOME".to_owned(), world.path().to_string_lossy().into_owned())]),
        settings: vec![],
    };
    let refused = sources.load().unwrap_err().to_string();
    assert!(refused.contains("absent.toml: does not exist"), "{refused}");
}

#[test]
fn a_configuration_for_tests_lives_where_it_is_told() {
    let world = tempfile::tempdir().unwrap();
    let config = Config::with_data_dir(world.path()).unwrap();
    assert_eq!((config.daemon.data_dir.as_path(), config.gateway.listen.port()), (world.path(), 0));
    assert_eq!(config.daemon.drain, Duration::from_secs(25));
}
