//! What the catalogue knows about one tool. A manifest is data: `read.rs` makes it from TOML, `invocation.rs` makes a
//! command line from it, `parse/` reads the output by it, the installer installs by it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use globset::GlobSet;

use crate::domain::ids::ToolName;
use crate::domain::outcome::FailureReason;
use crate::domain::severity::Severity;
use crate::domain::verdict::ExitMeaning;

/// One tool.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub name: ToolName,
    /// One sentence for people and models.
    pub summary: String,
    /// Whether a run needs the network.
    pub network: bool,
    pub version: Version,
    pub applies: Applies,
    pub run: Run,
    pub report: ReportSource,
    /// What each known exit code means; every other code is a failure. Read through [`Manifest::meaning`].
    pub exits: BTreeMap<i32, ExitMeaning>,
    pub limits: Limits,
    pub weights: Weights,
    pub severity: SeverityMap,
    /// CWE numbers, ascending, of rules whose reports name none.
    pub cwe: ByRule<Vec<u32>>,
    /// `None`: the user brings the program.
    pub install: Option<Install>,
}

/// The version that is pinned, and how an installed program says which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub pinned: String,
    /// Arguments that make the program print its version.
    pub args: Vec<String>,
    /// The text right before the version, on either stream; empty where the version comes first.
    pub after: String,
}

/// Which files of a target are the tool's business.
#[derive(Debug, Clone)]
pub struct Applies {
    /// As written, for people.
    pub files: Vec<String>,
    pub except: Vec<String>,
    /// File names (globs without `/`) that steer the tool from inside the target and that no flag neutralises.
    pub leave_out: Vec<String>,
    pub(super) files_set: GlobSet,
    pub(super) except_set: GlobSet,
}

/// How the tool is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// A program that the user brings, absolute; `None` for one that `install` describes.
    pub program: Option<PathBuf>,
    /// Whether every file is a call of its own: for tools to which two files together mean something else.
    pub call_per_file: bool,
    pub args: Vec<Argument>,
    /// For a run on some of the files, after one file has brought the tool down; `None` for a tool that takes no list, or
    /// takes one always. Read through [`Manifest::invocation_for_files`].
    pub args_for_files: Option<Vec<Argument>>,
    /// Whether what it says of one file depends on the others: then what it says of a part of the files is no part of
    /// what it says of all.
    pub across_files: bool,
    pub cwd: Cwd,
    /// Names of the daemon's environment variables that are passed on.
    pub pass_env: Vec<String>,
    pub env: BTreeMap<String, Template>,
}

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
}

/// What a placeholder stands for: always an absolute path that proctor chose, so none can become a flag.
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
}

impl Place {
    pub const ALL: [Self; 7] =
        [Self::Target, Self::Work, Self::Config, Self::Rules, Self::Install, Self::Report, Self::File];

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
        }
    }
}

/// Where the tool is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cwd {
    /// The run's own empty directory: nothing of the target can be picked up from it.
    Neutral,
    /// The snapshot's root, for tools that know no other base.
    Target,
    /// The directory of our rules.
    Rules,
}

/// Where the report is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSource {
    pub from: Stream,
    pub format: Format,
    /// A file of [`Place::Config`] that the tool is given beside the target and must report: its proof of work.
    pub canary: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
    /// The file that `{report}` names.
    File,
}

/// A report format that `parse/` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Sarif,
    Bandit,
    DetectSecrets,
    Eslint,
    Gitleaks,
    PipAudit,
    Ruff,
    Semgrep,
    Vulture,
}

impl Format {
    /// Whether its parser takes standard error for evidence, beside the report.
    pub const fn reads_log(self) -> bool {
        match self {
            Self::DetectSecrets | Self::Gitleaks | Self::PipAudit | Self::Ruff | Self::Vulture => true,
            Self::Sarif | Self::Bandit | Self::Eslint | Self::Semgrep => false,
        }
    }

    pub const ALL: [Self; 9] = [
        Self::Sarif,
        Self::Bandit,
        Self::DetectSecrets,
        Self::Eslint,
        Self::Gitleaks,
        Self::PipAudit,
        Self::Ruff,
        Self::Semgrep,
        Self::Vulture,
    ];

    /// The word in a manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sarif => "sarif",
            Self::Bandit => "bandit",
            Self::DetectSecrets => "detect-secrets",
            Self::Eslint => "eslint",
            Self::Gitleaks => "gitleaks",
            Self::PipAudit => "pip-audit",
            Self::Ruff => "ruff",
            Self::Semgrep => "semgrep",
            Self::Vulture => "vulture",
        }
    }

    /// How a report of this format shows which files the tool read, in words for people.
    pub const fn proof(self) -> &'static str {
        match self {
            Self::Sarif => "artifacts with the role analysisTarget",
            Self::Bandit => "metrics of each file, without those in errors",
            Self::DetectSecrets | Self::Gitleaks => "its log names each file it opens",
            Self::Eslint => "an entry for each file, clean ones too",
            Self::PipAudit => "each pinned package is in the report with an answer",
            Self::Ruff => "its log names each file it checks",
            Self::Semgrep => "paths.scanned, and a rule of ours that has every file parsed",
            Self::Vulture => "it finds planted dead code; its complaints name the files it could not read",
        }
    }
}

/// Defaults of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub wall: Duration,
    /// Of each stream and of the report file.
    pub output_bytes: u64,
}

/// What a run costs the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Cores it keeps busy.
    pub cpu: u32,
    pub memory_mb: u64,
}

/// The tool's words → ours. A rule's own severity goes before the word of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeverityMap {
    /// For a word or rule that is in neither map.
    pub default: Severity,
    pub words: BTreeMap<String, Severity>,
    pub rules: ByRule<Severity>,
}

impl SeverityMap {
    /// Our severity of `rule`, which the report calls `word`.
    pub fn of(&self, rule: &str, word: Option<&str>) -> Severity {
        let by_word = || word.and_then(|word| self.words.get(word));
        *self.rules.get(rule).or_else(by_word).unwrap_or(&self.default)
    }
}

/// Facts by rule id, or by its beginning when the key ends in `*`; the longest match wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByRule<T>(pub BTreeMap<String, T>);

impl<T> Default for ByRule<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> ByRule<T> {
    pub fn get(&self, rule: &str) -> Option<&T> {
        if let Some(exact) = self.0.get(rule) {
            return Some(exact);
        }
        let prefixes = self.0.iter().filter_map(|(key, fact)| Some((key.strip_suffix('*')?, fact)));
        let matching = prefixes.filter(|(prefix, _)| rule.starts_with(prefix));
        matching.max_by_key(|(prefix, _)| prefix.len()).map(|(_, fact)| fact)
    }
}

/// How the tool is installed into a directory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    pub kind: InstallKind,
    /// Requirements in the words of the package manager, each with its exact version; the tool's own first.
    pub packages: Vec<String>,
    /// The folder of `config/locks/` that pins everything that comes with it, by hash. `config/locks/README.md` says
    /// what is in it.
    pub lock: String,
    /// The program, relative to the installation directory.
    pub program: String,
    /// Further arguments of the package manager's build or install command (`-ldflags=…`).
    pub build_args: Vec<String>,
}

/// A package manager: also which runtime the program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallKind {
    /// A virtual environment; needs Python.
    Pip,
    /// A folder with `node_modules`; needs Node.
    Npm,
    /// A static binary; needs Go once, to build it.
    Go,
}

impl Run {
    /// The arguments for a run on some of the files; `None` when the tool knows directories only.
    pub(super) fn for_files(&self) -> Option<&[Argument]> {
        let takes_files = self.args.iter().any(|argument| matches!(argument, Argument::PerFile(_)));
        self.args_for_files.as_deref().or_else(|| takes_files.then_some(self.args.as_slice()))
    }
}

impl Manifest {
    /// Whether the tool can be run on some of the files of a target.
    pub fn takes_files(&self) -> bool {
        self.run.for_files().is_some()
    }

    /// The files of a target that are this tool's business. Paths are relative to the target's root.
    pub fn expected<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let paths = paths.into_iter().filter(|path| self.applies_to(path));
        paths.map(str::to_owned).collect()
    }

    /// Whether a file, by its path relative to the target's root, is this tool's business.
    pub fn applies_to(&self, path: &str) -> bool {
        self.applies.files_set.is_match(path) && !self.applies.except_set.is_match(path)
    }

    /// What an exit code means.
    pub fn meaning(&self, code: i32) -> ExitMeaning {
        self.exits.get(&code).cloned().unwrap_or_else(|| ExitMeaning::Failed {
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
        let versions = words.map(|word| word.trim_start_matches('v').trim_end_matches(','));
        let mut versions = versions.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        versions.next().map(str::to_owned)
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
