//! From a manifest and the places of a run to a command line. Nothing a client wrote gets in: placeholders stand for
//! absolute paths that proctor chose, and a file's path begins with the snapshot's root, so none can become a flag.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::manifest::{Argument, Cwd, Manifest, Part, Place, Stream, Template};

/// Most bytes of arguments in one call: half of Linux's usual 2 MiB for arguments and environment together.
pub const ARGUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Name of the report file in the run's directory.
const REPORT_FILE: &str = "report";
/// What every tool finds on its `PATH` after its own directories: `env`, `sh` and the like.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The places of one run; every path is absolute.
#[derive(Debug, Clone)]
pub struct Places {
    /// The snapshot's root.
    pub target: PathBuf,
    /// The run's own empty directory: cwd of most tools, HOME, temporary files, report file.
    pub work: PathBuf,
    /// Where [`super::catalogue::TOOL_CONFIG`] was written: the parent of the tools' own directories.
    pub tool_config: PathBuf,
    /// Where our rules were written.
    pub rules: PathBuf,
    /// Where the tool is installed.
    pub install: PathBuf,
    /// Directories of the tool's program and its runtime.
    pub bin_dirs: Vec<PathBuf>,
}

/// How a program is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    pub cwd: PathBuf,
    /// The file that will hold the report, if it is not a stream.
    pub report: Option<PathBuf>,
}

/// A tool cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    #[error("{tool}: the {place} directory {path:?} is not absolute")]
    NotAbsolute { tool: String, place: &'static str, path: PathBuf },
    #[error(
        "{tool}: {files} files need more than {ARGUMENT_BYTES_MAX} bytes of arguments; scan a smaller directory"
    )]
    TooManyFiles { tool: String, files: usize },
}

impl Manifest {
    /// The command line of a run over `files` (relative to the target), with the values of the daemon's environment
    /// that the manifest passes on.
    ///
    /// # Errors
    /// A place is not absolute, or the files do not fit on a command line.
    pub fn invocation(
        &self,
        places: &Places,
        files: &BTreeSet<String>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Invocation, InvocationError> {
        self.call(&self.run.args, places, files, environment)
    }

    /// The command line of a run over some of the files; `None` unless [`Manifest::takes_files`].
    ///
    /// # Errors
    /// As [`Manifest::invocation`].
    pub fn invocation_for_files(
        &self,
        places: &Places,
        files: &BTreeSet<String>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Result<Invocation, InvocationError>> {
        let arguments = self.run.for_files()?;
        Some(self.call(arguments, places, files, environment))
    }

    fn call(
        &self,
        arguments: &[Argument],
        places: &Places,
        files: &BTreeSet<String>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Invocation, InvocationError> {
        let scope = Scope::new(self, places)?;
        let args = scope.arguments(arguments, files);
        if args.iter().map(|argument| argument.len() + 1).sum::<usize>() > ARGUMENT_BYTES_MAX {
            return Err(InvocationError::TooManyFiles { tool: self.name.to_string(), files: files.len() });
        }
        Ok(Invocation {
            args,
            env: self.environment(&scope, environment),
            cwd: match self.run.cwd {
                Cwd::Neutral => places.work.clone(),
                Cwd::Target => places.target.clone(),
                Cwd::Rules => places.rules.clone(),
            },
            report: (self.report.from == Stream::File).then(|| scope.report()),
        })
    }

    fn environment(
        &self,
        scope: &Scope<'_>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Vec<(OsString, OsString)> {
        let work = || scope.places.work.clone().into_os_string();
        let mut path = OsString::new();
        for directory in &scope.places.bin_dirs {
            path.push(directory);
            path.push(":");
        }
        path.push(SYSTEM_PATH);
        let mut variables: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), path),
            ("HOME".into(), work()),
            ("TMPDIR".into(), work()),
            ("LANG".into(), "C.UTF-8".into()),
            ("LC_ALL".into(), "C.UTF-8".into()),
            // The data directory may lie in somebody's repository: no tool may find that one from inside the snapshot.
            ("GIT_CEILING_DIRECTORIES".into(), scope.above_target()),
        ];
        let passed = self.run.pass_env.iter();
        variables.extend(passed.filter_map(|name| Some((name.into(), environment(name)?))));
        let own = self.run.env.iter();
        variables.extend(own.map(|(name, value)| (name.into(), scope.fill(value, None))));
        variables
    }
}

/// Values of the placeholders.
struct Scope<'a> {
    places: &'a Places,
    config: PathBuf,
}

impl<'a> Scope<'a> {
    fn new(manifest: &Manifest, places: &'a Places) -> Result<Self, InvocationError> {
        let all = [
            ("target", &places.target),
            ("work", &places.work),
            ("tool configuration", &places.tool_config),
            ("rules", &places.rules),
            ("install", &places.install),
        ];
        match all.into_iter().find(|(_, path)| !path.is_absolute()) {
            None => Ok(Self { places, config: places.tool_config.join(&manifest.name.0) }),
            Some((place, path)) => Err(InvocationError::NotAbsolute {
                tool: manifest.name.to_string(),
                place,
                path: path.clone(),
            }),
        }
    }

    fn above_target(&self) -> OsString {
        let target = &self.places.target;
        target.parent().unwrap_or(target).as_os_str().to_owned()
    }

    fn report(&self) -> PathBuf {
        self.places.work.join(REPORT_FILE)
    }

    fn arguments(&self, arguments: &[Argument], files: &BTreeSet<String>) -> Vec<OsString> {
        let mut filled = Vec::new();
        for argument in arguments {
            match argument {
                Argument::One(template) => filled.push(self.fill(template, None)),
                Argument::PerFile(templates) => {
                    let calls = files.iter().flat_map(|file| templates.iter().map(move |it| (it, file)));
                    filled.extend(calls.map(|(template, file)| self.fill(template, Some(file))));
                }
            }
        }
        filled
    }

    fn fill(&self, template: &Template, file: Option<&str>) -> OsString {
        let mut text = OsString::new();
        for part in &template.0 {
            match part {
                Part::Text(literal) => text.push(literal),
                Part::Place(place) => text.push(self.value(*place, file)),
            }
        }
        text
    }

    fn value(&self, place: Place, file: Option<&str>) -> PathBuf {
        match place {
            Place::Target => self.places.target.clone(),
            Place::Work => self.places.work.clone(),
            Place::Config => self.config.clone(),
            Place::Rules => self.places.rules.clone(),
            Place::Install => self.places.install.clone(),
            Place::Report => self.report(),
            // A path of the snapshot is relative; an absolute one would replace the root in `join`.
            Place::File => self.places.target.join(file.unwrap_or_default().trim_start_matches('/')),
        }
    }
}

/// `path` relative to `root`, `/` between parts; `None` when it lies outside or is not UTF-8.
pub(super) fn relative(path: &str, root: &Path) -> Option<String> {
    let root = std::str::from_utf8(root.as_os_str().as_bytes()).ok()?;
    let inner = path.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/')?;
    let inner = inner.trim_start_matches("./");
    let stays = !inner.is_empty() && inner.split('/').all(|part| part != "..");
    stays.then(|| inner.to_owned())
}

#[cfg(test)]
#[path = "invocation_tests.rs"]
mod tests;
