//! The one table of exit codes. Scripts and CI rely on it; `proctor --help` and `docs/cli.md` print it.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::protocol::api::{Counts, JobAnswer};

/// How a command ends, as its caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; a scan looked at everything and found nothing at or over `--fail-on`.
    Clean,
    /// A scan looked at everything and found something at or over `--fail-on`.
    Findings,
    /// Something failed, was cancelled, or was read in part: what is not reported may still be there.
    Failed,
    /// The command line or the configuration is wrong; nothing was done.
    Usage,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Failed => 2,
            Self::Usage => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The lowest severity that makes a scan end with 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Info,
    Low,
    /// The default: below it are style, dead code and hints, which nearly every tree has; a gate that is always red is
    /// soon ignored.
    #[default]
    Medium,
    High,
    Critical,
    /// Findings never count; failures still do.
    Never,
}

impl FailOn {
    /// Findings at or over the threshold.
    pub const fn count(self, counts: &Counts) -> u32 {
        let critical = counts.critical;
        let high = critical + counts.high;
        let medium = high + counts.medium;
        let low = medium + counts.low;
        match self {
            Self::Info => low + counts.info,
            Self::Low => low,
            Self::Medium => medium,
            Self::High => high,
            Self::Critical => critical,
            Self::Never => 0,
        }
    }
}

impl Exit {
    /// What a job says to a script. Incomplete is stronger than findings, as with `grep`: a caller that reads 1 may
    /// trust that everything was looked at. An unknown conclusion is never taken for a good one.
    pub fn of_job(job: &JobAnswer, fail_on: FailOn) -> Self {
        match job.conclusion.as_str() {
            "clean" | "findings" if fail_on.count(&job.counts) > 0 => Self::Findings,
            "clean" | "findings" => Self::Clean,
            _ => Self::Failed,
        }
    }
}

/// The table as the help text shows it.
pub const TABLE: &str = "\
Exit codes:
  0  done; a scan looked at everything and found nothing at or over --fail-on
  1  a scan looked at everything and found something at or over --fail-on
  2  something failed, was cancelled or was read in part (also when there are findings)
  3  the command line or the configuration is wrong; nothing was done";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn the_table_of_jobs_and_thresholds() {
        let counts = Counts { critical: 0, high: 1, medium: 2, low: 3, info: 4 };
        let none = Counts::default();
        let low = Counts { low: 1, ..none };
        let cases = [
            ("clean", none, FailOn::Info, Exit::Clean),
            ("findings", low, FailOn::default(), Exit::Clean),
            ("findings", low, FailOn::Low, Exit::Findings),
            ("findings", counts, FailOn::default(), Exit::Findings),
            ("findings", counts, FailOn::High, Exit::Findings),
            ("findings", counts, FailOn::Critical, Exit::Clean),
            ("findings", counts, FailOn::Never, Exit::Clean),
            ("incomplete", none, FailOn::Never, Exit::Failed),
            ("incomplete", counts, FailOn::Info, Exit::Failed),
            ("pending", none, FailOn::Info, Exit::Failed),
            ("a word of a later version", none, FailOn::Never, Exit::Failed),
        ];
        for (conclusion, counts, fail_on, expected) in cases {
            let job = JobAnswer { conclusion: conclusion.into(), counts, ..samples::job() };
            assert_eq!(Exit::of_job(&job, fail_on), expected, "{conclusion} {counts:?} {fail_on:?}");
        }
    }

    #[test]
    fn thresholds_count_what_is_at_or_over_them() {
        let counts = Counts { critical: 1, high: 10, medium: 100, low: 1_000, info: 10_000 };
        let all = [FailOn::Info, FailOn::Low, FailOn::Medium, FailOn::High, FailOn::Critical, FailOn::Never];
        assert_eq!(all.map(|fail_on| fail_on.count(&counts)), [11_111, 1_111, 111, 11, 1, 0]);
    }

    #[test]
    fn the_help_shows_every_code() {
        for exit in [Exit::Clean, Exit::Findings, Exit::Failed, Exit::Usage] {
            assert!(TABLE.contains(&format!("\n  {}  ", exit.code())), "{exit:?}");
        }
    }
}
