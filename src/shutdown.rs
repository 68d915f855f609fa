//! Signals as one future: the first asks for a drain, the second for hurry, the third to leave at once.
//!
//! SIGTERM (systemd, Docker), SIGINT (Ctrl-C) and SIGHUP (the terminal is gone; nothing is reloaded) mean the same.
//! Two things make one ask look like several, or several like one:
//! - The kernel coalesces: equal signals that come before the first is read are one. So a second ask counts only if
//!   it was sent after the first was taken, and nobody may wait for "exactly two" of them.
//! - One stop may send more than one signal: systemd with `SendSIGHUP=` sends TERM and HUP back to back, a terminal
//!   that closes sends HUP after INT, `timeout` signals the process and then its group. What comes within
//!   [`SAME_ASK`] of the last ask is the same ask.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt as _};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;

/// Signals this close together are one ask: longer than a kernel takes to deliver a burst, shorter than a person
/// takes to press Ctrl-C twice on purpose.
pub const SAME_ASK: Duration = Duration::from_millis(150);

/// What the outside asks for, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// No new work; let running work finish within its time.
    Drain,
    /// Do not wait for running jobs; results that are there are kept.
    Hurry,
    /// Leave now.
    Leave,
}

/// How far the asking has gone. Pure: time is passed in.
#[derive(Debug, Clone, Copy, Default)]
struct Escalation {
    last: Option<(Ask, Instant)>,
}

impl Escalation {
    /// A signal came at `now`. `None` when it belongs to the ask before it.
    fn step(&mut self, now: Instant) -> Option<Ask> {
        let ask = match self.last {
            None => Ask::Drain,
            Some((_, at)) if now.saturating_duration_since(at) < SAME_ASK => return None,
            Some((Ask::Drain, _)) => Ask::Hurry,
            Some((Ask::Hurry | Ask::Leave, _)) => Ask::Leave,
        };
        self.last = Some((ask, now));
        Some(ask)
    }
}

/// The asks that come from outside. One owner for a process's whole life: the signals taken over stay taken over.
pub struct Shutdown {
    asks: Pin<Box<dyn Stream<Item = Ask> + Send>>,
}

impl Shutdown {
    /// Takes the process's signals over; from here on they kill nobody. Needs a runtime.
    pub fn listen() -> io::Result<Self> {
        let signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let mut escalation = Escalation::default();
        let asks = signals.filter_map(move |signal| {
            let ask = escalation.step(Instant::now());
            tracing::info!(signal = name(signal), ?ask, "asked to stop");
            std::future::ready(ask)
        });
        Ok(Self::of(asks))
    }

    /// Asks of another origin than signals: for embedders and tests.
    pub fn of(asks: impl Stream<Item = Ask> + Send + 'static) -> Self {
        Self { asks: Box::pin(asks) }
    }

    /// Waits for the next ask. May be dropped and called again: one that is not yet taken stays in the stream.
    pub async fn next(&mut self) -> Ask {
        match self.asks.next().await {
            Some(ask) => ask,
            // A stream that has ended asks for nothing; that of the process never ends.
            None => std::future::pending().await,
        }
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGTERM => "SIGTERM",
        SIGINT => "SIGINT",
        _ => "SIGHUP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_later_ask_is_stronger_and_a_burst_is_one() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut escalation = Escalation::default();
        let asks = [0, 1, 149, 150, 160, 1_000, 2_000].map(|ms| escalation.step(at(ms)));
        let expected =
            [Some(Ask::Drain), None, None, Some(Ask::Hurry), None, Some(Ask::Leave), Some(Ask::Leave)];
        assert_eq!(asks, expected);
    }
}
