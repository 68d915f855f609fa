//! The wall of namespaces: `bwrap` shows the tool a file system, processes and a network of its own, and our own binary
//! again as its process 1 ([`super::super::init`]).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal};

use super::super::init;
use super::super::orders::Task;
use super::super::told::Failure;
use super::enclosure::Enclosure;
use super::view::Entry;

/// Name of the program.
const PROGRAM: &str = "bwrap";

/// Where it is; from the daemon's own `PATH`, with which it was set up.
pub(in super::super) fn locate() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|program| program.is_file())
}

/// Everything the sandbox is made of that must be there before limits are lowered.
pub(in super::super) struct Prepared {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Open across the exec, under the numbers in the arguments.
    _open: [OwnedFd; 2],
}

impl Prepared {
    /// `program` is bwrap.
    pub(in super::super) fn new(
        program: PathBuf,
        enclosure: &Enclosure,
        task: &Task,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::from_io("hand over to the sandbox", &error);
        // By descriptor: inside, there is no path to this binary, and a path would be wrong after an update.
        let binary = stay_open(File::open("/proc/self/exe").map_err(failed)?.into()).map_err(failed)?;
        let orders = stay_open(written(task).map_err(failed)?).map_err(failed)?;
        let mut arguments = namespaces(enclosure);
        arguments.extend(mounts(&enclosure.view, task));
        arguments.push("--".into());
        arguments.push(format!("/proc/self/fd/{}", binary.as_raw_fd()).into());
        arguments.push(init::ASKED.into());
        arguments.push(orders.as_raw_fd().to_string().into());
        Ok(Self { program, arguments, _open: [binary, orders] })
    }
}

/// Becomes bwrap. Returns only when that fails.
#[expect(clippy::disallowed_methods, reason = "this is the door; it replaces the process, it starts none")]
pub(in super::super) fn become_bubblewrap(prepared: &Prepared) -> Failure {
    // bwrap has no handlers: SIGTERM to the group would end it, and with it the tool, without the tool's grace. Blocked
    // signals stay blocked across exec and fork; `init` unblocks them for the tool. SIGCHLD is bwrap's business.
    let mut blocked = SigSet::all();
    blocked.remove(Signal::SIGCHLD);
    if let Err(errno) = blocked.thread_block() {
        return Failure::new("block signals", errno);
    }
    let error = std::process::Command::new(&prepared.program).args(&prepared.arguments).exec();
    Failure::from_io("execute bubblewrap", &error)
}

/// The task in a file of memory: bwrap takes 9,000 arguments, a tool may get more.
fn written(task: &Task) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("orders", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&task.to_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

fn stay_open(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    fcntl(descriptor.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(descriptor)
}

fn namespaces(enclosure: &Enclosure) -> Vec<OsString> {
    let mut words = vec![
        "--unshare-user-try",
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--die-with-parent",
        // `init` is process 1: it reports what bwrap's own would not.
        "--as-pid-1",
        // Of root: everybody else has none to begin with.
        "--cap-drop",
        "ALL",
    ];
    if !enclosure.network {
        words.push("--unshare-net");
    }
    words.into_iter().map(OsString::from).collect()
}

fn mounts(view: &[Entry], task: &Task) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut say = |parts: &[&OsStr]| words.extend(parts.iter().map(|part| part.to_os_string()));
    say(&["--proc".as_ref(), "/proc".as_ref(), "--dev".as_ref(), "/dev".as_ref()]);
    // On disk, not in memory; gone with the run.
    say(&["--bind".as_ref(), task.tmp.as_os_str(), "/tmp".as_ref()]);
    for entry in view {
        let path = entry.path().as_os_str();
        match entry {
            Entry::Readable(_) => say(&["--ro-bind".as_ref(), path, path]),
            Entry::Writable(_) => say(&["--bind".as_ref(), path, path]),
            Entry::Link { to, .. } => say(&["--symlink".as_ref(), to.as_os_str(), path]),
            Entry::Own(_) => {}
        }
    }
    // The root directory itself, in which the places above were made.
    say(&["--remount-ro".as_ref(), "/".as_ref()]);
    words
}
