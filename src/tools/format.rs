//! The report formats that `parse/` reads, and how each proves the tool's work.

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
}

impl Format {
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

    /// Whether its parser takes standard error for evidence, beside the report.
    pub const fn reads_log(self) -> bool {
        match self {
            Self::DetectSecrets | Self::Gitleaks | Self::PipAudit | Self::Ruff | Self::Vulture => true,
            Self::Sarif | Self::Bandit | Self::Eslint | Self::Semgrep => false,
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
        }
    }
}
