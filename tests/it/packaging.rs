//! The promise: what is in `packaging/` fits the daemon. A unit that loses patience before the drain is over, or a
//! container that runs as root, fails here and not on somebody's server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proctor::cli::Exit;
use proctor::config::{Config, Sources};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(packaging(name)).unwrap()
}

/// A unit's assignments. None of ours is given twice.
struct Unit(BTreeMap<String, String>);

impl Unit {
    fn read() -> Self {
        let mut unit = BTreeMap::new();
        for line in read("systemd/proctor.service").lines() {
            if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                assert_eq!(unit.insert(key.to_owned(), value.to_owned()), None, "{key} is given twice");
            }
        }
        Self(unit)
    }

    fn get(&self, key: &str) -> &str {
        self.0.get(key).unwrap_or_else(|| panic!("the unit has no {key}"))
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(self.get(key).parse().unwrap())
    }
}

#[test]
fn the_unit_gives_the_daemon_the_time_it_takes() {
    let unit = Unit::read();
    let folder = tempfile::tempdir().unwrap();
    let drain = Config::with_data_dir(folder.path()).unwrap().daemon.drain;
    assert!(unit.seconds("TimeoutStopSec") >= drain + Duration::from_secs(10), "a drain of {drain:?} fits");
    // The daemon gives its own start 60 s, and says then what was not ready.
    assert!(unit.seconds("TimeoutStartSec") > Duration::from_secs(60));
    assert_eq!((unit.get("Type"), unit.get("KillMode")), ("notify", "mixed"));
    assert_eq!(unit.get("RestartPreventExitStatus"), Exit::Usage.code().to_string());
    assert_eq!(unit.get("Restart"), "on-failure");
}

#[test]
fn the_unit_gives_up_on_a_daemon_that_fails_again_and_again() {
    let unit = Unit::read();
    let burst: u32 = unit.get("StartLimitBurst").parse().unwrap();
    let slowest = unit.seconds("RestartSec") + unit.seconds("WatchdogSec");
    assert!(slowest * burst < unit.seconds("StartLimitIntervalSec"), "the limit can be reached");
}

#[test]
fn the_units_walls_do_not_break_those_of_the_tools() {
    let unit = Unit::read();
    assert_eq!((unit.get("Delegate"), unit.get("OOMPolicy")), ("yes", "continue"));
    let breaking = [
        "RestrictNamespaces",
        "PrivateUsers",
        "ProtectKernelTunables",
        "ProtectKernelLogs",
        "ProtectProc",
        "ProcSubset",
        "ProtectControlGroups",
        "MemoryDenyWriteExecute",
    ];
    for key in breaking {
        assert!(!unit.0.contains_key(key), "{key}: see the comment in the unit");
    }
    assert!(unit.get("RestrictAddressFamilies").contains("AF_NETLINK"));
    assert!(!unit.get("SystemCallFilter").contains("@mount"));
    assert_eq!((unit.get("User"), unit.get("NoNewPrivileges")), ("proctor", "yes"));
    assert!(read("systemd/proctor.sysusers").contains("\nu proctor "));
}

/// systemd's own opinion.
#[test]
#[expect(clippy::disallowed_methods, reason = "systemd's checker is asked, no tool is run")]
fn systemd_knows_every_key_of_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proctor.service");
    let here = read("systemd/proctor.service").replace("/usr/bin/proctor", env!("CARGO_BIN_EXE_proctor"));
    fs::write(&path, here).unwrap();
    let mut verify = std::process::Command::new("systemd-analyze");
    let output = verify.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&path).output();
    let output = output.expect("systemd-analyze is installed by ./scripts/test");
    let said = String::from_utf8_lossy(&output.stderr);
    // Other units of this machine are none of ours.
    let of_ours = |line: &&str| line.contains("proctor.service");
    assert_eq!(said.lines().filter(of_ours).collect::<Vec<_>>(), [""; 0], "{said}");
}

#[test]
fn the_example_configuration_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proctor.toml");
    let here = folder.path().to_str().unwrap();
    let state = format!("{here}/state");
    fs::write(&file, read("proctor.toml").replace("/srv/proctor", here).replace("/var/lib/proctor", &state))
        .unwrap();
    let sources = Sources { file: Some(file), environment: BTreeMap::new(), settings: Vec::new() };
    let config = sources.load().unwrap_or_else(|problems| panic!("{problems}")).config;
    assert_eq!((config.daemon.data_dir, config.targets.roots), (state.into(), vec![here.into()]));
    assert!(read("systemd/proctor.tmpfiles").contains("\nd /srv/proctor "), "its root is made");
    assert_eq!(Unit::read().get("StateDirectory"), "proctor", "which is /var/lib/proctor");
}

/// The instructions of the last stage, each on one line.
fn last_stage() -> Vec<String> {
    let text = read("docker/Dockerfile").replace("\\\n", " ");
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let last = lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    assert_eq!(lines[last], "FROM base");
    assert!(lines.contains(&"FROM debian:bookworm-slim AS base"));
    lines[last..].iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_image_runs_as_nobody_special_is_watched_and_drains() {
    let stage = last_stage();
    let one = |word: &str| {
        let found: Vec<&String> = stage.iter().filter(|line| line.starts_with(word)).collect();
        assert_eq!(found.len(), 1, "{word}: {found:?}");
        found[0].clone()
    };
    assert_eq!(one("USER "), "USER 10001:10001");
    assert!(one("HEALTHCHECK ").ends_with("http://127.0.0.1:7878/livez\"]"));
    assert_eq!(one("STOPSIGNAL "), "STOPSIGNAL SIGTERM");
    assert_eq!(one("ENTRYPOINT "), "ENTRYPOINT [\"/usr/bin/proctor\"]", "no shell that swallows the signal");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let environment = one("ENV ").replace("/src", here).replace("/var/lib/proctor", here);
    let pairs = environment.split(' ').filter_map(|pair| pair.split_once('='));
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let sources = Sources { file: None, environment, settings: Vec::new() };
    let config = sources.load().unwrap_or_else(|problems| panic!("{problems}")).config;
    assert!(config.gateway.allow_remote && config.gateway.listen.ip().is_unspecified());
}

#[test]
fn the_build_sees_nothing_but_what_it_needs() {
    let ignore = read("docker/Dockerfile.dockerignore");
    let mut lines = ignore.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"), "what is not named stays out");
    for line in lines {
        let path = line.strip_prefix('!').expect("only what is let in");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} is gone");
    }
}
