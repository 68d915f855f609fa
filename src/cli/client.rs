//! An MCP client over WebSocket, for the command line. It owns its socket and has no task of its own: it reads while
//! somebody waits for an answer. A call may be dropped while it waits; its late answer is passed over.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, Stream, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::reply::{self, Incoming, Refusal};

/// A daemon on this machine accepts in milliseconds; longer means that nobody serves there.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for one answer: the longest patience a call can ask for (45 s) and a busy daemon's slack.
const ANSWER_MAX: Duration = Duration::from_secs(75);
/// How long the goodbye may take; the daemon copes without one.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// How often a refused call is repeated, and the longest wait before the next attempt: together at most 100 s, longer
/// than a burst over the rate limit lasts.
const ATTEMPTS_MAX: u32 = 20;
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Largest message taken from a daemon, in bytes: it sends less than 1 MiB.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The handshake we know. The daemon may answer with another version only if it is not ours.
pub const PROTOCOL_VERSION: &str = "2025-11-25";
pub const OUR_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why talking to a daemon failed; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no daemon answers at {address} ({why}); start one with `proctor serve`")]
    Unreachable { address: SocketAddr, why: String },
    #[error("the daemon at {address} refused the token; `proctor token` shows which file it is read from")]
    TokenRefused { address: SocketAddr },
    #[error("{address} answered HTTP {status} instead of opening a WebSocket: {body}")]
    NotOpened { address: SocketAddr, status: u16, body: String },
    #[error("what listens at {address} is no proctor daemon: {what}")]
    NotProctor { address: SocketAddr, what: String },
    #[error("the daemon is proctor {theirs}, this command is {OUR_VERSION}: restart the daemon")]
    Version { theirs: String },
    #[error("the connection to the daemon was lost ({why}); jobs go on without it: `proctor status JOB`")]
    Lost { why: String },
    #[error("the daemon did not answer {what} within {} s; its log may say why", ANSWER_MAX.as_secs())]
    Silent { what: String },
    #[error("{what} was answered in a form this version does not know: {why}")]
    Misread { what: String, why: String },
    /// The daemon understood and said no.
    #[error("{what}: {refusal}")]
    Refused { what: String, refusal: Refusal },
}

impl From<SocketError> for ClientError {
    fn from(error: SocketError) -> Self {
        Self::Lost { why: error.to_string() }
    }
}

/// One connection, past its handshake.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    address: SocketAddr,
    last_id: u64,
}

impl Client {
    /// Connects and shakes hands.
    pub async fn connect(address: SocketAddr, token: &str) -> Result<Self, ClientError> {
        let mut client = Self { socket: open(address, token).await?, address, last_id: 0 };
        client.initialize().await?;
        Ok(client)
    }

    /// Calls a tool. `progress` gets the text of each progress notification.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        tool: &str,
        arguments: &impl Serialize,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<T, ClientError> {
        let arguments = serde_json::to_value(arguments).map_err(|error| misread(tool, &error))?;
        let params = json!({
            "name": tool,
            "arguments": arguments,
            "_meta": { "progressToken": self.last_id + 1 },
        });
        let result = self.request("tools/call", tool, params, &mut progress).await?;
        reply::of_tool(result).map_err(|error| error.in_call(tool))
    }

    /// Calls a tool that may be called again, as often as the daemon asks for a little patience.
    pub async fn call_patiently<T: DeserializeOwned>(
        &mut self,
        tool: &str,
        arguments: &impl Serialize,
    ) -> Result<T, ClientError> {
        let arguments = serde_json::to_value(arguments).map_err(|error| misread(tool, &error))?;
        let params = json!({ "name": tool, "arguments": arguments });
        let result = self.request_patiently("tools/call", tool, &params).await?;
        reply::of_tool(result).map_err(|error| error.in_call(tool))
    }

    /// Reads a resource's text, as patiently.
    pub async fn read(&mut self, uri: &str) -> Result<String, ClientError> {
        let result = self.request_patiently("resources/read", uri, &json!({ "uri": uri })).await?;
        reply::of_resource(result).map_err(|error| error.in_call(uri))
    }

    /// Takes leave. What was asked for and not answered is given up.
    pub async fn close(mut self) {
        let goodbye = tokio::time::timeout(CLOSE_MAX, self.socket.close(None)).await;
        if !matches!(goodbye, Ok(Ok(()))) {
            // The daemon notices a closed socket by itself; a goodbye only spares it the guess.
            tracing::debug!(address = %self.address, "the goodbye was not taken");
        }
    }

    async fn initialize(&mut self) -> Result<(), ClientError> {
        let params = json!({
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": { "name": "proctor-cli", "version": OUR_VERSION },
        });
        let result = self.request("initialize", "initialize", params, &mut |_| {}).await?;
        let text = |pointer: &str| result.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (name, theirs) = (text("/serverInfo/name"), text("/serverInfo/version"));
        if name != "proctor" || text("/protocolVersion") != PROTOCOL_VERSION {
            return Err(ClientError::NotProctor {
                address: self.address,
                what: format!("it calls itself {name:?} and speaks MCP {}", text("/protocolVersion")),
            });
        }
        if theirs != OUR_VERSION {
            return Err(ClientError::Version { theirs: theirs.to_owned() });
        }
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await
    }

    async fn request_patiently(
        &mut self,
        method: &str,
        what: &str,
        params: &Value,
    ) -> Result<Value, ClientError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.request(method, what, params.clone(), &mut |_| {}).await {
                Err(ClientError::Refused { refusal: Refusal { retry_after_ms: Some(wait), .. }, .. }) => {
                    tokio::time::sleep(Duration::from_millis(wait).min(RETRY_WAIT_MAX)).await;
                }
                other => return other,
            }
        }
        self.request(method, what, params.clone(), &mut |_| {}).await
    }

    async fn request(
        &mut self,
        method: &str,
        what: &str,
        params: Value,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Value, ClientError> {
        self.last_id += 1;
        let id = self.last_id;
        let answer = async {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
            self.answer(id, what, progress).await
        };
        match tokio::time::timeout(ANSWER_MAX, answer).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::Silent { what: what.to_owned() }),
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), ClientError> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    async fn answer(
        &mut self,
        id: u64,
        what: &str,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Value, ClientError> {
        loop {
            match next_text(&mut self.socket).await? {
                None => {
                    return Err(ClientError::Lost { why: "it was closed".to_owned() });
                }
                Some(text) => match reply::parse(&text).map_err(|error| misread(what, &error))? {
                    Incoming::Result { id: theirs, result } if theirs == id => return Ok(result),
                    Incoming::Error { id: theirs, refusal } if theirs.is_none_or(|theirs| theirs == id) => {
                        return Err(ClientError::Refused { what: what.to_owned(), refusal });
                    }
                    Incoming::Progress { token, message } if token == id => progress(&message),
                    // Answers to calls that were given up, and notifications nobody asked for.
                    Incoming::Result { .. }
                    | Incoming::Error { .. }
                    | Incoming::Progress { .. }
                    | Incoming::Other => {}
                },
            }
        }
    }
}

/// The next message; `None` when the daemon closed properly. Pings are answered by the library while it reads.
pub async fn next_text(
    socket: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin),
) -> Result<Option<String>, ClientError> {
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => return Ok(Some(text.as_str().to_owned())),
            Message::Close(Some(frame)) if u16::from(frame.code) != 1000 => {
                let why = format!("closed with {}: {}", u16::from(frame.code), frame.reason);
                return Err(ClientError::Lost { why });
            }
            Message::Close(_) => return Ok(None),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    Ok(None)
}

/// The socket past its handshake with HTTP, before that of MCP: what a bridge forwards to.
pub async fn open(address: SocketAddr, token: &str) -> Result<WebSocketStream<TcpStream>, ClientError> {
    let opening = async {
        let stream = TcpStream::connect(address).await.map_err(SocketError::Io)?;
        stream.set_nodelay(true).map_err(SocketError::Io)?;
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(MESSAGE_BYTES_MAX);
        config.max_frame_size = Some(MESSAGE_BYTES_MAX);
        client_async_with_config(upgrade(address, token)?, stream, Some(config)).await
    };
    match tokio::time::timeout(CONNECT_MAX, opening).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(not_opened(address, error)),
        Err(_) => Err(ClientError::Unreachable {
            address,
            why: format!("no answer within {} s", CONNECT_MAX.as_secs()),
        }),
    }
}

fn upgrade(address: SocketAddr, token: &str) -> Result<Request<()>, SocketError> {
    let mut request = format!("ws://{address}/mcp").into_client_request()?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert("authorization", bearer);
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mcp"));
    Ok(request)
}

fn not_opened(address: SocketAddr, error: SocketError) -> ClientError {
    match error {
        SocketError::Http(response) if response.status() == 401 => ClientError::TokenRefused { address },
        SocketError::Http(response) => ClientError::NotOpened {
            address,
            status: response.status().as_u16(),
            body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).trim().to_owned(),
        },
        SocketError::Io(error) => ClientError::Unreachable { address, why: error.to_string() },
        other => ClientError::NotProctor { address, what: other.to_string() },
    }
}

fn misread(what: &str, error: &serde_json::Error) -> ClientError {
    ClientError::Misread { what: what.to_owned(), why: error.to_string() }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
