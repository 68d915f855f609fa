//! The machine's Python: the one thing besides this program that an installation cannot bring along.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::environment::Variables;
use super::failure::InstallError;
use super::step::Step;

/// Names tried, in order: the machine's choice first.
const NAMES: &[&str] = &["python3", "python3.13", "python3.12", "python3.11", "python3.14", "python3.10"];
/// Oldest version that the locks are made for.
const OLDEST: (u32, u32) = (3, 10);
/// Prints the version when the modules that make virtual environments are there; Debian packs them apart.
const QUESTION: &str = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])";

/// A Python that can make virtual environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// A name to be found in `PATH`.
    pub program: PathBuf,
    pub version: String,
}

/// The first Python on `PATH` that will do.
///
/// # Errors
/// None of them does; the error says why not, one by one.
pub async fn find(
    environment: &Variables,
    logs: &Path,
    cancel: &CancellationToken,
) -> Result<Python, InstallError> {
    let mut tried = Vec::new();
    for name in NAMES {
        let step = Step::new("looking for Python", *name).args(["-I", "-c", QUESTION]);
        match step.run(environment, logs, cancel).await {
            Ok(printed) => match enough(&printed.stdout) {
                Some(version) => {
                    let program = PathBuf::from(*name);
                    return Ok(Python { program, version });
                }
                None => tried.push(format!("{name} is {}", printed.stdout.trim())),
            },
            Err(InstallError::Cancelled) => return Err(InstallError::Cancelled),
            Err(error) => tried.push(format!("{name}: {}", reason(&error))),
        }
    }
    Err(InstallError::NoPython { tried: tried.join("; ") })
}

/// The version in `3.11.7`, when it is new enough.
fn enough(printed: &str) -> Option<String> {
    let version = printed.trim();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let found = (parts.next()??, parts.next()??);
    (found >= OLDEST).then(|| version.to_owned())
}

/// The last line that was printed says it best: "No module named 'ensurepip'".
fn reason(error: &InstallError) -> String {
    let last = error.tail().and_then(|tail| tail.lines().last());
    last.map_or_else(|| "not there".to_owned(), |line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_pythons_and_other_answers_will_not_do() {
        assert_eq!(enough("3.11.7\n").as_deref(), Some("3.11.7"));
        assert_eq!(enough("3.10.0").as_deref(), Some("3.10.0"));
        for printed in ["3.9.20", "2.7.18", "", "three", "3"] {
            assert_eq!(enough(printed), None, "{printed:?}");
        }
    }
}
