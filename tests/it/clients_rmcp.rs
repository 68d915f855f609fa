//! The official Rust SDK as a client, over a transport of our own: it has none for WebSocket.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use rmcp::model::{
    CallToolRequestParams, ClientRequest, PingRequest, ProgressNotificationParam, ReadResourceRequestParams,
};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::{ClientHandler, RoleClient, ServiceError, ServiceExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::client::{connect, request};
use crate::support::soon;
use crate::support::world::World;

#[derive(Clone, Default)]
struct Handler {
    progress: Arc<Mutex<Vec<f64>>>,
}

impl ClientHandler for Handler {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.progress.lock().unwrap().push(params.progress);
    }
}

/// Connects the SDK: one JSON message per text frame, each way.
async fn sdk(world: &World, handler: Handler) -> RunningService<RoleClient, Handler> {
    let (client, _) = connect(world, request(world, world.token.reveal())).await.expect("let in");
    let (sink, stream) = client.socket.split();
    let sink = sink.with(|message| {
        ready(serde_json::to_string(&message).map(Message::text).map_err(|error| Error::Io(error.into())))
    });
    let stream = stream.filter_map(|frame| {
        let text = frame.ok().filter(Message::is_text);
        ready(text.map(|frame| {
            serde_json::from_str(frame.to_text().unwrap()).expect("a message of the SDK's model")
        }))
    });
    soon("the handshake", handler.serve((sink, stream))).await.expect("served")
}

fn fault(arguments: Value) -> CallToolRequestParams {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    CallToolRequestParams::new("fault").with_arguments(arguments)
}

fn sleep(ms: u32) -> CallToolRequestParams {
    fault(json!({"kind": "sleep", "ms": ms}))
}

fn code(error: ServiceError) -> i32 {
    match error {
        ServiceError::McpError(data) => data.code.0,
        other => panic!("not an error of the server: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_sdk() {
    let world = World::boot().await;
    let handler = Handler::default();
    let client = sdk(&world, handler.clone()).await;
    client.send_request(ClientRequest::PingRequest(PingRequest::default())).await.expect("a pong");
    let tools = client.list_all_tools().await.expect("a list");
    assert_eq!(tools[0].name, "tools");
    let answer = client.call_tool(CallToolRequestParams::new("tools")).await.expect("an answer");
    assert_eq!(answer.structured_content.expect("structure")["tools"][0]["name"], "sample");
    let resources = client.list_all_resources().await.expect("a list");
    let read =
        client.read_resource(ReadResourceRequestParams::new(&*resources[0].uri)).await.expect("the tree");
    assert!(serde_json::to_string(&read).unwrap().contains("listener"));
    errors(&client).await;
    progress(&client, &handler).await;
    cancel(&client).await;
    together(&client).await;
    client.cancel().await.expect("closed");
}

async fn errors(client: &RunningService<RoleClient, Handler>) {
    let unknown = client.call_tool(CallToolRequestParams::new("no_such_tool")).await;
    assert_eq!(code(unknown.unwrap_err()), -32602);
    let wrong = client.call_tool(fault(json!({"kind": "sleep", "ms": "soon"}))).await.expect("a result");
    assert_eq!(wrong.is_error, Some(true));
    assert_eq!(wrong.structured_content.expect("structure")["fields"][0]["field"], "ms");
    let broken = client.call_tool(fault(json!({"kind": "panic_call"}))).await;
    assert_eq!(code(broken.unwrap_err()), -32603);
    let missing = client.read_resource(ReadResourceRequestParams::new("proctor://nothing")).await;
    assert_eq!(code(missing.unwrap_err()), -32002);
}

async fn progress(client: &RunningService<RoleClient, Handler>, handler: &Handler) {
    handler.progress.lock().unwrap().clear();
    client.call_tool(sleep(1_500)).await.expect("an answer");
    let seen = handler.progress.lock().unwrap().clone();
    assert!(seen.len() >= 3 && seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
}

/// A call whose future is dropped is cancelled by the SDK. More of them than there are places must not block the rest.
async fn cancel(client: &RunningService<RoleClient, Handler>) {
    for _ in 0..10 {
        assert!(timeout(Duration::from_millis(20), client.call_tool(sleep(600_000))).await.is_err());
    }
    soon("a free place", client.call_tool(sleep(0))).await.expect("an answer");
}

async fn together(client: &RunningService<RoleClient, Handler>) {
    let began = Instant::now();
    let answers = join_all((0..20).map(|_| client.call_tool(sleep(200)))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok_and(|result| result.is_error == Some(false))));
    let took = began.elapsed();
    assert!(
        took < Duration::from_millis(20 * 200),
        "20 calls of 200 ms took {took:?}: they did not run together"
    );
}
