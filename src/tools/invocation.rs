//! From a manifest and the places of a run to a command line. Nothing a client wrote gets in as it is: placeholders stand
//! for absolute paths that proctor chose, for numbers, and for parts of a URL that was checked ([`WebPlaces`]), and a
//! file's path begins with the snapshot's root. So none can become a flag.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::manifest::{Argument, Cwd, Manifest, Part, Place, ProgramRun, Stream, Template};
pub use super::web_places::{BadUrl, WebPlaces, WebRun};

/// Most bytes of arguments in one call: half of Linux's usual 2 MiB for arguments and environment together.
pub const ARGUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Name of the report file in the run's directory.
const REPORT_FILE: &str = "report";
/// What every tool finds on its `PATH` after its own directories: `env`, `sh` and the like.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where the target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPlace {
    /// The snapshot's root.
    Tree(PathBuf),
    Web(Box<WebPlaces>),
}

impl TargetPlace {
    /// The snapshot's root, if it is one.
    pub fn tree(&self) -> Option<&Path> {
        match self {
            Self::Tree(root) => Some(root),
            Self::Web(_) => None,
        }
    }
}

/// The places of one run; every path is absolute.
#[derive(Debug, Clone)]
pub struct Places {
    pub target: TargetPlace,
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
    #[error("{tool} is a tool of proctor's own, and no program to be called")]
    Native { tool: String },
    #[error("{tool}: {{{place}}} has no value for this target")]
    NoValue { tool: String, place: &'static str },
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
        let program =
            self.program().ok_or_else(|| InvocationError::Native { tool: self.name.to_string() })?;
        self.call(program, &program.args, places, files, environment)
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
        let program = self.program()?;
        let arguments = program.for_files()?;
        Some(self.call(program, arguments, places, files, environment))
    }

    fn call(
        &self,
        program: &ProgramRun,
        arguments: &[Argument],
        places: &Places,
        files: &BTreeSet<String>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Invocation, InvocationError> {
        let scope = Scope::new(self, places)?;
        let args = scope.arguments(arguments, files)?;
        if args.iter().map(|argument| argument.len() + 1).sum::<usize>() > ARGUMENT_BYTES_MAX {
            return Err(InvocationError::TooManyFiles { tool: self.name.to_string(), files: files.len() });
        }
        Ok(Invocation {
            args,
            env: scope.environment(program, environment)?,
            cwd: match program.cwd {
                Cwd::Neutral => places.work.clone(),
                Cwd::Target => scope.tree(Place::Target)?.to_owned(),
                Cwd::Rules => places.rules.clone(),
            },
            report: (program.report.from == Stream::File).then(|| scope.report()),
        })
    }
}

/// Values of the placeholders.
struct Scope<'a> {
    tool: &'a str,
    places: &'a Places,
    config: PathBuf,
}

impl<'a> Scope<'a> {
    fn new(manifest: &'a Manifest, places: &'a Places) -> Result<Self, InvocationError> {
        let tool = manifest.name.0.as_str();
        let paths = [
            ("work", &places.work),
            ("tool configuration", &places.tool_config),
            ("rules", &places.rules),
            ("install", &places.install),
        ];
        let paths = paths.into_iter().map(|(place, path)| (place, path.as_path()));
        let mut all = paths.chain(places.target.tree().map(|path| ("target", path)));
        match all.find(|(_, path)| !path.is_absolute()) {
            None => Ok(Self { tool, places, config: places.tool_config.join(tool) }),
            Some((place, path)) => {
                Err(InvocationError::NotAbsolute { tool: tool.to_owned(), place, path: path.to_owned() })
            }
        }
    }

    fn no_value(&self, place: Place) -> InvocationError {
        InvocationError::NoValue { tool: self.tool.to_owned(), place: place.word() }
    }

    fn tree(&self, place: Place) -> Result<&Path, InvocationError> {
        self.places.target.tree().ok_or_else(|| self.no_value(place))
    }

    fn report(&self) -> PathBuf {
        self.places.work.join(REPORT_FILE)
    }

    fn environment(
        &self,
        program: &ProgramRun,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Vec<(OsString, OsString)>, InvocationError> {
        let work = || self.places.work.clone().into_os_string();
        let mut path = OsString::new();
        for directory in &self.places.bin_dirs {
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
            ("GIT_CEILING_DIRECTORIES".into(), self.above_target()),
        ];
        let passed = program.pass_env.iter();
        variables.extend(passed.filter_map(|name| Some((name.into(), environment(name)?))));
        for (name, value) in &program.env {
            variables.push((name.into(), self.fill(value, None)?));
        }
        Ok(variables)
    }

    fn above_target(&self) -> OsString {
        let target = self.places.target.tree().unwrap_or(&self.places.work);
        target.parent().unwrap_or(target).as_os_str().to_owned()
    }

    fn arguments(
        &self,
        arguments: &[Argument],
        files: &BTreeSet<String>,
    ) -> Result<Vec<OsString>, InvocationError> {
        let mut filled = Vec::new();
        for argument in arguments {
            match argument {
                Argument::One(template) => filled.push(self.fill(template, None)?),
                Argument::PerFile(templates) => {
                    for (file, template) in
                        files.iter().flat_map(|file| templates.iter().map(move |it| (file, it)))
                    {
                        filled.push(self.fill(template, Some(file))?);
                    }
                }
            }
        }
        Ok(filled)
    }

    fn fill(&self, template: &Template, file: Option<&str>) -> Result<OsString, InvocationError> {
        let mut text = OsString::new();
        for part in &template.0 {
            match part {
                Part::Text(literal) => text.push(literal),
                Part::Place(place) => text.push(self.value(*place, file)?),
                Part::WallShare(share) => text.push(self.wall_share(*share)?),
            }
        }
        Ok(text)
    }

    fn value(&self, place: Place, file: Option<&str>) -> Result<OsString, InvocationError> {
        let path = match place {
            Place::Target => self.tree(place)?.to_owned(),
            Place::Work => self.places.work.clone(),
            Place::Config => self.config.clone(),
            Place::Rules => self.places.rules.clone(),
            Place::Install => self.places.install.clone(),
            Place::Report => self.report(),
            // A path of the snapshot is relative; an absolute one would replace the root in `join`.
            Place::File => self.tree(place)?.join(file.unwrap_or_default().trim_start_matches('/')),
            web => return self.web(web),
        };
        Ok(path.into_os_string())
    }

    fn wall_share(&self, share: NonZeroU32) -> Result<OsString, InvocationError> {
        let TargetPlace::Web(web) = &self.places.target else {
            return Err(self.no_value(Place::WallS));
        };
        let seconds = (web.wall() / share.get()).as_secs().max(1);
        Ok(seconds.to_string().into())
    }

    fn web(&self, place: Place) -> Result<OsString, InvocationError> {
        let value = match &self.places.target {
            TargetPlace::Tree(_) => None,
            TargetPlace::Web(web) => web.value(place),
        };
        value.map(OsString::from).ok_or_else(|| self.no_value(place))
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
