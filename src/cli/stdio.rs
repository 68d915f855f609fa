//! `proctor stdio`: a bridge between a client that speaks MCP over standard input and output, and the daemon's
//! WebSocket. One line is one message is one frame; messages are only counted, so every version of MCP passes.
//!
//! ```text
//! client ──line──▶ stdin ──frame──▶ daemon
//!        ◀─line── stdout ◀─frame──
//! ```
//! The two directions do not wait for each other: a daemon that takes no more requests still gets its answers out.
//! The bridge ends when the client closes standard input (after the answers that are under way, within
//! [`LAST_ANSWERS_MAX`]), or when the daemon closes.

use std::io;
use std::time::Duration;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::client::{ClientError, next_text};

/// Longest line taken, in bytes: what the daemon may be configured to take at most.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// After standard input ends: how long answers under way are still waited for. Clients that close it and stay allow
/// about this long before they kill.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(2);

/// Why the bridge broke.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    #[error("standard input or output failed: {0}")]
    Stdio(#[from] io::Error),
    #[error("a line on standard input is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("a line on standard input is not UTF-8")]
    NotText,
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Forwards until one side ends.
pub async fn bridge<S>(
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
    socket: S,
) -> Result<(), BridgeError>
where
    S: Stream<Item = Result<Message, SocketError>> + Sink<Message, Error = SocketError> + Unpin,
{
    let (mut to_daemon, from_daemon) = socket.split();
    // Requests that wait for their answer.
    let (open, mut watched) = watch::channel(0_i64);
    let from_client = async {
        forward_lines(input, &mut to_daemon, &open).await?;
        let answered = watched.wait_for(|open| *open <= 0);
        if tokio::time::timeout(LAST_ANSWERS_MAX, answered).await.is_err() {
            tracing::debug!("the client left before its last answers");
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = from_client => ended,
        ended = forward_frames(from_daemon, output, &open) => ended,
    };
    if let Err(error) = to_daemon.close().await {
        // It is gone already, which is what was wanted.
        tracing::debug!(%error, "the goodbye was not taken");
    }
    ended
}

async fn forward_lines(
    mut input: impl AsyncBufRead + Unpin,
    to_daemon: &mut (impl Sink<Message, Error = SocketError> + Unpin),
    open: &watch::Sender<i64>,
) -> Result<(), BridgeError> {
    loop {
        let mut line = Vec::new();
        (&mut input).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(());
        }
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(BridgeError::LineTooLong);
        }
        let line = String::from_utf8(line).map_err(|_| BridgeError::NotText)?;
        let message = line.trim();
        if message.is_empty() {
            continue;
        }
        open.send_modify(|open| *open += i64::from(Kind::of(message) == Kind::Request));
        to_daemon.send(Message::text(message)).await.map_err(ClientError::from)?;
    }
}

async fn forward_frames(
    mut from_daemon: impl Stream<Item = Result<Message, SocketError>> + Unpin,
    mut output: impl AsyncWrite + Unpin,
    open: &watch::Sender<i64>,
) -> Result<(), BridgeError> {
    while let Some(message) = next_text(&mut from_daemon).await? {
        // A raw line break in JSON is blank space; in a string it is escaped.
        let mut line = message.replace(['\r', '\n'], " ");
        line.push('\n');
        output.write_all(line.as_bytes()).await?;
        output.flush().await?;
        open.send_modify(|open| *open -= i64::from(Kind::of(&message) == Kind::Answer));
    }
    Ok(())
}

/// What counts for knowing whether answers are under way.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Answer,
    Other,
}

impl Kind {
    fn of(message: &str) -> Self {
        #[derive(Deserialize)]
        struct Members {
            id: Option<IgnoredAny>,
            method: Option<IgnoredAny>,
        }
        match serde_json::from_str(message) {
            Ok(Members { id: Some(_), method: Some(_) }) => Self::Request,
            Ok(Members { id: Some(_), method: None }) => Self::Answer,
            // An error answer to what could not be read has no id; what was sent then was not counted either.
            Ok(Members { id: None, .. }) | Err(_) => Self::Other,
        }
    }
}

#[cfg(test)]
#[path = "stdio_tests.rs"]
mod tests;
