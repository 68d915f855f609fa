//! What passes a gate, counted: a tool's proof of work that the tool did not write itself.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// Refused authorities that are kept by name: enough to see what a page led to.
const NAMED_MAX: usize = 32;
/// Longest of these names, in bytes: what a tool sent may be anything.
const NAME_BYTES_MAX: usize = 260;

/// What has passed a gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests that were sent to the target. What goes through a tunnel is not seen.
    pub requests: u64,
    /// Answers of the target, by the first digit of their status, from 1xx to 5xx.
    pub answers: [u64; 5],
    /// Requests that cannot be read, and so were not passed on: tools are told 400.
    pub unreadable: u64,
    /// Requests and tunnels for which the target could not be reached or gave no answer.
    pub failed: u64,
    /// Tunnels to the target.
    pub tunnels: u64,
    /// Of these, through which the target answered. Only its end knows what: a refused handshake is an answer, too.
    pub tunnels_answered: u64,
    /// Requests and tunnels to what is not in the scope, or out of its bounds.
    pub refused: u64,
    /// Whereto: the first 32 of them, by name: `host:port`, or the URL that is out of bounds.
    pub refused_to: BTreeSet<String>,
    /// Bytes of bodies and tunnels to and from the target.
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Traffic {
    /// Answers of the target, whatever they said.
    pub fn answered(&self) -> u64 {
        self.answers.iter().sum()
    }

    /// What a tool tried that the target never saw: its silence about that proves nothing.
    pub fn withheld(&self) -> Option<String> {
        (self.unreadable > 0).then(|| {
            let count = self.unreadable;
            format!("requests_unreadable: {count} requests were no HTTP or had targets that are no URLs, and were not passed on")
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    requests: AtomicU64,
    answers: [AtomicU64; 5],
    failed: AtomicU64,
    unreadable: AtomicU64,
    tunnels: AtomicU64,
    tunnels_answered: AtomicU64,
    refused: AtomicU64,
    refused_to: Mutex<BTreeSet<String>>,
    sent: AtomicU64,
    received: AtomicU64,
}

/// Which way a byte goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToTarget,
    FromTarget,
}

impl Counts {
    pub(super) fn read(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            requests: count(&self.requests),
            answers: std::array::from_fn(|class| count(&self.answers[class])),
            failed: count(&self.failed),
            unreadable: count(&self.unreadable),
            tunnels: count(&self.tunnels),
            tunnels_answered: count(&self.tunnels_answered),
            refused: count(&self.refused),
            refused_to: self.refused_to.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bytes_sent: count(&self.sent),
            bytes_received: count(&self.received),
        }
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answer(&self, status: u16) {
        // HTTP parsers take 100 to 999; what is over 599 counts as the server's failure, which it is.
        let class = usize::from(status / 100).clamp(1, self.answers.len()) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn tunnel(&self) {
        self.tunnels.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn tunnel_answered(&self) {
        self.tunnels_answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refusal(&self, whereto: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("proctor_gate_refused_total").increment(1);
        let mut named = self.refused_to.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED_MAX {
            named.insert(crate::domain::finding::clean_text(whereto, NAME_BYTES_MAX));
        }
    }

    pub(super) fn moved(&self, way: Way, bytes: u64) {
        let counter = match way {
            Way::ToTarget => &self.sent,
            Way::FromTarget => &self.received,
        };
        counter.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A body on its way through, counted as it passes. Nothing of it is held: the reader's pace is the writer's.
pub(super) struct Passing {
    /// `None`: there is none.
    body: Option<Incoming>,
    way: Way,
    counts: Arc<Counts>,
}

impl Passing {
    pub(super) const fn new(body: Incoming, way: Way, counts: Arc<Counts>) -> Self {
        Self { body: Some(body), way, counts }
    }

    pub(super) const fn empty(counts: Arc<Counts>) -> Self {
        Self { body: None, way: Way::ToTarget, counts }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.counts.moved(self.way, data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}
