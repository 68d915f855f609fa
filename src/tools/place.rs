//! Placeholders of a manifest's templates: the closed list, and what each stands for.
//!
//! Every value is chosen by proctor or checked by it, and none can begin with a dash or hold a break: none can become a
//! flag or a second argument. The values of a run are in [`super::invocation`].

use std::num::NonZeroU32;

/// One entry of the argv template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    One(Template),
    /// Repeated for each file that is the tool's business; may hold [`Place::File`].
    PerFile(Vec<Template>),
}

/// Text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Place(Place),
    /// `{wall_s/4}`: so many-th part of [`Place::WallS`], at least 1: for a tool with limits on its parts.
    WallShare(NonZeroU32),
}

/// What a placeholder stands for. Where nothing else is said, an absolute path that proctor chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The snapshot's root.
    Target,
    /// The run's own empty directory.
    Work,
    /// `config/tools/<name>/`, as materialised by the daemon.
    Config,
    /// `config/rules/`, as materialised by the daemon.
    Rules,
    /// Where the tool is installed.
    Install,
    /// The report file, inside of the run's own directory.
    Report,
    /// One file of the target.
    File,
    /// The target's canonical URL: `http://shop.test:5000/a?b`.
    Url,
    /// Its scheme, host and port: `http://shop.test:5000`.
    Origin,
    /// Its host and, where it is not the scheme's own, its port: `shop.test:5000`. What belongs into a `Host` header.
    Authority,
    /// Its host; brackets around an IPv6 address.
    Host,
    /// Its port, a number.
    Port,
    /// The address its name stood for when the job began, bare: `127.0.0.1`, `::1`.
    Address,
    /// [`Place::Url`] with the address in place of the name, for tools that go through no proxy.
    PinnedUrl,
    /// The run's only way out, as a proxy's URL: `http://127.0.0.1:40123`.
    Proxy,
    /// Whole seconds of load asked for.
    DurationS,
    /// Requests at a time asked for.
    Concurrency,
    /// Whole seconds the run may take, for limits of the tool's own that must end before it.
    WallS,
}

impl Place {
    pub const ALL: [Self; 18] = [
        Self::Target,
        Self::Work,
        Self::Config,
        Self::Rules,
        Self::Install,
        Self::Report,
        Self::File,
        Self::Url,
        Self::Origin,
        Self::Authority,
        Self::Host,
        Self::Port,
        Self::Address,
        Self::PinnedUrl,
        Self::Proxy,
        Self::DurationS,
        Self::Concurrency,
        Self::WallS,
    ];

    /// The word between the braces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Work => "work",
            Self::Config => "config",
            Self::Rules => "rules",
            Self::Install => "install",
            Self::Report => "report",
            Self::File => "file",
            Self::Url => "url",
            Self::Origin => "origin",
            Self::Authority => "authority",
            Self::Host => "host",
            Self::Port => "port",
            Self::Address => "address",
            Self::PinnedUrl => "pinned_url",
            Self::Proxy => "proxy",
            Self::DurationS => "duration_s",
            Self::Concurrency => "concurrency",
            Self::WallS => "wall_s",
        }
    }

    /// Which targets give it a value.
    pub const fn of(self) -> Of {
        match self {
            Self::Work | Self::Config | Self::Install | Self::Report => Of::Any,
            Self::Target | Self::Rules | Self::File => Of::Tree,
            Self::Url
            | Self::Origin
            | Self::Authority
            | Self::Host
            | Self::Port
            | Self::Address
            | Self::PinnedUrl
            | Self::Proxy
            | Self::DurationS
            | Self::Concurrency
            | Self::WallS => Of::Web,
        }
    }
}

/// Which kind of target a placeholder belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Any,
    Tree,
    Web,
}
