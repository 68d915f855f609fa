//! MCP over WebSocket against a bare tungstenite echo in the same run: requests per second, latency, CPU time of the
//! server's thread per request, and resident memory of an idle session.
//!
//! `cargo bench --bench gateway`; a number after `--` sets the seconds per cell. Server and clients have a thread each.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use metrics_exporter_prometheus::PrometheusBuilder;
use nix::sys::resource::{Resource, setrlimit};
use proctor::actors::gateway::origin::Doors;
use proctor::actors::gateway::settings::Settings;
use proctor::actors::gateway::token::{Token, Tokens};
use proctor::actors::gateway::{Plan, child, listener};
use proctor::actors::handles::Handles;
use proctor::actors::mailbox::Slot;
use proctor::actors::supervise::{Strategy, Supervisor, SupervisorSpec};
use proctor::protocol::api::ToolsAnswer;
use proctor::protocol::limits::{Limits, READ_BUFFER_BYTES, WRITE_BUFFER_BYTES};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const CONNECTIONS: [usize; 3] = [1, 50, 500];
const IDLE_SESSIONS: usize = 2_000;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;
const REQUESTS: [(&str, &str); 3] = [
    ("ping", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
    ("tools/list", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#),
    (
        "tools/call",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tools","arguments":{}}}"#,
    ),
];

/// A server on a thread of its own.
struct Server {
    address: SocketAddr,
    thread: nix::unistd::Pid,
}

/// One cell of the table.
struct Cell {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu: Duration,
}

fn main() {
    // `cargo bench` passes `--bench`; the seconds are the first number.
    let seconds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(2.0);
    let span = Duration::from_secs_f64(seconds);
    setrlimit(Resource::RLIMIT_NOFILE, 16_384, 16_384).expect("file descriptors for all connections");
    let clients = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Sockets are made inside of a runtime, whichever will use them.
    let _inside = clients.enter();
    let token = Token::random().expect("random bytes");
    let recorder = PrometheusBuilder::new().install_recorder().expect("the only recorder");
    let limits = limits();
    let settings = Settings {
        limits,
        doors: Doors::default(),
        tokens: Tokens::of_owner(&token),
        query_token: false,
        metrics: Some(recorder),
    };
    let ours = serve(move |address| daemon(address, settings));
    idle(&ours, token.reveal());
    let echo = serve(echo);
    println!(
        "| request | connections | echo/s | proctor/s | ratio | echo p50 / p99 | proctor p50 / p99 | echo CPU | proctor CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, text) in REQUESTS {
        for connections in CONNECTIONS {
            let bare = clients.block_on(measure(&echo, None, text, connections, span));
            let full = clients.block_on(measure(&ours, Some(token.reveal()), text, connections, span));
            row(name, connections, &bare, &full);
        }
    }
}

fn limits() -> Limits {
    Limits {
        sessions: 4_096,
        sessions_per_address: 4_096,
        sessions_per_principal: 4_096,
        in_flight_per_principal: 4_096,
        in_flight: 4_096,
        rate_per_second: 10_000_000,
        rate_burst: 10_000_000,
        ..Limits::default()
    }
}

fn row(name: &str, connections: usize, bare: &Cell, full: &Cell) {
    println!(
        "| {name} | {connections} | {:.0} | {:.0} | {:.2} | {} / {} µs | {} / {} µs | {:.1} µs | {:.1} µs |",
        bare.per_second,
        full.per_second,
        full.per_second / bare.per_second,
        bare.p50.as_micros(),
        bare.p99.as_micros(),
        full.p50.as_micros(),
        full.p99.as_micros(),
        bare.cpu.as_secs_f64() * 1e6,
        full.cpu.as_secs_f64() * 1e6,
    );
}

/// Starts a server's thread. Its future lives until the process ends.
fn serve<F: Future<Output = ()>>(start: impl FnOnce(std::net::TcpListener) -> F + Send + 'static) -> Server {
    let bound = listener::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = bound.local_addr().expect("bound");
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        sender.send(nix::unistd::gettid()).expect("main waits");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(start(bound));
    });
    Server { address, thread: receiver.recv().expect("a thread") }
}

async fn daemon(bound: std::net::TcpListener, settings: Settings) {
    let root: Arc<OnceLock<Supervisor>> = Arc::default();
    let shown = Arc::clone(&root);
    let handles = Handles {
        tree: Arc::new(move || shown.get().expect("booted").tree()),
        ..Handles::unattached(ToolsAnswer { tools: Vec::new() })
    };
    let plan = Plan { listener: Arc::new(bound), settings, handles };
    let spec = SupervisorSpec::new("root", Strategy::OneForOne).child(child(plan, &Slot::new()));
    let started = Supervisor::start(spec).await.expect("a root");
    drop(root.set(started.clone()));
    started.wait().await;
}

/// The least that a WebSocket server can do, with the daemon's buffers.
async fn echo(bound: std::net::TcpListener) {
    let listener = TcpListener::from_std(bound).expect("a listener");
    let mut tasks = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("a socket");
        tasks.spawn(async move {
            let accepted = tokio_tungstenite::accept_async_with_config(socket, Some(buffers())).await;
            let Ok(mut socket) = accepted else { return };
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() && socket.send(message).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn buffers() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(WRITE_BUFFER_BYTES)
}

async fn measure(
    server: &Server,
    token: Option<&str>,
    text: &str,
    connections: usize,
    span: Duration,
) -> Cell {
    let mut sockets = Vec::new();
    for _ in 0..connections {
        sockets.push(connect(server.address, token).await);
    }
    let request = Message::text(text);
    let warm_up = span / 10;
    join_all(sockets.iter_mut().map(|socket| ask(socket, &request, warm_up))).await;
    let (began, cpu) = (Instant::now(), cpu_of(server.thread));
    let latencies = join_all(sockets.iter_mut().map(|socket| ask(socket, &request, span))).await;
    let (took, cpu) = (began.elapsed(), cpu_of(server.thread) - cpu);
    let mut all: Vec<Duration> = latencies.into_iter().flatten().collect();
    all.sort_unstable();
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize];
    let count = all.len() as f64;
    Cell { per_second: count / took.as_secs_f64(), p50: at(0.5), p99: at(0.99), cpu: cpu.div_f64(count) }
}

async fn ask(socket: &mut WebSocketStream<TcpStream>, request: &Message, span: Duration) -> Vec<Duration> {
    let (end, mut latencies) = (Instant::now() + span, Vec::new());
    loop {
        let began = Instant::now();
        if began >= end {
            return latencies;
        }
        socket.send(request.clone()).await.expect("sent");
        let answer = socket.next().await.expect("an answer").expect("a message");
        assert!(answer.is_text() && !answer.to_text().expect("text").contains("\"error\""), "{answer}");
        latencies.push(began.elapsed());
    }
}

async fn connect(address: SocketAddr, token: Option<&str>) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut request = format!("ws://{address}/mcp").into_client_request().expect("a request");
    if let Some(token) = token {
        let header = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
        request.headers_mut().insert("authorization", header);
    }
    let connected = tokio_tungstenite::client_async_with_config(request, stream, Some(buffers())).await;
    let mut socket = connected.expect("let in").0;
    if token.is_some() {
        socket.send(Message::text(INITIALIZE)).await.expect("sent");
        socket.next().await.expect("an answer").expect("a message");
    }
    socket
}

/// Memory of sessions that have shaken hands and say nothing. Their clients are bare sockets, which hold next to none.
fn idle(server: &Server, token: &str) {
    let mut one = vec![handshake(server.address, token)];
    let (before, sockets) = (resident(), IDLE_SESSIONS);
    one.extend((0..sockets).map(|_| handshake(server.address, token)));
    let grown = resident().saturating_sub(before);
    println!("idle: {:.1} KiB per session at {sockets}\n", grown as f64 / 1024.0 / sockets as f64);
}

fn handshake(address: SocketAddr, token: &str) -> StdStream {
    let mut stream = StdStream::connect(address).expect("a connection");
    let head = format!(
        "GET /mcp HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = [0; 4_096];
    assert!(stream.read(&mut answer).expect("an answer") > 12 && answer[9..12] == *b"101");
    let length = u16::try_from(INITIALIZE.len()).expect("short").to_be_bytes();
    let mut frame = vec![0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
    frame.extend(INITIALIZE.as_bytes());
    stream.write_all(&frame).expect("sent");
    assert!(stream.read(&mut answer).expect("an answer") > 100);
    stream
}

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages: usize = status.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    pages * 4_096
}

/// CPU time of a thread so far.
fn cpu_of(thread: nix::unistd::Pid) -> Duration {
    let path = format!("/proc/self/task/{thread}/schedstat");
    let fields: BTreeMap<usize, u64> = std::fs::read_to_string(path)
        .expect("procfs")
        .split_whitespace()
        .enumerate()
        .filter_map(|(at, word)| Some((at, word.parse().ok()?)))
        .collect();
    Duration::from_nanos(fields[&0])
}
