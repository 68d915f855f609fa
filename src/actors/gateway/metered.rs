//! A socket whose incoming frames are counted as they are read. Bytes that came with the HTTP request are read first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::protocol::errors::CloseReason;
use crate::protocol::frames::FrameWatch;

/// The socket of a session.
pub struct Metered {
    socket: TcpStream,
    early: Bytes,
    watch: FrameWatch,
}

/// What a read fails with when the peer's frames break a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.text())]
pub struct Violation(pub CloseReason);

impl Metered {
    pub fn new(socket: TcpStream, early: Bytes) -> Self {
        Self { socket, early, watch: FrameWatch::new(Instant::now()) }
    }

    pub fn into_socket(self) -> TcpStream {
        self.socket
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.early.has_remaining() {
            let count = this.early.len().min(buffer.remaining());
            buffer.put_slice(&this.early.split_to(count));
        } else {
            ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        }
        let read = &buffer.filled()[before..];
        Poll::Ready(
            this.watch.feed(read, Instant::now()).map_err(|reason| io::Error::other(Violation(reason))),
        )
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
