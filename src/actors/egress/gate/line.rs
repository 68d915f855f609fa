//! The line from a gate to the target, as long as a tool's connection lives: what comes in a row goes out in a row.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::traffic::{Counts, Passing};
use crate::actors::egress::connect::{CONNECT, Unconnected, connect};
use crate::actors::egress::fetch::told;
use crate::actors::egress::patient::Patient;
use crate::domain::scope::Authority;

/// How long a target may think about an answer, and pause in the midst of one. Longer than the patience of the scanners,
/// so that it is they who give up.
pub(super) const TARGET_SILENCE: Duration = Duration::from_secs(60);
/// Bytes of a header, either way: attacks put much into one.
pub(super) const HEADER_BYTES_MAX: usize = 128 * 1024;
/// Headers, either way.
pub(super) const HEADERS_MAX: usize = 256;

/// A kept connection to the target.
pub(super) struct Line {
    authority: Authority,
    sender: SendRequest<Passing>,
    /// Moves the bytes; ends with the line.
    _moving: JoinSet<()>,
}

/// Why the target gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error(transparent)]
    Unconnected(#[from] Unconnected),
    #[error("the target gave no answer within {} s", TARGET_SILENCE.as_secs())]
    TimedOut,
    #[error("the target's answer is no HTTP, or was cut short: {0}")]
    Broken(String),
}

impl Silence {
    pub(super) const fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unconnected(Unconnected { is_silent: true, .. }))
    }
}

impl Line {
    async fn connect(authority: &Authority, addresses: &[SocketAddr]) -> Result<Self, Silence> {
        let stream = connect(addresses, CONNECT).await?;
        let mut client = http1::Builder::new();
        client
            .max_buf_size(HEADER_BYTES_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .preserve_header_case(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        let io = TokioIo::new(Patient::new(stream, TARGET_SILENCE));
        let (sender, connection) = client.handshake(io).await.map_err(|error| broken(&error))?;
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            // What went wrong is told to whoever waits for the answer.
            drop(connection.await);
        });
        Ok(Self { authority: authority.clone(), sender, _moving: moving })
    }

    /// Sends a request over `kept` if that leads there and is still up, else over a new line; gives the line back for the next.
    pub(super) async fn send(
        kept: Option<Self>,
        (authority, addresses): (&Authority, &[SocketAddr]),
        request: Request<Passing>,
        counts: &Arc<Counts>,
    ) -> Result<(Response<Incoming>, Self), Silence> {
        let kept = kept.filter(|line| line.authority == *authority && !line.sender.is_closed());
        let Some(mut line) = kept else {
            return Self::connect(authority, addresses).await?.ask(request).await;
        };
        // The target may hang up on a quiet line at the very moment in which it is used again.
        let spare = spare(&request, counts);
        if line.sender.ready().await.is_ok() {
            match (line.ask(request).await, spare) {
                (Err(Silence::Broken(_)), Some(spare)) => {
                    return Self::connect(authority, addresses).await?.ask(spare).await;
                }
                (answered, _) => return answered,
            }
        }
        Self::connect(authority, addresses).await?.ask(request).await
    }

    async fn ask(mut self, request: Request<Passing>) -> Result<(Response<Incoming>, Self), Silence> {
        match timeout(TARGET_SILENCE, self.sender.send_request(request)).await {
            Ok(Ok(response)) => Ok((response, self)),
            Ok(Err(error)) if is_timeout(&error) => Err(Silence::TimedOut),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(Silence::TimedOut),
        }
    }
}

/// The request once more, if it may be sent twice: it has no body, and asks for nothing to be changed.
fn spare(request: &Request<Passing>, counts: &Arc<Counts>) -> Option<Request<Passing>> {
    if !request.body().is_end_stream() || !request.method().is_safe() {
        return None;
    }
    let mut spare = Request::new(Passing::empty(Arc::clone(counts)));
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    *spare.extensions_mut() = request.extensions().clone();
    Some(spare)
}

fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

fn broken(error: &hyper::Error) -> Silence {
    Silence::Broken(told(error))
}
