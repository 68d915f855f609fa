//! The shim's second stage: process 1 of a run's own pid namespace, started by bubblewrap. It builds the inner walls, starts
//! the tool, buries what the tool orphans, and tells the tool's own end; with it ends everything in the namespace.
//!
//! Why not bwrap's own process 1: that one tells a signal as an exit code of 128 and more, which any tool may use, and it
//! ends the moment the tool does, so that a child could not finish its sentence.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::orders::Task;
use super::sandbox::Built;
use super::shim::{FAILED, close_inherited};
use super::told::{Failure, Teller};

/// The hidden first argument.
pub(super) const ASKED: &str = "__sandbox-init";

/// Time the tool's orphans have after its end: what the pipes of a run without a sandbox get.
const ORPHANS: Duration = super::run::PIPES_AFTER_EXIT;

/// Between two looks at whether the last orphan has ended.
const LOOKS: Duration = Duration::from_millis(5);

/// What a shell says for a process that a signal ended.
const SIGNAL_BASE: i32 = 128;

/// Runs the task in the descriptor that `arguments` name. Never returns.
pub(super) fn main(mut arguments: impl Iterator<Item = OsString>) -> ! {
    let mut teller = Teller::on_stdin();
    // A name for people who look at a list of processes; nothing depends on it.
    prctl::set_name(c"proctor-init").ok();
    let task = arguments
        .next()
        .ok_or(Failure::new("read its orders", Errno::EINVAL))
        .and_then(|number| read(&number));
    let code = match task.and_then(|task| start(&task, &mut teller)) {
        Ok(tool) => see_through(tool, &mut teller),
        Err(failure) => {
            teller.failed(&failure);
            FAILED
        }
    };
    std::process::exit(code)
}

fn read(number: &OsString) -> Result<Task, Failure> {
    let path = std::path::Path::new("/proc/self/fd").join(number);
    let bytes = std::fs::read(path).map_err(|error| Failure::from_io("read its orders", &error))?;
    Task::from_bytes(&bytes)
}

#[expect(clippy::disallowed_methods, reason = "this is the door, on its inner side")]
fn start(task: &Task, teller: &mut Teller) -> Result<Pid, Failure> {
    close_inherited(teller.descriptor());
    std::env::set_current_dir(&task.cwd)
        .map_err(|error| Failure::from_io("enter the working directory", &error))?;
    let built = match &task.enclosure {
        Some(enclosure) => enclosure.close()?,
        None => Built::default(),
    };
    let mut command = std::process::Command::new(&task.program);
    // bwrap sets PWD; nobody asked for it.
    command.args(&task.args).env_remove("PWD").stdin(Stdio::null());
    // Process 1 ignores what it has no handler for, so this is for the tool, which inherits it.
    SigSet::all().thread_unblock().map_err(|errno| Failure::new("unblock signals", errno))?;
    let tool = command.spawn().map_err(|error| Failure::from_io("execute the program", &error));
    teller.started(built);
    let pid = i32::try_from(tool?.id()).expect("the kernel's pids are positive i32");
    Ok(Pid::from_raw(pid))
}

/// Waits for the tool, burying orphans, then for its last orphans; the exit code to end with.
fn see_through(tool: Pid, teller: &mut Teller) -> i32 {
    let code = loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == tool => {
                teller.exited(code);
                break code;
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == tool => {
                teller.signalled(signal as i32);
                break SIGNAL_BASE + signal as i32;
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break FAILED,
        }
    };
    await_orphans();
    code
}

#[expect(clippy::disallowed_methods, reason = "a process of its own, with one thread and nothing else to do")]
fn await_orphans() {
    let deadline = Instant::now() + ORPHANS;
    while Instant::now() < deadline {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(LOOKS),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}
