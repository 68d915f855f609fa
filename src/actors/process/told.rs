//! What the shim tells of its run, beside the exit code of whatever leads it: on a pipe, which is the shim's standard input
//! until the tool gets its own. A line each:
//!
//! ```text
//! (nothing)                     nothing was started, and the one who failed could not say so
//! failed ERRNO STEP             nothing was started
//! started WALLS                 the tool begins
//! exited CODE, signalled N      the tool's own end; only process 1 of a sandbox, which outlives the tool, can say it
//! ```

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::str::FromStr;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::ended::How;
use super::resolve;
use super::sandbox::Built;

/// Bytes of all lines together: four of them, none longer than a hundred.
const BYTES: u64 = 4096;

/// Why the shim could not become the tool.
#[derive(Debug)]
pub(super) struct Failure {
    step: &'static str,
    errno: Errno,
}

impl Failure {
    pub(super) const fn new(step: &'static str, errno: Errno) -> Self {
        Self { step, errno }
    }

    pub(super) fn from_io(step: &'static str, error: &io::Error) -> Self {
        Self::new(step, Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    }
}

/// The shim's end of the pipe.
#[derive(Debug)]
pub(super) struct Teller {
    /// `None` when there is no such pipe: then nobody listens.
    pipe: Option<File>,
}

impl Teller {
    /// Takes standard input for it; the tool's is another.
    pub(super) fn on_stdin() -> Self {
        Self { pipe: io::stdin().as_fd().try_clone_to_owned().ok().map(File::from) }
    }

    /// For whoever closes the others.
    pub(super) fn descriptor(&self) -> Option<i32> {
        self.pipe.as_ref().map(AsRawFd::as_raw_fd)
    }

    pub(super) fn failed(&mut self, failure: &Failure) {
        self.tell(&format!("failed {} {}", failure.errno as i32, failure.step));
    }

    pub(super) fn started(&mut self, built: Built) {
        let Built { bubblewrap, landlock_abi, seccomp } = built;
        self.tell(&format!("started {} {landlock_abi} {}", u8::from(bubblewrap), u8::from(seccomp)));
    }

    pub(super) fn exited(&mut self, code: i32) {
        self.tell(&format!("exited {code}"));
    }

    pub(super) fn signalled(&mut self, signal: i32) {
        self.tell(&format!("signalled {signal}"));
    }

    fn tell(&mut self, line: &str) {
        // A daemon that is gone hears nothing, and its death ends us.
        if let Some(pipe) = &mut self.pipe {
            pipe.write_all(format!("{line}\n").as_bytes()).ok();
        }
    }
}

/// What was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub built: Built,
    last: Last,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    Failed {
        errno: Errno,
        step: String,
    },
    Started,
    Ended(How),
}

/// The daemon's end of the pipe.
#[derive(Debug)]
pub(super) struct Listener {
    pipe: io::PipeReader,
    heard: Vec<u8>,
}

impl Listener {
    pub(super) fn new(pipe: io::PipeReader) -> io::Result<Self> {
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe, heard: Vec::new() })
    }

    /// What was told so far. Waits for nothing; what cannot be read was not told.
    pub(super) fn told(&mut self) -> Told {
        (&mut self.pipe).take(BYTES).read_to_end(&mut self.heard).ok();
        Told::parse(&String::from_utf8_lossy(&self.heard))
    }
}

impl Told {
    /// Whether there is a tool, or was one.
    pub(super) fn has_started(&self) -> bool {
        matches!(self.last, Last::Started | Last::Ended(_))
    }

    fn parse(text: &str) -> Self {
        let mut told = Self::default();
        text.lines().for_each(|line| told.hear(line));
        told
    }

    fn hear(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let last = match word {
            "failed" => rest.split_once(' ').and_then(|(errno, step)| {
                Some(Last::Failed { errno: Errno::from_raw(errno.parse().ok()?), step: step.to_owned() })
            }),
            "started" => built(rest).map(|built| {
                self.built = built;
                Last::Started
            }),
            "exited" => rest.parse().ok().map(|code| Last::Ended(How::Exited(code))),
            "signalled" => rest.parse().ok().map(|signal| Last::Ended(How::Signalled(signal))),
            _ => None,
        };
        if let Some(last) = last {
            self.last = last;
        }
    }

    /// What the end of the run's first process really was. `led_by_bubblewrap`: that process is bwrap and not the tool.
    pub(super) fn truth(&self, seen: How, led_by_bubblewrap: bool, program: &Path, stderr: &[u8]) -> How {
        if !seen.is_by_itself() {
            return seen;
        }
        match (&self.last, seen) {
            (Last::Ended(how), _) => how.clone(),
            (Last::Failed { errno, step }, _) => {
                let mut detail = format!("{}: failed to {step}: {}", program.display(), errno.desc());
                if *errno != Errno::ENOENT {
                    return resolve::blocked(detail);
                }
                // The program was there a moment ago, so this is the interpreter of a script or the loader of a binary.
                if self.is_sandboxed() {
                    detail.push_str(" (in the sandbox; `process.sandbox_readable` shows it more)");
                }
                resolve::missing(detail)
            }
            (_, How::Signalled(signal)) => How::Signalled(signal),
            (Last::Started, seen) if !led_by_bubblewrap => seen,
            // What ended process 1 from outside, as bwrap tells it.
            (Last::Started, How::Exited(code)) if (129..=192).contains(&code) => How::Signalled(code - 128),
            (Last::Nothing | Last::Started, seen) => resolve::blocked(lost(&seen, stderr)),
        }
    }

    fn is_sandboxed(&self) -> bool {
        self.built != Built::default()
    }
}

/// The shim or bubblewrap ended without a word; what it wrote is the best that is known.
fn lost(seen: &How, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut detail = format!("the shim or its sandbox ended before the tool ({seen:?})");
    if let Some(last) = text.lines().rfind(|line| !line.trim().is_empty()) {
        write!(detail, ": {}", last.trim()).expect("a string takes everything");
    }
    detail
}

fn built(text: &str) -> Option<Built> {
    let mut words = text.split(' ').map(u8::from_str);
    let mut next = || words.next()?.ok();
    Some(Built { bubblewrap: next()? == 1, landlock_abi: next()?, seccomp: next()? == 1 })
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
