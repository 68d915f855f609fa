//! What to start and within which limits. Plain data: whoever asks fills it in, [`super::run`] obeys it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::containment::Containment;
use super::sandbox::Sandbox;
use super::shim;

/// Time a run may take from the call to its end. Analysers of large trees need minutes; ten is a hang.
pub const WALL: Duration = Duration::from_secs(600);

/// Time between SIGTERM and SIGKILL. Every analyser observed ended within 0.2 s; systemd's and Docker's ten would make
/// a cancelled caller wait.
pub const GRACE: Duration = Duration::from_secs(5);

/// Bytes one stream may write before the run counts as flooding: twice the largest report a parser reads.
pub const OUTPUT_BYTES: u64 = 64 << 20;

/// Bytes one file written by the tool may have (RLIMIT_FSIZE): rule caches and SARIF files stay far below.
pub const FILE_BYTES: u64 = 1 << 30;

/// File descriptors per process (RLIMIT_NOFILE): users of `select` break above 1,024.
pub const OPEN_FILES: u64 = 1024;

/// Processes and threads of a run, where a `pids` cgroup exists: four Node or Go tools' worth of threads, no fork bomb.
pub const PROCESSES: u64 = 512;

/// One program to run once.
#[derive(Clone, Debug)]
pub struct Command {
    /// An absolute path, or a bare name that is looked up in the `PATH` of `env` (never in the daemon's).
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment. Only `HOME` and `TMPDIR` (private, removed at the end) are added when they are not in it,
    /// and the run's token.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory; `None` is the private `HOME`: empty, writable, and outside every target.
    pub cwd: Option<PathBuf>,
    /// An existing directory of this run alone. It receives the files `stdout` and `stderr`, which stay with its owner.
    pub scratch: PathBuf,
    pub limits: Limits,
    /// What the run may see and touch; `None` is everything the daemon may.
    pub sandbox: Option<Sandbox>,
    /// What holds the run: all that this machine offers, unless a test says otherwise.
    pub containment: Containment,
    /// The program that turns itself into the tool, see [`shim::program`]; without one nothing starts.
    pub shim: Option<PathBuf>,
}

/// What a run may use. Every limit has a default, and a reason beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`WALL`].
    pub wall: Duration,
    /// See [`GRACE`].
    pub grace: Duration,
    /// See [`OUTPUT_BYTES`]; per stream.
    pub output_bytes: u64,
    /// See [`FILE_BYTES`].
    pub file_bytes: u64,
    /// See [`OPEN_FILES`].
    pub open_files: u64,
    /// See [`PROCESSES`].
    pub processes: u64,
    /// Memory of all processes of the run together, in bytes; held by a cgroup or not at all
    /// ([`super::MemoryLimit`]): an address space limit would kill Node and Go, which reserve far more than they use.
    pub memory_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: WALL,
            grace: GRACE,
            output_bytes: OUTPUT_BYTES,
            file_bytes: FILE_BYTES,
            open_files: OPEN_FILES,
            processes: PROCESSES,
            memory_bytes: None,
        }
    }
}

impl Command {
    /// `program` with no arguments, an empty environment, default limits and a neutral working directory.
    pub fn new(program: impl Into<PathBuf>, scratch: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            scratch: scratch.into(),
            limits: Limits::default(),
            sandbox: None,
            containment: Containment::detected().clone(),
            shim: shim::program(),
        }
    }
}
