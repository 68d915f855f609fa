//! Containers as values: what one is made from ([`ContainerSpec`]), what it may be granted ([`policy`]), whose it is
//! ([`labels`]) and how it stands ([`ContainerState`]).
//!
//! A spec has no field for what proctor never grants (privileges, host namespaces, devices): what somebody's file asks of
//! that kind is a [`Demand`], which the policy refuses by name.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub mod floor;
pub mod image;
pub mod labels;
pub mod policy;
pub mod state;

pub use image::{BadImage, ImageName};
pub use labels::{Identity, Owner};
pub use policy::{Demand, Policy, Refusal};
pub use state::{ContainerState, Happening, Health};

/// All that a container is made from. Every other setting is the same for all: an init process, no new privileges, no
/// capabilities but these, no restart by the engine, swap off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// What it is, for people: the middle of its name. Lower-case letters, digits and dashes.
    pub word: String,
    pub purpose: Purpose,
    pub owner: Owner,
    pub image: ImageName,
    /// `None`: the image's own.
    pub entrypoint: Option<Vec<String>>,
    /// `None`: the image's own.
    pub command: Option<Vec<String>>,
    pub env: BTreeMap<String, String>,
    /// `None`: the image's own.
    pub user: Option<String>,
    pub workdir: Option<String>,
    /// `None`: no network but its own loopback.
    pub network: Option<Attachment>,
    /// Names that its resolver answers, besides the containers of its network.
    pub hosts: BTreeMap<String, IpAddr>,
    pub mounts: Vec<Mount>,
    /// Written into it before it starts.
    pub files: Vec<FileIn>,
    /// Whether its root is read-only: then it writes to its mounts only.
    pub read_only: bool,
    pub capabilities: Vec<Capability>,
    /// How it is asked whether it is well; `None`: as the image says.
    pub healthcheck: Option<HealthCheck>,
    pub limits: ContainerLimits,
    /// What was asked for and is not for a spec to give.
    pub demands: Vec<Demand>,
}

impl ContainerSpec {
    /// A container of `image` with nothing granted.
    pub fn new(word: &str, purpose: Purpose, image: ImageName, limits: ContainerLimits) -> Self {
        Self {
            word: word.to_owned(),
            purpose,
            owner: Owner::default(),
            image,
            entrypoint: None,
            command: None,
            env: BTreeMap::new(),
            user: None,
            workdir: None,
            network: None,
            hosts: BTreeMap::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            read_only: false,
            capabilities: Vec::new(),
            healthcheck: None,
            limits,
            demands: Vec::new(),
        }
    }
}

/// What a container is for; it decides which capabilities it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A scanner that lives for one scan.
    Scanner,
    /// A tool run.
    Tool,
    /// Somebody's application, which is examined.
    App,
}

impl Purpose {
    /// What it may be granted. Scanners and tools run as a plain user. The images of common servers start as root, own their
    /// files, and become another user; none of these reaches out of the container.
    pub const fn grantable(self) -> &'static [Capability] {
        use Capability::{Chown, DacOverride, Fowner, Kill, NetBindService, SetGid, SetUid};
        match self {
            Self::Scanner | Self::Tool => &[],
            Self::App => &[Chown, DacOverride, Fowner, Kill, NetBindService, SetGid, SetUid],
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Tool => "tool",
            Self::App => "app",
        }
    }
}

/// The capabilities that can be granted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    Chown,
    DacOverride,
    Fowner,
    Kill,
    NetBindService,
    SetGid,
    SetUid,
}

impl Capability {
    /// As the engine and compose files write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chown => "CHOWN",
            Self::DacOverride => "DAC_OVERRIDE",
            Self::Fowner => "FOWNER",
            Self::Kill => "KILL",
            Self::NetBindService => "NET_BIND_SERVICE",
            Self::SetGid => "SETGID",
            Self::SetUid => "SETUID",
        }
    }
}

/// A network, and the names that others on it know the container by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub network: String,
    pub aliases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A path of this machine. Canonical: the policy compares it as it is.
    Bind { source: PathBuf, target: String, writable: bool },
    /// Memory; counted against its limit.
    Tmpfs { target: String, bytes: u64 },
    /// A directory of the engine's, which goes with the container.
    Volume { target: String },
}

/// A file that is put into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIn {
    /// Absolute.
    pub path: String,
    /// As in `chmod`.
    pub mode: u32,
    /// Owner and group in the container.
    pub owner: (u64, u64),
    pub content: Vec<u8>,
}

/// A command in the container that answers whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCheck {
    /// The image's own is not asked.
    Off,
    Ask {
        test: Vec<String>,
        interval: Duration,
        timeout: Duration,
        start_period: Duration,
        retries: u32,
    },
}

/// What a container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerLimits {
    /// Swap is not added to it.
    pub memory_bytes: u64,
    /// Thousandths of a core.
    pub cpu_milli: u32,
    /// Processes and threads.
    pub pids: u32,
}

/// A network of our own, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// As in [`ContainerSpec::word`].
    pub word: String,
    pub owner: Owner,
    pub reach: Reach,
}

/// Where the containers of a network can get to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Each other, and this machine at the network's gateway address.
    Internal,
    /// And wherever this machine can get to.
    Outside,
}
