//! What the catalogue knows about one tool. A manifest is data: `read.rs` makes it from TOML, `invocation.rs` makes a
//! command line from it, `parse/` reads the output by it, the installer installs by it.

use std::collections::BTreeSet;
use std::time::Duration;

use globset::GlobSet;

use crate::domain::breaker::Dependency;
use crate::domain::ids::ToolName;
use crate::domain::outcome::FailureReason;
use crate::domain::verdict::ExitMeaning;

pub use super::format::Format;
pub use super::place::{Argument, Of, Part, Place, Template};
pub use super::program::{Cwd, Install, InstallKind, Origin, ProgramRun, ReportSource, Stream, System};
pub use super::severities::{ByRule, SeverityMap};

/// One tool.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub name: ToolName,
    /// One sentence for people and models.
    pub summary: String,
    /// Whether a run needs the network; always, where the target is a running one.
    pub network: bool,
    pub version: Version,
    pub applies: Applies,
    pub run: Run,
    pub limits: Limits,
    pub weights: Weights,
    /// Of what a parser reads; a native tool says how much a finding matters itself.
    pub severity: SeverityMap,
    /// CWE numbers, ascending, of rules whose reports name none.
    pub cwe: ByRule<Vec<u32>>,
}

/// The version that is pinned, and how an installed program says which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Of a program of the distribution: the oldest that will do. Of a native tool: proctor's own.
    pub pinned: String,
    /// Arguments that make the program print its version.
    pub args: Vec<String>,
    /// The text right before the version, on either stream; empty where the version comes first.
    pub after: String,
    /// The exit code with which it does so; one program of the distribution says 1.
    pub exit: i32,
}

/// What the tool looks at.
#[derive(Debug, Clone)]
pub enum Applies {
    /// Files of a source tree.
    Tree(Files),
    /// A running web application.
    Web { intrusion: Intrusion },
}

/// Which files of a target are the tool's business.
#[derive(Debug, Clone)]
pub struct Files {
    /// As written, for people.
    pub files: Vec<String>,
    pub except: Vec<String>,
    /// File names (globs without `/`) that steer the tool from inside the target and that no flag neutralises.
    pub leave_out: Vec<String>,
    pub(super) files_set: GlobSet,
    pub(super) except_set: GlobSet,
}

/// What a tool does to a running target, least first: which phase of a job and which entry of the configuration's lists
/// of hosts allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intrusion {
    /// It asks for what a browser asks for.
    Passive,
    /// It sends what an attacker sends.
    Active,
    /// It sends as much as it can.
    Load,
}

impl Intrusion {
    pub const ALL: [Self; 3] = [Self::Passive, Self::Active, Self::Load];

    /// The word in a manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Active => "active",
            Self::Load => "load",
        }
    }
}

/// How the tool does its work.
#[derive(Debug, Clone)]
pub enum Run {
    Program(Box<ProgramRun>),
    /// Inside of proctor: nothing is installed, called or parsed.
    Native(Native),
}

/// The tools that are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Native {
    Zap,
    Headers,
    Endpoints,
}

impl Native {
    pub const ALL: [Self; 3] = [Self::Zap, Self::Headers, Self::Endpoints];

    /// The word in a manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Zap => "zap",
            Self::Headers => "headers",
            Self::Endpoints => "endpoints",
        }
    }
}

/// Defaults of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub wall: Duration,
    /// Of each stream and of the report file; 0 for a native tool, which has neither.
    pub output_bytes: u64,
}

/// What a run costs the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Cores it keeps busy.
    pub cpu: u32,
    pub memory_mb: u64,
}

impl Manifest {
    /// Whether the tool looks at running web applications, not at files.
    pub const fn is_for_web(&self) -> bool {
        matches!(self.applies, Applies::Web { .. })
    }

    /// What it does to a running target; `None` for a tool that reads files.
    pub const fn intrusion(&self) -> Option<Intrusion> {
        match self.applies {
            Applies::Tree(_) => None,
            Applies::Web { intrusion } => Some(intrusion),
        }
    }

    /// What it cannot work without: while one of these is down, it can do nothing.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let service = (self.native() == Some(Native::Zap)).then_some(Dependency::Zap);
        [Dependency::Tool(self.name.clone())].into_iter().chain(service).collect()
    }

    /// Which of our own tools it is, if it is one.
    pub const fn native(&self) -> Option<Native> {
        match self.run {
            Run::Program(_) => None,
            Run::Native(native) => Some(native),
        }
    }

    /// How it is called, if it is a program.
    pub fn program(&self) -> Option<&ProgramRun> {
        match &self.run {
            Run::Program(program) => Some(program),
            Run::Native(_) => None,
        }
    }

    /// The container image that its program runs in, if it does.
    pub fn image(&self) -> Option<&str> {
        match &self.program()?.origin {
            Origin::Image { image, .. } => Some(image),
            Origin::Installed(_) | Origin::System(_) | Origin::Brought(_) => None,
        }
    }

    /// What proctor installs for it, if anything.
    pub fn install(&self) -> Option<&Install> {
        match &self.program()?.origin {
            Origin::Installed(install) => Some(install),
            Origin::System(_) | Origin::Brought(_) | Origin::Image { .. } => None,
        }
    }

    /// Whether `proctor tools install` has to do with it.
    pub fn is_installable(&self) -> bool {
        let origin = self.program().map(|program| &program.origin);
        matches!(origin, Some(Origin::Installed(_) | Origin::System(_)))
    }

    /// Its files, if it reads files.
    pub const fn files(&self) -> Option<&Files> {
        match &self.applies {
            Applies::Tree(files) => Some(files),
            Applies::Web { .. } => None,
        }
    }

    /// Whether the tool can be run on some of the files of a target.
    pub fn takes_files(&self) -> bool {
        self.program().is_some_and(|program| program.for_files().is_some())
    }

    /// The files of a target that are this tool's business. Paths are relative to the target's root.
    pub fn expected<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let paths = paths.into_iter().filter(|path| self.applies_to(path));
        paths.map(str::to_owned).collect()
    }

    /// Whether a file, by its path relative to the target's root, is this tool's business.
    pub fn applies_to(&self, path: &str) -> bool {
        self.files().is_some_and(|files| files.files_set.is_match(path) && !files.except_set.is_match(path))
    }

    /// Whether the command line or the environment of the tool holds `place`.
    pub fn names(&self, place: Place) -> bool {
        let in_template = |template: &Template| template.0.contains(&Part::Place(place));
        self.program().is_some_and(|program| program.templates().any(in_template))
    }

    /// What an exit code means.
    pub fn meaning(&self, code: i32) -> ExitMeaning {
        let known = self.program().and_then(|program| program.exits.get(&code));
        known.cloned().unwrap_or_else(|| ExitMeaning::Failed {
            reason: FailureReason::UnexpectedExit,
            detail: format!("{} ended with exit code {code}, which its manifest does not know", self.name),
            advice: None,
        })
    }
}

impl Version {
    /// The version in what the program printed when called with [`Self::args`].
    pub fn find_in(&self, printed: &str) -> Option<String> {
        let candidates =
            printed.lines().filter_map(|line| line.trim_start().strip_prefix(self.after.as_str()));
        let words = candidates.filter_map(|rest| rest.split_whitespace().next());
        // Debian's builds may say `debian/4.1.0`.
        let words = words.map(|word| word.rsplit('/').next().unwrap_or(word));
        let versions = words.map(|word| word.trim_start_matches('v').trim_end_matches(','));
        let mut versions = versions.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        versions.next().map(str::to_owned)
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
