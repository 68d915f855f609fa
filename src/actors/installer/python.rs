//! The machine's Python: the one thing besides this program that an installation cannot bring along.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::environment::Variables;
use super::failure::InstallError;
use super::step::Step;

/// Names tried, in order: the machine's choice first.
const NAMES: &[&str] = &["python3", "python3.13", "python3.12", "python3.11", "python3.14", "python3.10"];
/// Oldest version that the locks are made for, where a manifest does not name another.
pub(super) const OLDEST: (u32, u32) = (3, 10);
/// Folders below the home directory in which version managers keep Pythons that `PATH` does not name: pyenv's, uv's.
const KEPT: &[&str] = &[".pyenv/versions", ".local/share/uv/python"];
/// Most Pythons of a version manager that are tried.
const KEPT_MAX: usize = 20;
/// Prints the version when the modules that make virtual environments are there; Debian packs them apart.
const QUESTION: &str = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])";

/// A Python that can make virtual environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// A name to be found in `PATH`, or an absolute path.
    pub program: PathBuf,
    pub version: String,
}

/// The first Python on `PATH` that will do, or else the first that a version manager keeps.
///
/// # Errors
/// None of them does; the error says why not, one by one.
pub async fn find(
    oldest: (u32, u32),
    environment: &Variables,
    logs: &Path,
    cancel: &CancellationToken,
) -> Result<Python, InstallError> {
    let mut tried = Vec::new();
    let named = NAMES.iter().map(PathBuf::from);
    for program in named.chain(kept(environment)) {
        let step = Step::new("looking for Python", &program).args(["-I", "-c", QUESTION]);
        let name = program.display();
        match step.run(environment, logs, cancel).await {
            Ok(printed) => match enough(&printed.stdout, oldest) {
                Some(version) => return Ok(Python { program, version }),
                None => tried.push(format!("{name} is {}", printed.stdout.trim())),
            },
            Err(InstallError::Cancelled) => return Err(InstallError::Cancelled),
            Err(error) => tried.push(format!("{name}: {}", reason(&error))),
        }
    }
    let oldest = format!("{}.{}", oldest.0, oldest.1);
    Err(InstallError::NoPython { oldest, tried: tried.join("; ") })
}

/// Programs that version managers keep, by name, last first: newer ones before older ones, as far as names tell.
fn kept(environment: &Variables) -> Vec<PathBuf> {
    let home = environment.iter().find(|(name, _)| name == "HOME").map(|(_, home)| PathBuf::from(home));
    let folders = home.iter().flat_map(|home| KEPT.iter().map(move |folder| home.join(folder)));
    let entries = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flat_map(Iterator::flatten);
    let programs = entries.map(|entry| entry.path().join("bin/python3"));
    let mut programs: Vec<PathBuf> = programs.filter(|program| program.is_file()).collect();
    programs.sort_by_key(|program| std::cmp::Reverse(program.clone()));
    programs.truncate(KEPT_MAX);
    programs
}

/// The version in `3.11.7`, when it is new enough.
fn enough(printed: &str, oldest: (u32, u32)) -> Option<String> {
    let version = printed.trim();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let found = (parts.next()??, parts.next()??);
    (found >= oldest).then(|| version.to_owned())
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
        assert_eq!(enough("3.11.7\n", OLDEST).as_deref(), Some("3.11.7"));
        assert_eq!(enough("3.10.0", OLDEST).as_deref(), Some("3.10.0"));
        assert_eq!(enough("3.11.7", (3, 12)), None);
        for printed in ["3.9.20", "2.7.18", "", "three", "3"] {
            assert_eq!(enough(printed, OLDEST), None, "{printed:?}");
        }
    }

    #[test]
    fn what_version_managers_keep_is_found() {
        let home = tempfile::tempdir().unwrap();
        for version in ["3.9.18", "3.12.1", "3.11.7"] {
            let bin = home.path().join(".pyenv/versions").join(version).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("python3"), "").unwrap();
        }
        let environment = vec![("HOME".into(), home.path().as_os_str().to_owned())];
        let found = kept(&environment);
        let found: Vec<_> =
            found.iter().map(|path| path.iter().rev().nth(2).unwrap().to_str().unwrap()).collect();
        assert_eq!(found, ["3.9.18", "3.12.1", "3.11.7"], "by name; the version decides");
        assert_eq!(kept(&Vec::new()), Vec::<PathBuf>::new());
    }
}
