//! The exec shim: our own binary, started with a hidden first argument, prepares itself and becomes the tool.
//!
//! Why not `pre_exec`: it makes the spawn fork the whole daemon (31 ms with a GiB resident, against 0.6 ms), and code
//! between fork and exec of a threaded process may not even allocate. Here everything is ordinary code in a process of
//! its own, whose environment, directory, pipes and group are already the tool's.
//!
//! A failure is told on the pipe of [`super::told`], not by an exit code, which any tool may use.
//!
//! ```text
//! shim ── limits on itself ──┬─► walls around itself ─► exec the tool
//!                            └─► exec bwrap ─► shim again, as process 1 inside (`init`) ─► walls ─► spawn the tool
//! ```

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::init;
use super::orders::Orders;
use super::sandbox::{Built, Prepared, become_bubblewrap};
use super::told::{Failure, Teller};

/// The hidden first argument.
const ASKED: &str = "__exec-shim";

/// Exit code of a shim that could not become the tool. Any tool may use it too: what was told counts.
pub(super) const FAILED: i32 = 113;

/// Tools are killed before the daemon when the machine runs out of memory (-1000 to 1000; 0 is everybody).
const OOM_SCORE_ADJUSTMENT: &str = "500";
/// Added to the daemon's nice value. Tools take every idle moment of the machine, but a client that asks for a status is not
/// kept waiting by them: at 10 the scheduler weighs a tool's thread with a ninth of the daemon's.
const NICER_BY: i32 = 10;

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
    let first = arguments.next();
    if first.as_deref() == Some(OsStr::new(init::ASKED)) {
        init::main(arguments);
    }
    if first.as_deref() == Some(OsStr::new(ASKED)) {
        let mut teller = Teller::on_stdin();
        let failure = match Orders::read(arguments) {
            Ok(orders) => obey(&orders, &mut teller),
            Err(failure) => failure,
        };
        teller.failed(&failure);
        std::process::exit(FAILED);
    }
    // The binary that runs, even if its file is replaced or deleted later.
    set_program("/proc/self/exe");
}

/// The shim's arguments.
pub(super) fn arguments(orders: Orders) -> Vec<OsString> {
    std::iter::once(ASKED.into()).chain(orders.into_words()).collect()
}

/// Returns only when something failed. The order matters: the death signal first, so that the daemon's death at any later
/// point ends us; `no_new_privs` and limits last, they may forbid what comes before.
fn obey(orders: &Orders, teller: &mut Teller) -> Failure {
    match prepare(orders, teller) {
        Ok(Some(bubblewrap)) => become_bubblewrap(&bubblewrap),
        Ok(None) => become_the_tool(orders, teller),
        Err(failure) => failure,
    }
}

fn prepare(orders: &Orders, teller: &Teller) -> Result<Option<Prepared>, Failure> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| Failure::new("set the death signal", errno))?;
    if getppid().as_raw() != orders.parent {
        return Err(Failure::new("find the daemon alive", Errno::ESRCH));
    }
    // Wishes, not promises: some containers forbid them.
    std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUSTMENT).ok();
    rustix::process::nice(NICER_BY).ok();
    for cgroup in &orders.cgroups {
        std::fs::write(cgroup, "0").map_err(|error| Failure::from_io("join its cgroup", &error))?;
    }
    close_inherited(teller.descriptor());
    let task = &orders.task;
    let bubblewrap = match (&orders.bubblewrap, &task.enclosure) {
        (Some(program), Some(enclosure)) => Some(Prepared::new(program.clone(), enclosure, task)?),
        _ => None,
    };
    lower(Resource::RLIMIT_CORE, 0)?;
    lower(Resource::RLIMIT_FSIZE, orders.file_bytes)?;
    lower(Resource::RLIMIT_NOFILE, orders.open_files)?;
    prctl::set_no_new_privs().map_err(|errno| Failure::new("give up new privileges", errno))?;
    Ok(bubblewrap)
}

#[expect(clippy::disallowed_methods, reason = "this is the door; it replaces the process, it starts none")]
fn become_the_tool(orders: &Orders, teller: &mut Teller) -> Failure {
    let task = &orders.task;
    let built = match &task.enclosure {
        Some(enclosure) => match enclosure.close() {
            Ok(built) => built,
            Err(failure) => return failure,
        },
        None => Built::default(),
    };
    teller.started(built);
    let error = std::process::Command::new(&task.program).args(&task.args).stdin(Stdio::null()).exec();
    Failure::from_io("execute the program", &error)
}

fn lower(resource: Resource, wanted: u64) -> Result<(), Failure> {
    let failed = |errno| Failure::new("set a resource limit", errno);
    let (_, hard) = getrlimit(resource).map_err(failed)?;
    let limit = wanted.min(hard);
    setrlimit(resource, limit, limit).map_err(failed)
}

/// Whoever started the daemon may have left descriptors open without close-on-exec; a tool gets 0, 1 and 2 only.
pub(super) fn close_inherited(except: Option<i32>) {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2 && Some(*fd) != except)
        .collect();
    for descriptor in open {
        // One of them was the directory just listed: it is closed already.
        nix::unistd::close(descriptor).ok();
    }
}
