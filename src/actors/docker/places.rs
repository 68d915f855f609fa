//! Where an engine may be: as configured, else as the environment says, else the usual sockets in the usual order, of which the
//! first that answers is taken.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Sockets of the whole machine, after those of the user.
const OF_ALL: &[&str] = &["/var/run/docker.sock", "/run/podman/podman.sock"];

/// What Docker's client wants of an address on a network when one of these is set: TLS, which is not spoken here.
const TLS: [&str; 2] = ["DOCKER_TLS_VERIFY", "DOCKER_TLS"];

/// Where to look, best first, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `unix:///path`, `tcp://host:port`.
    pub hosts: Vec<String>,
    /// Who chose them.
    pub chosen_by: &'static str,
    /// The variable that asks for TLS, if there is one and it means this address.
    pub tls: Option<&'static str>,
}

impl Places {
    /// `configured` is `docker.host`; `environment` has `DOCKER_HOST`, `XDG_RUNTIME_DIR`, `HOME` and
    /// those that ask for TLS.
    pub fn of(configured: &str, environment: &BTreeMap<String, String>, user: u32) -> Self {
        if !configured.is_empty() {
            return Self {
                hosts: vec![configured.to_owned()],
                chosen_by: "docker.host of the configuration",
                tls: None,
            };
        }
        let said = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        if let Some(host) = said("DOCKER_HOST") {
            let tls = TLS.into_iter().find(|name| host.starts_with("tcp://") && said(name).is_some());
            return Self { hosts: vec![host.clone()], chosen_by: "DOCKER_HOST of the environment", tls };
        }
        let runtime = said("XDG_RUNTIME_DIR").map_or_else(|| format!("/run/user/{user}"), Clone::clone);
        let mut sockets = vec![OF_ALL[0].to_owned(), format!("{runtime}/docker.sock")];
        sockets.extend(said("HOME").map(|home| format!("{home}/.docker/run/docker.sock")));
        sockets.push(format!("{runtime}/podman/podman.sock"));
        sockets.push(OF_ALL[1].to_owned());
        let hosts = sockets.into_iter().map(|socket| format!("unix://{socket}")).collect();
        Self { hosts, chosen_by: "the usual places", tls: None }
    }

    /// With the environment of this process.
    pub fn of_process(configured: &str) -> Self {
        let names = ["DOCKER_HOST", "XDG_RUNTIME_DIR", "HOME"].into_iter().chain(TLS);
        let said = names.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect();
        Self::of(configured, &said, nix::unistd::getuid().as_raw())
    }

    /// Those that are there, best first; a network address is taken for there.
    pub fn present(&self) -> impl Iterator<Item = &str> {
        let there = |host: &&String| socket(host).is_none_or(|path| path.exists());
        self.hosts.iter().filter(there).map(String::as_str)
    }

    /// The one that was found, and no other: what is held there is not somewhere else.
    pub fn only(&self, host: &str) -> Self {
        Self { hosts: vec![host.to_owned()], ..self.clone() }
    }

    /// For people.
    pub fn listed(&self) -> String {
        self.hosts.join(", ")
    }
}

/// Whether the socket is not root's: then its engine is not either, or it is none of this machine's (a virtual machine's, one that is
/// forwarded). Podman does not say so itself.
pub(super) fn is_somebodys(host: &str) -> bool {
    let owner = socket(host).and_then(|path| Some(path.metadata().ok()?.uid()));
    owner.is_some_and(|owner| owner != 0)
}

/// The path of a Unix socket's address.
fn socket(host: &str) -> Option<PathBuf> {
    host.strip_prefix("unix://").map(|path| Path::new(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_somebody_chose_is_the_only_place() {
        let said = environment(&[("DOCKER_HOST", "tcp://10.0.0.1:2375")]);
        assert_eq!(Places::of("unix:///x.sock", &said, 0).hosts, ["unix:///x.sock"]);
        assert_eq!(Places::of("", &said, 0).hosts, ["tcp://10.0.0.1:2375"]);
    }

    #[test]
    fn else_rootless_and_podman_sockets_are_looked_for() {
        let said = environment(&[("DOCKER_HOST", ""), ("HOME", "/home/me")]);
        let expected = [
            "unix:///var/run/docker.sock",
            "unix:///run/user/1000/docker.sock",
            "unix:///home/me/.docker/run/docker.sock",
            "unix:///run/user/1000/podman/podman.sock",
            "unix:///run/podman/podman.sock",
        ];
        assert_eq!(Places::of("", &said, 1000).hosts, expected);
    }

    #[test]
    fn what_is_there_is_tried_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("unix://{}", folder.path().join(name).display());
        let places = Places { hosts: vec![at("a"), at("b"), at("c")], chosen_by: "a test", tls: None };
        assert_eq!(places.present().next(), None);
        for name in ["c", "b"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(places.present().collect::<Vec<_>>(), [at("b"), at("c")]);
        assert_eq!(places.only(&at("c")).hosts, [at("c")]);
    }

    #[test]
    fn tls_is_asked_for_of_an_address_on_a_network() {
        let of = |host: &str, name: &str| {
            Places::of("", &environment(&[("DOCKER_HOST", host), (name, "1")]), 0).tls
        };
        assert_eq!(of("tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY"), Some("DOCKER_TLS_VERIFY"));
        assert_eq!(of("tcp://127.0.0.1:2376", "DOCKER_CERT_PATH"), None, "that alone asks for nothing");
        assert_eq!(of("unix:///docker.sock", "DOCKER_TLS_VERIFY"), None);
    }
}
