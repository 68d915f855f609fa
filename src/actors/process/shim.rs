//! The exec shim: our own binary, started with a hidden first argument, prepares itself and becomes the tool.
//!
//! Why not `pre_exec`: it makes the spawn fork the whole daemon (31 ms with a GiB resident, against 0.6 ms), and code
//! between fork and exec of a threaded process may not even allocate. Here everything is ordinary code in a process of
//! its own, whose environment, directory, pipes and group are already the tool's.
//!
//! A failure is told by [`FAILED`] and one line on stderr that starts with the run's token.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::ended::How;
use super::resolve;
use super::token::{Token, VARIABLE};

/// The hidden first argument.
const ASKED: &str = "__exec-shim";

/// Separates our orders from the program and its arguments.
const END_OF_ORDERS: &str = "--";

/// Exit code of a shim that could not become the tool. Any tool may use it too: only with the line on stderr it counts.
const FAILED: i32 = 113;

/// Tools are killed before the daemon when the machine runs out of memory (-1000 to 1000; 0 is everybody).
const OOM_SCORE_ADJUSTMENT: &str = "500";

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The program new commands use as shim. `None` in a program that neither calls [`main_if_asked`] nor names one that does:
/// its own `main` would run in place of the tool, and perhaps even succeed.
pub fn program() -> Option<PathBuf> {
    PROGRAM.get().cloned()
}

/// For test harnesses, whose `main` is not ours: names a program that calls [`main_if_asked`]. The first call wins.
pub fn set_program(path: impl Into<PathBuf>) {
    PROGRAM.get_or_init(|| path.into());
}

/// Becomes the tool when this process was started as a shim; else returns. The first line of `main`: nothing may have
/// been opened, printed or started before.
pub fn main_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ASKED)) {
        // The binary that runs, even if its file is replaced or deleted later.
        set_program("/proc/self/exe");
        return;
    }
    let error = match Orders::read(arguments) {
        Ok(orders) => orders.obey(),
        Err(error) => error,
    };
    // Nobody is left to tell when stderr is closed too; the exit code remains.
    std::io::stderr().write_all(error.line().as_bytes()).ok();
    std::process::exit(FAILED);
}

/// What the shim is told by its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Orders {
    /// The daemon's pid: another parent means that the daemon died before the death signal was set.
    pub parent: i32,
    pub file_bytes: u64,
    pub open_files: u64,
    /// The `cgroup.procs` files to join.
    pub cgroups: Vec<PathBuf>,
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl Orders {
    /// The shim's arguments; [`Self::read`] takes all but the first.
    pub(super) fn into_arguments(self) -> Vec<OsString> {
        let numbers = [u64::from(self.parent.unsigned_abs()), self.file_bytes, self.open_files];
        let mut arguments = vec![OsString::from(ASKED)];
        arguments.extend(numbers.map(|number| number.to_string().into()));
        arguments.extend(self.cgroups.into_iter().map(PathBuf::into_os_string));
        arguments.push(END_OF_ORDERS.into());
        arguments.push(self.program.into_os_string());
        arguments.extend(self.args);
        arguments
    }

    fn read(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let parent = number(arguments.next())?;
        let file_bytes = number(arguments.next())?;
        let open_files = number(arguments.next())?;
        let cgroups =
            arguments.by_ref().take_while(|word| word != END_OF_ORDERS).map(PathBuf::from).collect();
        let program = arguments.next().ok_or(Failure::new("read its orders", Errno::EINVAL))?.into();
        Ok(Self { parent, file_bytes, open_files, cgroups, program, args: arguments.collect() })
    }

    /// Returns only when something failed. The order matters: the death signal first, so that the daemon's death at any
    /// later point ends us; `no_new_privs` and limits last, they may forbid what comes before.
    fn obey(self) -> Failure {
        match self.prepare() {
            Ok(()) => self.become_the_tool(),
            Err(failure) => failure,
        }
    }

    fn prepare(&self) -> Result<(), Failure> {
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| Failure::new("set the death signal", errno))?;
        if getppid().as_raw() != self.parent {
            return Err(Failure::new("find the daemon alive", Errno::ESRCH));
        }
        // A wish, not a promise: some containers forbid it.
        std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUSTMENT).ok();
        for cgroup in &self.cgroups {
            std::fs::write(cgroup, "0").map_err(|error| Failure::from_io("join its cgroup", &error))?;
        }
        close_inherited();
        lower(Resource::RLIMIT_CORE, 0)?;
        lower(Resource::RLIMIT_FSIZE, self.file_bytes)?;
        lower(Resource::RLIMIT_NOFILE, self.open_files)?;
        prctl::set_no_new_privs().map_err(|errno| Failure::new("give up new privileges", errno))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door; it replaces the process, it starts none"
    )]
    fn become_the_tool(self) -> Failure {
        let error = std::process::Command::new(&self.program).args(&self.args).exec();
        Failure::from_io("execute the program", &error)
    }
}

fn number<T: FromStr>(word: Option<OsString>) -> Result<T, Failure> {
    let parsed = word.and_then(|word| word.to_str()?.parse().ok());
    parsed.ok_or(Failure::new("read its orders", Errno::EINVAL))
}

fn lower(resource: Resource, wanted: u64) -> Result<(), Failure> {
    let failed = |errno| Failure::new("set a resource limit", errno);
    let (_, hard) = getrlimit(resource).map_err(failed)?;
    let limit = wanted.min(hard);
    setrlimit(resource, limit, limit).map_err(failed)
}

/// Whoever started the daemon may have left descriptors open without close-on-exec; a tool gets 0, 1 and 2 only.
fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for descriptor in open {
        // One of them was the directory just listed: it is closed already.
        nix::unistd::close(descriptor).ok();
    }
}

/// Why the shim could not become the tool.
struct Failure {
    step: &'static str,
    errno: Errno,
}

impl Failure {
    const fn new(step: &'static str, errno: Errno) -> Self {
        Self { step, errno }
    }

    fn from_io(step: &'static str, error: &std::io::Error) -> Self {
        Self::new(step, Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    }

    fn line(&self) -> String {
        let token = std::env::var(VARIABLE).unwrap_or_default();
        format!("{}{}|failed to {}: {}\n", marker(&token), self.errno as i32, self.step, self.errno.desc())
    }
}

fn marker(token: &str) -> String {
    format!("{ASKED} {token}|")
}

/// What a run's exit really was: a shim that failed has started nothing.
pub(super) fn failure(exited: &How, token: Token, stderr: &[u8], program: &Path) -> Option<How> {
    if *exited != How::Exited(FAILED) {
        return None;
    }
    let line = std::str::from_utf8(stderr).ok()?.strip_prefix(&marker(&token.to_string()))?;
    let (errno, text) = line.trim_end().split_once('|')?;
    let detail = format!("{}: {text}", program.display());
    // The program was there a moment ago, so this is the interpreter of a script or the loader of a binary.
    let missing = Errno::from_raw(errno.parse().ok()?) == Errno::ENOENT;
    Some(if missing { resolve::missing(detail) } else { resolve::blocked(detail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Orders {
        Orders {
            parent: 42,
            file_bytes: 1,
            open_files: 2,
            cgroups: vec!["/a b/cgroup.procs".into(), "/c:d/cgroup.procs".into()],
            program: "/bin/x".into(),
            args: vec!["--".into(), "__exec-shim".into(), "".into()],
        }
    }

    #[test]
    fn orders_survive_the_command_line() {
        let arguments = orders().into_arguments();
        assert_eq!(arguments[0], ASKED);
        assert!(Orders::read(arguments.into_iter().skip(1)).is_ok_and(|read| read == orders()));
    }

    #[test]
    fn torn_orders_are_refused() {
        for arguments in
            [vec![], vec!["1", "2"], vec!["1", "2", "3", "--"], vec!["x", "2", "3", "--", "/bin/x"]]
        {
            assert!(Orders::read(arguments.into_iter().map(OsString::from)).is_err());
        }
    }

    #[test]
    fn only_the_runs_own_shim_can_say_that_nothing_started() {
        let token = Token::next();
        let line = format!("{}2|failed to execute the program: No such file\n", marker(&token.to_string()));
        let read = |how, token, line: &str| failure(&how, token, line.as_bytes(), Path::new("/bin/x"));
        let missing = resolve::missing("/bin/x: failed to execute the program: No such file".to_owned());
        assert_eq!(read(How::Exited(FAILED), token, &line), Some(missing));
        assert_eq!(read(How::Exited(FAILED), Token::next(), &line), None);
        assert_eq!(read(How::Exited(FAILED), token, "some tool's own words"), None);
        assert_eq!(read(How::Exited(1), token, &line), None);
    }
}
