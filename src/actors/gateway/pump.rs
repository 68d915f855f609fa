//! Carries messages between a WebSocket and its session: a reader and a writer, run side by side by the connection.
//!
//! The reader takes one message at a time, reads its envelope, and waits before it goes on while answers pile up or as
//! many requests are open as may be: then the peer's TCP window fills, which is the only back-pressure that costs
//! nothing. The writer sends what the outbox holds in batches, each under a deadline, and closes with a reason.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message, protocol::CloseFrame};

use super::admission::SessionPermit;
use super::metered::{Metered, Violation};
use super::phase::{Phase, reached};
use crate::actors::mailbox::Address;
use crate::actors::session::SessionMessage;
use crate::actors::session::outbox::{Batch, Outbox};
use crate::actors::session::work::Credit;
use crate::protocol::errors::{CloseReason, WireError};
use crate::protocol::jsonrpc::{self, Incoming, Rejected};
use crate::protocol::limits::{CLOSE_DEADLINE, LINGER, LINGER_BYTES_MAX, Limits};
use crate::protocol::mcp::{Notification, Request};

type Socket = WebSocketStream<Metered>;

/// How reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The peer closed in order; the library has answered its close frame.
    ByPeer,
    /// The connection is broken: nothing can be sent any more.
    Broken,
    /// We close, and say why. What the peer still sends is not looked at.
    ByUs(CloseReason),
}

/// Carries messages until both directions are done.
pub async fn run(
    socket: Socket,
    session: &Address<SessionMessage>,
    outbox: &Arc<Outbox>,
    permit: &Arc<SessionPermit>,
    phase: watch::Receiver<Phase>,
) -> Ended {
    let (mut sink, stream) = socket.split();
    let mut reader = Reader::new(stream, session, outbox, permit);
    let ended = carry(&mut sink, &mut reader, phase).await;
    if let (Ended::ByUs(_), Ok(socket)) = (ended, sink.reunite(reader.stream)) {
        linger(socket).await;
    }
    ended
}

async fn carry(
    sink: &mut SplitSink<Socket, Message>,
    reader: &mut Reader<'_>,
    phase: watch::Receiver<Phase>,
) -> Ended {
    let (outbox, permit, limits) = (reader.outbox, reader.permit, *reader.permit.limits());
    let closing = async {
        tokio::select! {
            () = reached(&phase, Phase::Closing) => outbox.close(CloseReason::Draining),
            () = permit.sent_away() => outbox.close(CloseReason::Overloaded),
        }
    };
    let reading = async {
        let ended = reader.run().await;
        match ended {
            Ended::ByPeer | Ended::Broken => outbox.close(CloseReason::Normal),
            Ended::ByUs(reason) => outbox.close(reason),
        }
        ended
    };
    let mut reading = std::pin::pin!(reading.fuse());
    let mut closing = std::pin::pin!(closing.fuse());
    let mut writing = std::pin::pin!(write(sink, outbox, &limits));
    let mut read = None;
    let written = loop {
        tokio::select! {
            ended = &mut reading => read = Some(ended),
            () = &mut closing => {}
            written = &mut writing => break written,
        }
        if read == Some(Ended::Broken) {
            return Ended::Broken;
        }
    };
    match (written, read) {
        (Err(WriteFailed), _) => Ended::Broken,
        (Ok(()), Some(ended)) => ended,
        // Our close frame is out. The peer's may come behind messages it had sent before; those are read and dropped.
        (Ok(()), None) => timeout(limits.close_deadline, reading).await.unwrap_or(Ended::Broken),
    }
}

/// Closes a connection that got no session.
pub async fn refuse(mut socket: Socket, reason: CloseReason, limits: &Limits) {
    if timeout(limits.close_deadline, socket.close(Some(frame(reason)))).await.is_ok() {
        linger(socket).await;
    }
}

/// Closing a socket with unread bytes resets it, and a reset may overtake our close frame: read to the peer's end, a
/// while.
async fn linger(socket: Socket) {
    let mut socket = socket.into_inner().into_socket();
    // An error means that the peer is gone, and nobody is left to wait for.
    if socket.shutdown().await.is_ok() {
        let mut rest = socket.take(LINGER_BYTES_MAX);
        drop(timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await);
    }
}

struct Reader<'a> {
    stream: SplitStream<Socket>,
    session: &'a Address<SessionMessage>,
    outbox: &'a Arc<Outbox>,
    permit: &'a Arc<SessionPermit>,
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
}

impl<'a> Reader<'a> {
    fn new(
        stream: SplitStream<Socket>,
        session: &'a Address<SessionMessage>,
        outbox: &'a Arc<Outbox>,
        permit: &'a Arc<SessionPermit>,
    ) -> Self {
        let limits = permit.limits();
        let bytes_max = limits.parked_bytes_per_session;
        Self {
            stream,
            session,
            outbox,
            permit,
            requests: Arc::new(Semaphore::new(limits.in_flight_per_session + limits.parked_per_session)),
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
        }
    }

    async fn run(&mut self) -> Ended {
        loop {
            self.outbox.relieved().await;
            let message = match self.hear().await {
                Ok(message) => message,
                Err(ended) => return ended,
            };
            if self.outbox.is_closed() {
                continue;
            }
            match message {
                Message::Text(text) => {
                    if self.take(text.as_str()).await.is_err() {
                        return Ended::ByUs(CloseReason::InternalError);
                    }
                }
                Message::Binary(_) => return Ended::ByUs(CloseReason::BinaryMessage),
                // The library answers pings and closes; pongs only show that the peer is there.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next message, whatever kind; asks a silent peer whether it is there.
    async fn hear(&mut self) -> Result<Message, Ended> {
        let limits = self.permit.limits();
        let silent_at = Instant::now() + limits.ping_after;
        if let Ok(heard) = timeout_at(silent_at, self.stream.next()).await {
            return sort(heard);
        }
        self.outbox.ping();
        match timeout(limits.pong_deadline, self.stream.next()).await {
            Ok(heard) => sort(heard),
            Err(_silent) => Err(Ended::Broken),
        }
    }

    /// Hands one message on. An error means that the session is gone.
    async fn take(&self, text: &str) -> Result<(), SessionGone> {
        let message = match jsonrpc::parse(text, self.permit.limits().json_depth) {
            Err(Rejected { id, error }) => {
                self.outbox.answer(jsonrpc::failure(id.as_ref(), &error));
                return Ok(());
            }
            Ok(Incoming::Response) => return Ok(()),
            Ok(Incoming::Notification { method, params }) => {
                SessionMessage::Notify(Notification::parse(&method, params.as_deref()))
            }
            Ok(Incoming::Request { id, method, params }) => {
                let read = Request::parse(&method, params.as_deref());
                match read.and_then(|request| self.paced(request)) {
                    Ok(request) => {
                        let Some(credit) = self.credit(&request, text.len()).await else {
                            return Ok(());
                        };
                        SessionMessage::Request { id, request, credit }
                    }
                    Err(error) => {
                        self.outbox.answer(jsonrpc::failure(Some(&id), &error));
                        return Ok(());
                    }
                }
            }
        };
        self.session.send(message).await.map_err(|_| SessionGone)
    }

    /// Counts the request against its principal's rate; a ping costs nothing.
    fn paced(&self, request: Request) -> Result<Request, WireError> {
        if !matches!(request, Request::Ping) {
            self.permit.pace()?;
        }
        Ok(request)
    }

    /// Waits for a place for a request that takes time; `None` when the socket closes meanwhile.
    async fn credit(&self, request: &Request, bytes: usize) -> Option<Option<Credit>> {
        if !matches!(request, Request::CallTool(_) | Request::ReadResource(_)) {
            return Some(None);
        }
        let bytes = u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX);
        let places = async {
            let request = Arc::clone(&self.requests).acquire_owned().await.ok()?;
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes).await.ok()?;
            Some(Credit { _request: request, _bytes: bytes })
        };
        tokio::select! {
            credit = places => credit.map(Some),
            () = self.outbox.closed() => None,
        }
    }
}

#[derive(Debug)]
struct SessionGone;

/// What a read means.
fn sort(heard: Option<Result<Message, Error>>) -> Result<Message, Ended> {
    match heard {
        Some(Ok(message)) => Ok(message),
        None => Err(Ended::ByPeer),
        Some(Err(error)) => Err(match error {
            Error::Capacity(_) => Ended::ByUs(CloseReason::TooBig),
            Error::Utf8(_) => Ended::ByUs(CloseReason::BadUtf8),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ended::Broken,
            Error::Protocol(_) => Ended::ByUs(CloseReason::ProtocolViolation),
            Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Violation>()) {
                Some(Violation(reason)) => Ended::ByUs(*reason),
                None => Ended::Broken,
            },
            _ => Ended::Broken,
        }),
    }
}

/// Sends until the outbox is closed and empty, then the close frame.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    outbox: &Outbox,
    limits: &Limits,
) -> Result<(), WriteFailed> {
    loop {
        match outbox.next().await {
            Batch::Messages { texts, ping } => {
                if ping {
                    within(limits.write_deadline, sink.feed(Message::Ping(Bytes::new()))).await?;
                }
                for text in texts {
                    within(limits.write_deadline, sink.feed(Message::text(text))).await?;
                }
                within(limits.write_deadline, sink.flush()).await?;
            }
            Batch::Close(reason) => {
                let close = sink.send(Message::Close(Some(frame(reason))));
                return match timeout(CLOSE_DEADLINE, close).await {
                    // A peer that closed first has its answer already: the library refuses a second close frame.
                    Ok(_sent_or_closed) => Ok(()),
                    Err(_elapsed) => Err(WriteFailed),
                };
            }
        }
    }
}

/// The socket is broken, or its peer did not read in time.
#[derive(Debug)]
struct WriteFailed;

async fn within(
    deadline: Duration,
    write: impl Future<Output = Result<(), Error>>,
) -> Result<(), WriteFailed> {
    match timeout(deadline, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_broken)) => Err(WriteFailed),
        Err(_elapsed) => {
            metrics::counter!("proctor_slow_consumers_total").increment(1);
            Err(WriteFailed)
        }
    }
}

fn frame(reason: CloseReason) -> CloseFrame {
    CloseFrame { code: CloseCode::from(reason.code()), reason: reason.text().into() }
}
