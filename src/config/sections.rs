//! The typed configuration: one struct per section, one field per key. What a key means, its unit and its range are in
//! `config/proctor.toml`; values here are checked and complete, and paths are absolute.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::domain::scope::AllowList;

/// Everything that can be configured. Each part of the daemon is handed its section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub daemon: Daemon,
    pub gateway: Gateway,
    pub targets: Targets,
    pub snapshot: Snapshot,
    pub jobs: Jobs,
    pub process: Process,
    pub breakers: Breakers,
    pub docker: Docker,
    pub zap: Zap,
    pub apps: Apps,
    pub storage: Storage,
    pub retention: Retention,
    pub memory: Memory,
    pub log: Log,
}

/// `[daemon]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon {
    pub data_dir: PathBuf,
    pub tools_dir: PathBuf,
    /// Need not exist.
    pub manifests_dir: PathBuf,
    #[serde(rename = "drain_s", deserialize_with = "seconds")]
    pub drain: Duration,
}

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    pub listen: SocketAddr,
    pub allow_remote: bool,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub query_token: bool,
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub connections_per_principal_max: usize,
    pub in_flight_per_session_max: usize,
    pub in_flight_per_principal_max: usize,
    pub in_flight_max: usize,
    pub requests_per_s: u32,
    pub requests_burst: u32,
    pub message_in_bytes_max: usize,
    pub message_out_bytes_max: usize,
    pub json_depth_max: usize,
    pub header_bytes_max: usize,
    #[serde(rename = "header_s", deserialize_with = "seconds")]
    pub header_timeout: Duration,
    #[serde(rename = "write_s", deserialize_with = "seconds")]
    pub write_timeout: Duration,
    #[serde(rename = "ping_s", deserialize_with = "seconds")]
    pub ping_interval: Duration,
    #[serde(rename = "pong_s", deserialize_with = "seconds")]
    pub pong_timeout: Duration,
    pub outbound_messages_max: usize,
    pub outbound_bytes_max: usize,
}

/// `[targets]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Existing directories. Empty: whoever starts the daemon decides (see the manual).
    pub roots: Vec<PathBuf>,
    /// What may be looked at on a network.
    #[serde(deserialize_with = "allow_list")]
    pub hosts: AllowList,
    /// What may be attacked and put under load, too.
    #[serde(deserialize_with = "allow_list")]
    pub active: AllowList,
}

/// `[snapshot]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub files_max: u64,
    pub bytes_max: u64,
    pub file_bytes_max: u64,
    pub line_bytes_max: u64,
    pub depth_max: usize,
}

/// `[jobs]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub queue_max: usize,
    pub queue_per_principal_max: usize,
    pub running_max: usize,
    #[serde(rename = "deadline_s", deserialize_with = "seconds")]
    pub deadline: Duration,
    #[serde(rename = "deadline_max_s", deserialize_with = "seconds")]
    pub deadline_max: Duration,
    #[serde(rename = "lease_s", deserialize_with = "seconds")]
    pub lease: Duration,
    pub attempts_max: u32,
    pub daemon_deaths_max: u32,
    /// 0: one per core of the host.
    pub cpu_slots: u32,
    /// MiB; 0: three quarters of the host's memory.
    pub memory_mib: u64,
}

/// `[process]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    pub output_bytes_max: u64,
    #[serde(rename = "grace_s", deserialize_with = "seconds")]
    pub grace: Duration,
    pub sandbox: SandboxMode,
    /// Absolute.
    pub sandbox_readable: Vec<PathBuf>,
}

/// How much a tool is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// Every wall that works on this machine.
    Auto,
    /// The same, and no run without a wall around the file system.
    Require,
    /// No wall.
    Off,
}

/// `[breakers]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breakers {
    pub failures_max: u32,
    #[serde(rename = "reset_s", deserialize_with = "seconds")]
    pub reset: Duration,
    #[serde(rename = "reset_max_s", deserialize_with = "seconds")]
    pub reset_max: Duration,
}

/// `[docker]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Docker {
    /// `unix:///…`, `tcp://…`; empty: looked for.
    pub host: String,
    pub pull: Pull,
    #[serde(rename = "pull_s", deserialize_with = "seconds")]
    pub pull_timeout: Duration,
    pub disk_mib: u64,
}

/// Whether an image that is not there is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    Missing,
    Never,
}

/// `[zap]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zap {
    pub image: String,
    pub at_once: usize,
    pub warm: usize,
    pub memory_mib: u64,
    /// Hundredths of a core.
    pub cpu_percent: u32,
    pub disk_mib: u64,
    #[serde(rename = "ready_s", deserialize_with = "seconds")]
    pub ready: Duration,
    #[serde(rename = "spider_s", deserialize_with = "seconds")]
    pub spider: Duration,
    #[serde(rename = "passive_s", deserialize_with = "seconds")]
    pub passive: Duration,
    #[serde(rename = "active_s", deserialize_with = "seconds")]
    pub active: Duration,
    pub rule_minutes: u32,
    #[serde(rename = "stuck_s", deserialize_with = "seconds")]
    pub stuck: Duration,
    pub strength: Strength,
    pub options: Vec<String>,
}

/// How hard the active rules of ZAP try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    Low,
    Medium,
    High,
    Insane,
}

/// `[apps]`: applications under test
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apps {
    pub running_max: usize,
    /// Of each container.
    pub memory_mib: u64,
    /// Of one core, of each container.
    pub cpu_percent: u32,
    pub pids_max: u32,
    /// Of each container, volumes not counted.
    pub disk_mib: u64,
    /// Whether their network leads out of this machine.
    pub outside: bool,
    #[serde(rename = "build_s", deserialize_with = "seconds")]
    pub build: Duration,
    pub build_network: BuildNetwork,
    pub context_bytes_max: u64,
    pub images_kept: usize,
    #[serde(rename = "start_s", deserialize_with = "seconds")]
    pub start: Duration,
    #[serde(rename = "linger_s", deserialize_with = "seconds")]
    pub linger: Duration,
    #[serde(rename = "keep_s", deserialize_with = "seconds")]
    pub keep: Duration,
}

/// What the commands of a build reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildNetwork {
    /// What the engine gives: the machine's network, behind its address translation.
    Default,
    None,
}

/// `[storage]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub free_bytes_min: u64,
    pub ballast_bytes: u64,
}

/// `[retention]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub days: u32,
    pub bytes_max: u64,
}

/// `[memory]`, in percent
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    pub jobs_percent: u64,
    pub connections_percent: u64,
    pub shed_percent: u64,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`, known to parse.
    pub filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}

fn allow_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AllowList, D::Error> {
    AllowList::parse(&Vec::<String>::deserialize(deserializer)?)
        .map_err(|bad| D::Error::custom(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}
