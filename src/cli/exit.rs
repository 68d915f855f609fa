//! The one table of exit codes. Scripts and CI rely on it; `proctor --help` and `docs/cli.md` print it.

use std::process::ExitCode;

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

/// The table as the help text shows it.
pub const TABLE: &str = "\
Exit codes:
  0  done; a scan looked at everything and found nothing at or over --fail-on
  1  a scan looked at everything and found something at or over --fail-on
  2  something failed, was cancelled or was read in part (also when there are findings)
  3  the command line or the configuration is wrong; nothing was done";
