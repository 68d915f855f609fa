//! One TCP connection, from its first byte to its last: HTTP requests, then perhaps a WebSocket.
//!
//! ```text
//! http ──101──▶ pumping ──▶ closing (close frame, peer's close) ──▶ lingering ──▶ gone
//!   └─ answered, header deadline ─────────────────────────────────────────────▶ gone
//! ```
//! Owned by the listener, as a task. Every step has a deadline, so it ends by itself whatever the peer does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::http::{self, Admitted};
use super::listener::Shared;
use super::metered::Metered;
use super::pump;
use crate::actors::mailbox::Address;
use crate::actors::session::outbox::Outbox;
use crate::actors::session::{SessionArguments, SessionMessage};
use crate::protocol::errors::CloseReason;
use crate::protocol::limits::{HEADERS_MAX, Limits, READ_BUFFER_BYTES, WRITE_BUFFER_BYTES};

/// Serves one connection to its end.
pub async fn serve(shared: Arc<Shared>, socket: TcpStream, address: SocketAddr) {
    // Small answers leave at once; an error means that the peer has left already.
    drop(socket.set_nodelay(true));
    if let Some(admitted) = speak_http(&shared, socket, address).await {
        converse(&shared, admitted, address).await;
    }
}

/// Answers HTTP requests until the connection ends or becomes something else.
async fn speak_http(shared: &Arc<Shared>, socket: TcpStream, address: SocketAddr) -> Option<Admitted> {
    let limits = shared.admission.limits();
    let granted: Mutex<Option<Admitted>> = Mutex::new(None);
    let service = service_fn(|request| {
        let (answer, admitted) = http::answer(shared, address.ip(), request);
        if admitted.is_some() {
            *granted.lock().unwrap_or_else(PoisonError::into_inner) = admitted;
        }
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_deadline)
        .max_buf_size(limits.header_bytes)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%address, %error, "connection ended");
    }
    granted.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the session and carries its messages until one side is done.
async fn converse(shared: &Arc<Shared>, admitted: Admitted, address: SocketAddr) {
    let Ok(upgraded) = admitted.upgrade.await else {
        return;
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("the listener serves TCP streams only");
    let limits = *shared.admission.limits();
    let socket = websocket(parts.io.into_inner(), parts.read_buf, &limits).await;
    let outbox = Outbox::new(&limits);
    let permit = Arc::new(admitted.permit);
    let session = SessionArguments {
        permit: Arc::clone(&permit),
        outbox: Arc::clone(&outbox),
        phase: shared.watch_phase(),
        handles: shared.handles.clone(),
        table: Arc::clone(&shared.table),
    };
    let session = match shared.sessions.start(session).await {
        Ok(session) => session,
        Err(error) => {
            tracing::warn!(%address, %error, "no session could be started");
            return pump::refuse(socket, CloseReason::Overloaded, &limits).await;
        }
    };
    metrics::counter!("proctor_sessions_total").increment(1);
    let leaving = Leaving(session.clone());
    let closed = pump::run(socket, &session, &outbox, &permit, shared.watch_phase()).await;
    drop(leaving);
    tracing::debug!(%address, ?closed, "session's connection ended");
}

/// Tells the session that its connection is gone, also when this task is aborted.
struct Leaving(Address<SessionMessage>);

impl Drop for Leaving {
    fn drop(&mut self) {
        // An error means that the session is gone already.
        drop(self.0.try_send(SessionMessage::Leave));
    }
}

async fn websocket(socket: TcpStream, early: Bytes, limits: &Limits) -> WebSocketStream<Metered> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        // Per message in practice, so above the largest one; the library's default is no limit at all.
        .max_write_buffer_size(WRITE_BUFFER_BYTES + limits.message_out_bytes + READ_BUFFER_BYTES)
        .max_message_size(Some(limits.message_in_bytes))
        .max_frame_size(Some(limits.message_in_bytes));
    WebSocketStream::from_raw_socket(Metered::new(socket, early), Role::Server, Some(config)).await
}
