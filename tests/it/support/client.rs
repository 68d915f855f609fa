//! A polite client: a WebSocket by the book, JSON-RPC by hand.

use std::collections::HashMap;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};

use super::soon;
use super::world::World;

/// A connection that was let in.
pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
    next_id: u64,
    /// Answers that came while another was waited for.
    early: HashMap<String, Value>,
    /// Notifications, in order.
    pub notifications: Vec<Value>,
}

/// An upgrade request with the given token in its header.
pub fn request(world: &World, token: &str) -> Request<()> {
    request_to(world.address, token)
}

fn request_to(address: SocketAddr, token: &str) -> Request<()> {
    let mut request = format!("ws://{address}/mcp").into_client_request().expect("a request");
    let header = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
    request.headers_mut().insert("authorization", header);
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mcp"));
    request
}

/// Tries to connect; an HTTP refusal is its status.
pub async fn connect(world: &World, request: Request<()>) -> Result<(Client, Response), u16> {
    upgrade(world.address, request).await
}

async fn upgrade(address: SocketAddr, request: Request<()>) -> Result<(Client, Response), u16> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    match soon("the upgrade", tokio_tungstenite::client_async(request, stream)).await {
        Ok((socket, response)) => {
            let client = Client { socket, next_id: 0, early: HashMap::new(), notifications: Vec::new() };
            Ok((client, response))
        }
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("neither accepted nor refused: {other}"),
    }
}

impl Client {
    /// Connects to any daemon and shakes hands; an HTTP refusal is its status.
    pub async fn at(address: SocketAddr, token: &str) -> Result<Self, u16> {
        let (mut client, _) = upgrade(address, request_to(address, token)).await?;
        client.initialize().await;
        Ok(client)
    }

    pub async fn connect(world: &World) -> Self {
        let (client, _) = connect(world, request(world, world.token.reveal())).await.expect("let in");
        client
    }

    pub async fn initialize(&mut self) -> Value {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        let answer = self.call("initialize", params).await;
        self.notify("notifications/initialized", json!({})).await;
        answer["result"].clone()
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: impl Into<String>) {
        soon("a write", self.socket.send(Message::text(text.into()))).await.expect("sent");
    }

    pub async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a request and says under which id.
    pub async fn ask(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    /// Asks for the call of a tool.
    pub async fn ask_tool(&mut self, name: &str, arguments: Value) -> u64 {
        self.ask("tools/call", json!({"name": name, "arguments": arguments})).await
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        self.answer(id).await
    }

    pub async fn call_tool(&mut self, name: &str, arguments: Value) -> Value {
        let id = self.ask_tool(name, arguments).await;
        self.answer(id).await
    }

    /// The answer to request `id`, whenever it comes.
    pub async fn answer(&mut self, id: u64) -> Value {
        self.answer_to(&json!(id)).await
    }

    pub async fn answer_to(&mut self, id: &Value) -> Value {
        loop {
            if let Some(answer) = self.early.remove(&id.to_string()) {
                return answer;
            }
            let message = self.receive().await;
            if message.get("method").is_some() {
                self.notifications.push(message);
            } else {
                self.early.insert(message["id"].to_string(), message);
            }
        }
    }

    /// The next JSON-RPC message, whatever it is.
    pub async fn receive(&mut self) -> Value {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// Reads to the end; the code of the close frame, or `None` when there was none.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            match soon("the end", self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub async fn close(mut self) {
        soon("a close", self.socket.close(None)).await.expect("closed");
        while let Some(Ok(_)) = soon("the peer's close", self.socket.next()).await {}
    }
}
