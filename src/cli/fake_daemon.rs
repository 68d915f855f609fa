//! A daemon for the tests of this folder: one connection, our token, our subprotocol, scripted answers.

use std::future::Future;
use std::net::SocketAddr;

use futures_util::SinkExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Upgrade, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::client::{Client, next_text};

pub const TOKEN: &str = "secret";

/// A daemon of one connection that answers each request with what `answer` gives, until the client leaves; `null` hangs
/// up. It takes only our token and our subprotocol.
pub async fn daemon(listener: TcpListener, mut answer: impl FnMut(&Value) -> Vec<Value>) {
    let (stream, _) = listener.accept().await.unwrap();
    let Ok(mut socket) = accept_hdr_async(stream, admit).await else {
        return;
    };
    while let Ok(Some(text)) = next_text(&mut socket).await {
        let request: Value = serde_json::from_str(&text).unwrap();
        for message in answer(&request) {
            if message.is_null() {
                return;
            }
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
    }
}

#[expect(clippy::result_large_err, reason = "the library's callback has this shape")]
pub fn admit(upgrade: &Upgrade, mut response: Response) -> Result<Response, ErrorResponse> {
    let header = |name: &str| upgrade.headers().get(name).and_then(|value| value.to_str().ok());
    if header("authorization") != Some("Bearer secret") {
        let mut refusal = ErrorResponse::new(Some("a token is needed".to_owned()));
        *refusal.status_mut() = 401.try_into().unwrap();
        return Err(refusal);
    }
    assert_eq!((header("sec-websocket-protocol"), upgrade.uri().path()), (Some("mcp"), "/mcp"));
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mcp"));
    Ok(response)
}

/// Runs `daemon` and `client` against each other.
pub async fn play<T, F: Future<Output = T>>(
    answer: impl FnMut(&Value) -> Vec<Value>,
    client: impl FnOnce(SocketAddr) -> F,
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::join!(daemon(listener, answer), client(address)).1
}

pub fn result(request: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })
}

pub fn introduction(name: &str, version: &str) -> Value {
    json!({ "protocolVersion": super::client::PROTOCOL_VERSION, "capabilities": {}, "serverInfo": { "name": name, "version": version } })
}

pub fn structured(content: &impl Serialize) -> Value {
    json!({ "content": [], "structuredContent": content })
}

/// Answers the handshake, and tool calls by `answer`.
pub fn with_handshake(mut answer: impl FnMut(&Value) -> Vec<Value>) -> impl FnMut(&Value) -> Vec<Value> {
    move |request| match request["method"].as_str().unwrap() {
        "initialize" => vec![result(request, &introduction("proctor", super::client::OUR_VERSION))],
        "notifications/initialized" => vec![],
        _ => answer(request),
    }
}

pub async fn connected(address: SocketAddr) -> Client {
    Client::connect(address, TOKEN).await.unwrap()
}
