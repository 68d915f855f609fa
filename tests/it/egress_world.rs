//! What the egress tests share: web servers that answer as a test says and remember what they were asked, and a client
//! that sends exactly the bytes it is given.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use proctor::actors::egress::{Gate, Tls};
use proctor::domain::scope::{Authority, Scope};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::soon;

/// What a server does with a request.
pub enum Reply {
    /// Sends these bytes and keeps the connection.
    Raw(Vec<u8>),
    /// Sends these bytes and hangs up.
    Last(Vec<u8>),
    /// Says nothing, and keeps the connection.
    Silence,
}

/// An answer with a body.
pub fn page(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Raw(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes())
}

/// A web server of a test's own. Ends with it.
pub struct Web {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    /// Head and body of each, as they came.
    requests: Vec<String>,
}

type Handler = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

impl Web {
    /// Serves plain HTTP on the loopback.
    pub async fn serve(handler: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), None, handler).await
    }

    pub async fn at(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Seen::default())));
        let (handler, shared): (Handler, _) = (Arc::new(handler), Arc::clone(&seen));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().connections += 1;
                let (handler, seen, tls) = (Arc::clone(&handler), Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => answer(socket, handler, seen).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                answer(socket, handler, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// A scope with this server under the name `host`, at its port.
    pub fn scope(&self, host: &str) -> Scope {
        let authority = Authority::new(host, self.address.port()).unwrap();
        Scope::default().with(authority, vec![self.address])
    }

    /// A URL of this server under the name `host`.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }
}

async fn answer(mut socket: impl AsyncRead + AsyncWrite + Unpin, handler: Handler, seen: Arc<Mutex<Seen>>) {
    let mut buffer = Vec::new();
    while let Some(request) = read_message(&mut socket, &mut buffer).await {
        seen.lock().unwrap().requests.push(request.clone());
        match handler(&request) {
            Reply::Raw(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Reply::Last(bytes) => {
                socket.write_all(&bytes).await.ok();
                socket.shutdown().await.ok();
                return;
            }
            Reply::Silence => {}
        }
    }
}

/// One message: a head, and as much body as its `Content-Length` says. `None`: the peer is done.
pub async fn read_message(socket: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let message: Vec<u8> = buffer.drain(..end + 4 + length).collect();
                return Some(String::from_utf8_lossy(&message).into_owned());
            }
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        // What speaks another language is not waited for, as servers do.
        let line = buffer.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.len() < buffer.len() && line.len() > 1 && !line.windows(5).any(|window| window == b"HTTP/") {
            return None;
        }
    }
}

/// A tool that speaks to a gate, byte by byte.
pub struct Tool {
    pub socket: TcpStream,
    buffer: Vec<u8>,
}

impl Tool {
    pub async fn connect(gate: &Gate) -> Self {
        Self { socket: TcpStream::connect(gate.address()).await.unwrap(), buffer: Vec::new() }
    }

    /// Sends `request` (lines end in `\n` here) and reads one answer. Empty: the gate hung up.
    pub async fn ask(&mut self, request: &str) -> String {
        let bytes = request.replace('\n', "\r\n");
        self.socket.write_all(bytes.as_bytes()).await.unwrap();
        soon("an answer", read_message(&mut self.socket, &mut self.buffer)).await.unwrap_or_default()
    }

    /// Asks for a URL.
    pub async fn get(&mut self, url: &str) -> String {
        self.ask(&format!("GET {url} HTTP/1.1\nHost: whatever.example\n\n")).await
    }
}

pub async fn gate(scope: Scope) -> Gate {
    Gate::open(Arc::new(scope), IpAddr::from([127, 0, 0, 1])).await.unwrap()
}

pub fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// Trusts nobody.
pub fn tls() -> Tls {
    Tls::trusting(Arc::new(RootCertStore::empty()))
}

/// Serves TLS with this certificate.
pub fn acceptor(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
