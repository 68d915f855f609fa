//! A spec in the engine's words. What is the same for every container stands here.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, Mount as EngineMount, MountTmpfsOptions, MountType, MountVolumeOptions,
    NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};

use crate::domain::container::{ContainerSpec, HealthCheck, Identity, Mount};

/// What the engine keeps of a container's output: two files of this size. More than any tail that is shown.
const LOG_FILE_SIZE: &str = "8m";
const LOG_FILES: &str = "2";
/// Where a container's resolver sends questions about other names than those of its network: nowhere. The engine's own
/// resolver asks from the machine's side, also for containers whose network leads nowhere.
const NO_RESOLVER: &str = "127.0.0.1";
/// What such a resolver cannot know is said soon: by itself it takes twenty seconds.
const RESOLVER_OPTIONS: [&str; 2] = ["timeout:1", "attempts:1"];
/// Nanoseconds of processor time in a thousandth of a core.
const NANO_CPUS_PER_MILLI: i64 = 1_000_000;

/// What the engine is asked to create. `is_closed`: the network has no way out.
pub(super) fn create(spec: &ContainerSpec, identity: Identity, is_closed: bool) -> ContainerCreateBody {
    let labels: HashMap<String, String> = identity.labels(spec.owner, &spec.word).into_iter().collect();
    ContainerCreateBody {
        image: Some(spec.image.to_string()),
        entrypoint: spec.entrypoint.clone(),
        cmd: spec.command.clone(),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: spec.user.clone(),
        working_dir: spec.workdir.clone(),
        labels: Some(labels.clone()),
        healthcheck: spec.healthcheck.as_ref().map(health),
        attach_stdin: Some(false),
        open_stdin: Some(false),
        tty: Some(false),
        host_config: Some(host(spec, &labels, is_closed)),
        networking_config: spec.network.as_ref().map(|attachment| {
            let endpoint =
                EndpointSettings { aliases: Some(attachment.aliases.clone()), ..EndpointSettings::default() };
            NetworkingConfig {
                endpoints_config: Some(HashMap::from([(attachment.network.clone(), endpoint)])),
            }
        }),
        ..ContainerCreateBody::default()
    }
}

fn host(spec: &ContainerSpec, labels: &HashMap<String, String>, is_closed: bool) -> HostConfig {
    let memory = i64::try_from(spec.limits.memory_bytes).unwrap_or(i64::MAX);
    let network = spec.network.as_ref().map_or("none", |attachment| attachment.network.as_str());
    HostConfig {
        network_mode: Some(network.to_owned()),
        dns: is_closed.then(|| vec![NO_RESOLVER.to_owned()]),
        dns_options: is_closed.then(|| RESOLVER_OPTIONS.map(str::to_owned).to_vec()),
        extra_hosts: Some(spec.hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect()),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(spec.capabilities.iter().map(|capability| capability.word().to_owned()).collect()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        readonly_rootfs: Some(spec.read_only),
        // A first process that reaps, and that hands signals on.
        init: Some(true),
        memory: Some(memory),
        // The same: no swap on top of it.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(spec.limits.cpu_milli) * NANO_CPUS_PER_MILLI),
        pids_limit: Some(i64::from(spec.limits.pids)),
        mounts: Some(spec.mounts.iter().map(|one| mount(one, labels)).collect()),
        // The daemon decides what is started again.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        auto_remove: Some(false),
        publish_all_ports: Some(false),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), LOG_FILE_SIZE.to_owned()),
                ("max-file".to_owned(), LOG_FILES.to_owned()),
            ])),
        }),
        ..HostConfig::default()
    }
}

fn mount(mount: &Mount, labels: &HashMap<String, String>) -> EngineMount {
    match mount {
        Mount::Bind { source, target, writable } => EngineMount {
            typ: Some(MountType::BIND),
            source: Some(source.to_string_lossy().into_owned()),
            target: Some(target.clone()),
            read_only: Some(!writable),
            ..EngineMount::default()
        },
        Mount::Tmpfs { target, bytes } => EngineMount {
            typ: Some(MountType::TMPFS),
            target: Some(target.clone()),
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: Some(i64::try_from(*bytes).unwrap_or(i64::MAX)),
                mode: Some(0o1777),
                ..MountTmpfsOptions::default()
            }),
            ..EngineMount::default()
        },
        Mount::Volume { target } => EngineMount {
            typ: Some(MountType::VOLUME),
            target: Some(target.clone()),
            volume_options: Some(MountVolumeOptions {
                labels: Some(labels.clone()),
                ..MountVolumeOptions::default()
            }),
            ..EngineMount::default()
        },
    }
}

fn health(check: &HealthCheck) -> HealthConfig {
    match check {
        HealthCheck::Off => HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() },
        HealthCheck::Ask { test, interval, timeout, start_period, retries } => {
            let nanos = |duration: &std::time::Duration| i64::try_from(duration.as_nanos()).ok();
            HealthConfig {
                test: Some(test.clone()),
                interval: nanos(interval),
                timeout: nanos(timeout),
                start_period: nanos(start_period),
                retries: Some(i64::from(*retries)),
                ..HealthConfig::default()
            }
        }
    }
}
