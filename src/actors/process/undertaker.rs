//! The undertaker: one thread that finishes what dropped runs leave behind. They are killed before they come here; what
//! remains is to wait for their processes to be gone, to reap, and to remove cgroups and private files, all of which blocks.

use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::group::Remains;

/// First and longest pause between two attempts: a killed process is gone in a millisecond, one that hangs in the kernel on
/// a dead disk may take hours, and is still ours.
const ATTEMPTS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(5));

/// Time after which a run that does not die is reported.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes over a run that was killed. Never blocks: it is called from `Drop`. Unbounded, but every entry is a run that was
/// admitted.
pub(super) fn take(remains: Remains) {
    static UNDERTAKER: OnceLock<mpsc::Sender<Remains>> = OnceLock::new();
    let undertaker = UNDERTAKER.get_or_init(|| {
        let (sender, arrivals) = mpsc::channel();
        let thread = std::thread::Builder::new().name("process-undertaker".to_owned());
        thread.spawn(move || serve(&arrivals)).expect("a daemon that cannot start one thread is lost");
        sender
    });
    undertaker.send(remains).ok();
}

struct Case {
    remains: Remains,
    since: Instant,
    reported: bool,
}

fn serve(arrivals: &mpsc::Receiver<Remains>) {
    let mut cases: Vec<Case> = Vec::new();
    let mut pause = ATTEMPTS.0;
    loop {
        let arrived = if cases.is_empty() {
            arrivals.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            arrivals.recv_timeout(pause)
        };
        match arrived {
            Ok(remains) => {
                cases.push(Case { remains, since: Instant::now(), reported: false });
                pause = ATTEMPTS.0;
            }
            Err(RecvTimeoutError::Timeout) => pause = (pause * 2).min(ATTEMPTS.1),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        cases.retain_mut(|case| !case.attempt());
    }
}

impl Case {
    fn attempt(&mut self) -> bool {
        let settled = self.remains.settle();
        if !settled && !self.reported && self.since.elapsed() > PATIENCE {
            tracing::error!(run = ?self.remains, "a killed run does not die; its processes may hang in the kernel");
            self.reported = true;
        }
        settled
    }
}
