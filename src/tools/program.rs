//! A tool that is a program: where it comes from, how it is called, what it leaves behind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::format::Format;
use super::place::{Argument, Template};
use crate::domain::verdict::ExitMeaning;

/// A program and how it is called.
#[derive(Debug, Clone)]
pub struct ProgramRun {
    pub origin: Origin,
    /// Whether every file is a call of its own: for tools to which two files together mean something else.
    pub call_per_file: bool,
    pub args: Vec<Argument>,
    /// For a run on some of the files, after one file has brought the tool down; `None` for a tool that takes no list, or
    /// takes one always. Read through [`super::manifest::Manifest::invocation_for_files`].
    pub args_for_files: Option<Vec<Argument>>,
    /// Whether what it says of one file depends on the others: then what it says of a part of the files is no part of
    /// what it says of all.
    pub across_files: bool,
    pub cwd: Cwd,
    /// Names of the daemon's environment variables that are passed on.
    pub pass_env: Vec<String>,
    pub env: BTreeMap<String, Template>,
    pub report: ReportSource,
    /// What each known exit code means; every other code is a failure. Read through
    /// [`super::manifest::Manifest::meaning`].
    pub exits: BTreeMap<i32, ExitMeaning>,
}

/// Where a program comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// proctor installs it.
    Installed(Install),
    /// The machine's distribution has it; proctor finds it.
    System(System),
    /// The user brings it; absolute.
    Brought(PathBuf),
    /// It is inside of a container image, and runs there. `program` is its absolute path in the image.
    Image { image: String, program: PathBuf },
}

/// How a program is installed into a directory of its own.
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
    /// The oldest Python that will do, where it must be newer than proctor asks for: `(3, 12)`.
    pub python: Option<(u32, u32)>,
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

/// A program of the distribution. No lock: its maker signs it, and its version is what the machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Debian's name of the package, for advice.
    pub package: String,
    /// The program's file name.
    pub program: String,
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
    /// A file of [`super::place::Place::Config`] that the tool is given beside the target and must report: its proof of
    /// work.
    pub canary: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
    /// The file that `{report}` names.
    File,
}

impl ProgramRun {
    /// Every template of arguments and environment.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let arguments = self.args.iter().chain(self.args_for_files.iter().flatten());
        let arguments = arguments.flat_map(|argument| match argument {
            Argument::One(template) => std::slice::from_ref(template),
            Argument::PerFile(templates) => templates.as_slice(),
        });
        arguments.chain(self.env.values())
    }

    /// The arguments for a run on some of the files; `None` when the tool knows directories only.
    pub(super) fn for_files(&self) -> Option<&[Argument]> {
        let takes_files = self.args.iter().any(|argument| matches!(argument, Argument::PerFile(_)));
        self.args_for_files.as_deref().or_else(|| takes_files.then_some(self.args.as_slice()))
    }
}
