//! The keys of a service that are no part of a plan: those passed over, and those that ask for what is not given.

use serde_json::{Map, Value};

use crate::domain::container::Demand;

/// For a person at a terminal, or decided by the daemon for every container: its limits, its restarts, its log, its network.
const PASSED_OVER: &[&str] = &[
    "container_name",
    "hostname",
    "domainname",
    "labels",
    "annotations",
    "restart",
    "init",
    "logging",
    "stdin_open",
    "tty",
    "stop_grace_period",
    "stop_signal",
    "pull_policy",
    "platform",
    "attach",
    "cap_drop",
    "deploy",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "mem_swappiness",
    "cpus",
    "cpu_shares",
    "cpu_quota",
    "cpu_period",
    "cpu_count",
    "cpu_percent",
    "cpuset",
    "pids_limit",
    "shm_size",
    "ulimits",
    "oom_score_adj",
    "scale",
    "develop",
    "profiles",
];

/// Namespaces, as compose files and the policy call them.
const NAMESPACES: &[(&str, &str)] = &[
    ("network_mode", "network"),
    ("pid", "pid"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("userns_mode", "user"),
    ("cgroup", "cgroup"),
];
/// Values of these that share nothing.
const OWN_NAMESPACE: &[&str] = &["bridge", "default", "private", "shareable", "none", ""];

/// Keys that loosen something whatever their value is.
const LOOSENING: &[&str] = &[
    "cgroup_parent",
    "credential_spec",
    "device_cgroup_rules",
    "dns",
    "dns_opt",
    "dns_search",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "isolation",
    "links",
    "mac_address",
    "oom_kill_disable",
    "runtime",
    "storage_opt",
    "sysctls",
    "use_api_socket",
    "volumes_from",
];

/// Takes these keys out of a service; what they ask for comes back.
pub(super) fn take(service: &mut Map<String, Value>) -> Vec<Demand> {
    for key in PASSED_OVER {
        service.remove(*key);
    }
    service.retain(|key, _| !key.starts_with("x-"));
    let mut demands = Vec::new();
    if service.remove("privileged").is_some_and(|value| value != Value::Bool(false)) {
        demands.push(Demand::Privileged);
    }
    for (key, kind) in NAMESPACES {
        let asked = service.remove(*key).map(|value| said(&value));
        let shared = asked.filter(|of| !OWN_NAMESPACE.contains(&of.as_str()));
        demands.extend(shared.map(|of| Demand::Namespace { kind, of }));
    }
    demands.extend(items(service.remove("devices")).map(Demand::Device));
    demands.extend(items(service.remove("security_opt")).map(Demand::SecurityOption));
    let capabilities = items(service.remove("cap_add"));
    demands.extend(capabilities.map(|name| {
        let name = name.to_ascii_uppercase();
        Demand::Capability(name.strip_prefix("CAP_").unwrap_or(&name).to_owned())
    }));
    for key in LOOSENING {
        demands.extend(service.remove(*key).map(|_| Demand::Key((*key).to_owned())));
    }
    demands
}

fn items(value: Option<Value>) -> impl Iterator<Item = String> {
    let list = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    list.into_iter().map(|item| said(&item))
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
