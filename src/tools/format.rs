//! The report formats that `parse/` reads, and how each proves the tool's work.

use super::place::Of;

/// A report format.
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
    /// ApacheBench's text and its table of percentiles.
    Ab,
    /// The line of figures that our own scripts print from inside of a load tool.
    Load,
    Nmap,
    Wapiti,
}

impl Format {
    pub const ALL: [Self; 13] = [
        Self::Sarif,
        Self::Bandit,
        Self::DetectSecrets,
        Self::Eslint,
        Self::Gitleaks,
        Self::PipAudit,
        Self::Ruff,
        Self::Semgrep,
        Self::Vulture,
        Self::Ab,
        Self::Load,
        Self::Nmap,
        Self::Wapiti,
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
            Self::Ab => "ab",
            Self::Load => "load",
            Self::Nmap => "nmap",
            Self::Wapiti => "wapiti",
        }
    }

    /// Whether its parser takes standard error for evidence, beside the report.
    pub const fn reads_log(self) -> bool {
        match self {
            Self::DetectSecrets | Self::Gitleaks | Self::PipAudit | Self::Ruff | Self::Vulture => true,
            // ab names on it what it forgets in its text.
            Self::Ab => true,
            Self::Sarif
            | Self::Bandit
            | Self::Eslint
            | Self::Semgrep
            | Self::Load
            | Self::Nmap
            | Self::Wapiti => false,
        }
    }

    /// Whether its parser reads standard output beside a report file.
    pub const fn reads_stdout(self) -> bool {
        matches!(self, Self::Ab | Self::Wapiti)
    }

    /// The kind of target that its reports are about.
    pub const fn of(self) -> Of {
        match self {
            Self::Sarif => Of::Any,
            Self::Bandit
            | Self::DetectSecrets
            | Self::Eslint
            | Self::Gitleaks
            | Self::PipAudit
            | Self::Ruff
            | Self::Semgrep
            | Self::Vulture => Of::Tree,
            Self::Ab | Self::Load | Self::Nmap | Self::Wapiti => Of::Web,
        }
    }

    /// How a report of this format shows what the tool looked at, in words for people.
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
            Self::Ab | Self::Load => "requests with a good answer, for as long as was asked",
            Self::Nmap => "the host is up, and the target's port is open and was looked at",
            Self::Wapiti => "the requests of its crawl, in a session of its own; each module was started",
        }
    }
}
