//! The two calls without a safe form, each in a safe one of ours. All the `unsafe` of the daemon is here.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ended::Usage;

/// Lets the runtime watch a process descriptor. Must be called on a runtime.
#[expect(unsafe_code, reason = "an `OwnedFd` is exactly what the call demands, but its type cannot say so")]
pub(super) fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, gives the same number on every call, and is closed by nobody but its owner, which is
    // the `AsyncFd` until that is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?)
}

/// Reaps the child `pid` if it has ended, and tells what it cost; `None` while it runs. Errors with `ECHILD` when it is no child of ours or was
/// collected before.
#[expect(
    unsafe_code,
    reason = "wait4 has no safe binding; its out-pointer is to a live local of the right type"
)]
pub(super) fn try_reap(pid: i32) -> Result<Option<Usage>, Errno> {
    // SAFETY: `rusage` is plain integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for writes for the length of the call, and the kernel does not keep it; no status
    // is asked for, which null says.
    let reaped = unsafe { libc::wait4(pid, std::ptr::null_mut(), libc::WNOHANG, &raw mut usage) };
    match Errno::result(reaped)? {
        0 => Ok(None),
        _ => Ok(Some(cost(&usage))),
    }
}

fn cost(usage: &libc::rusage) -> Usage {
    Usage {
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        // Linux counts it in KiB.
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let microseconds = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}
