use super::super::{ContainerLimits, Purpose};
use super::*;

fn spec(purpose: Purpose) -> ContainerSpec {
    let limits = ContainerLimits { memory_bytes: 64 << 20, cpu_milli: 500, pids: 64 };
    ContainerSpec::new("app", purpose, "shop".parse().unwrap(), limits)
}

fn policy() -> Policy {
    Policy { readable: vec!["/home/me/src".into()], writable: vec!["/state/runs".into()] }
}

fn refusals(change: impl FnOnce(&mut ContainerSpec)) -> Vec<Refusal> {
    let mut spec = spec(Purpose::App);
    change(&mut spec);
    policy().judge(&spec).err().unwrap_or_default()
}

fn bind(source: &str, writable: bool) -> Vec<Refusal> {
    let mount = Mount::Bind { source: source.into(), target: "/in".into(), writable };
    refusals(|spec| spec.mounts.push(mount))
}

#[test]
fn a_plain_container_is_made() {
    for purpose in [Purpose::Scanner, Purpose::Tool, Purpose::App] {
        assert_eq!(policy().judge(&spec(purpose)), Ok(()));
    }
}

#[test]
fn everything_that_reaches_the_machine_is_refused_and_all_of_it_is_named() {
    let demands = vec![
        Demand::Privileged,
        Demand::Namespace { kind: "network", of: "host".into() },
        Demand::Namespace { kind: "pid", of: "container:other".into() },
        Demand::Device("/dev/kvm".into()),
        Demand::Capability("SYS_ADMIN".into()),
        Demand::SecurityOption("seccomp=unconfined".into()),
        Demand::Key("volumes_from".into()),
    ];
    let refused = refusals(|spec| spec.demands = demands);
    assert_eq!(refused.len(), 7, "{refused:?}");
    let text = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for word in [
        "privileged",
        "network namespace of host",
        "/dev/kvm",
        "SYS_ADMIN",
        "seccomp=unconfined",
        "volumes_from",
    ] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn capabilities_are_of_the_purpose() {
    assert_eq!(refusals(|spec| spec.capabilities = Purpose::App.grantable().to_vec()), []);
    assert_eq!(refusals(|spec| spec.demands.push(Demand::Capability("SETUID".into()))), []);
    for purpose in [Purpose::Scanner, Purpose::Tool] {
        let mut greedy = spec(purpose);
        greedy.capabilities.push(Capability::SetUid);
        assert_eq!(policy().judge(&greedy).map_err(|refused| refused.len()), Err(1));
    }
}

#[test]
fn only_allowed_directories_are_mounted() {
    assert_eq!(bind("/home/me/src/shop", false), []);
    assert_eq!(bind("/state/runs/run-1", true), []);
    assert_eq!(bind("/home/me/src/shop", true), [Refusal::Writable("/home/me/src/shop".into())]);
    for outside in
        ["/", "/home/me", "/home/me/srcery", "/etc", "/home/me/src/../.ssh", "home/me/src", "/state"]
    {
        assert!(matches!(bind(outside, false)[..], [Refusal::Outside { .. }]), "{outside}");
    }
}

#[test]
fn the_engines_socket_is_refused_wherever_it_lies() {
    for socket in
        ["/var/run/docker.sock", "/run/docker.sock", "/home/me/src/docker.sock", "/run/podman/podman.sock"]
    {
        assert_eq!(bind(socket, false), [Refusal::EngineSocket(socket.into())]);
    }
    assert!(!bind("/var/run", false).is_empty() && !bind("/run", true).is_empty());
}

#[test]
fn a_limit_is_never_none() {
    let unlimited = ContainerLimits { memory_bytes: 0, cpu_milli: 0, pids: 0 };
    assert_eq!(refusals(|spec| spec.limits = unlimited).len(), 3);
}

#[test]
fn words_and_targets_are_plain() {
    for word in ["", "Shop", "a b", "a/b", "../a", &"a".repeat(41)] {
        assert_eq!(refusals(|spec| spec.word = word.to_owned()), [Refusal::Word(word.to_owned())]);
    }
    for at in ["", "relative", "/", "/a/../b"] {
        let mount = Mount::Tmpfs { target: at.to_owned(), bytes: 1 };
        assert_eq!(refusals(|spec| spec.mounts.push(mount)), [Refusal::Target(at.to_owned())]);
    }
}
