//! One connection of a tool to its gate: HTTP requests in a row, or one tunnel.
//!
//! ```text
//! reading ─absolute http URL─▶ in scope? ─▶ to the target, streamed ─▶ answered ─▶ reading
//!    │                            └─ 403                └─ 502, 504
//!    ├─ CONNECT ─▶ in scope? ─▶ connected ─200─▶ tunnel until both sides are done
//!    └─ anything else: 400
//! ```

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::{self, PathAndQuery, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::line::{HEADER_BYTES_MAX, HEADERS_MAX, Line, Silence, TARGET_SILENCE};
use super::traffic::{Counts, Passing, Way};
use crate::actors::egress::connect::{CONNECT, connect};
use crate::actors::egress::patient::Patient;
use crate::domain::scope::{Authority, Outside, Scope};

/// How long a tool may be quiet while it is its turn. Longer than the target may think, which the tool waits for.
const TOOL_SILENCE: Duration = Duration::from_secs(TARGET_SILENCE.as_secs() * 2);
/// How long a request's header may take, and a kept connection may be idle.
const HEADER_READ: Duration = Duration::from_secs(60);
/// What a tunnel holds of each direction.
const TUNNEL_BUFFER_BYTES: usize = 16 * 1024;
/// Headers that speak of the connection, not of the request (RFC 9110 §7.6.1), but for those in [`HeaderName`]s below.
const HOP_BY_HOP: [HeaderName; 6] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, UPGRADE];
const HOP_BY_HOP_TOO: [&str; 2] = ["keep-alive", "proxy-connection"];

type Answer = Response<Either<Passing, Full<Bytes>>>;
type Io = TokioIo<Patient<TcpStream>>;

/// Serves one connection to its end.
pub(super) async fn serve(socket: TcpStream, scope: Arc<Scope>, counts: Arc<Counts>) {
    let gate = Passage { scope, counts, line: Mutex::new(None), tunnel: Mutex::new(None) };
    let service = service_fn(|request| {
        let answer = gate.answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .half_close(true)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(Patient::new(socket, TOOL_SILENCE)), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        if error.is_parse() {
            gate.counts.unreadable();
        }
        tracing::debug!(%error, "a tool's connection ended");
    }
    let tunnel = gate.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Tunnel { tool, target }) = tunnel {
        carry(tool, target, &gate.counts).await;
    }
}

/// What one connection of a tool has.
struct Passage {
    scope: Arc<Scope>,
    counts: Arc<Counts>,
    /// To the target of the last request; taken while one is under way.
    line: Mutex<Option<Line>>,
    tunnel: Mutex<Option<Tunnel>>,
}

/// A tunnel that was granted: from the tool, once it has read our 200, to the target.
struct Tunnel {
    tool: OnUpgrade,
    target: TcpStream,
}

impl Passage {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answered = match *request.method() {
            Method::CONNECT => self.connect(request).await,
            _ => self.forward(request).await,
        };
        answered.unwrap_or_else(|refusal| refusal.into_answer(&self.counts))
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        if request.uri().scheme() != Some(&Scheme::HTTP) {
            return Err(Refusal::NotAbsolute);
        }
        let authority = authority(request.uri(), Some(80))?;
        let addresses = self.permitted(&authority)?;
        self.within_bounds(&authority, request.uri())?;
        let request = outgoing(request, &authority, &self.counts)?;
        let kept = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.counts.request();
        let sent = Line::send(kept, (&authority, addresses), request, &self.counts).await;
        let (response, line) = sent.map_err(Refusal::Silent)?;
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        self.counts.answer(response.status().as_u16());
        let (mut head, body) = response.into_parts();
        strip(&mut head.headers);
        head.version = Version::HTTP_11;
        let body = Passing::new(body, Way::FromTarget, Arc::clone(&self.counts));
        Ok(Response::from_parts(head, Either::Left(body)))
    }

    async fn connect(&self, mut request: Request<Incoming>) -> Result<Answer, Refusal> {
        let authority = authority(request.uri(), None)?;
        let addresses = self.permitted(&authority)?;
        if let Some(why) = self.scope.bounds().outside_of_tunnel() {
            return Err(Refusal::OutOfBounds { url: authority.to_string(), why });
        }
        let target = connect(addresses, CONNECT).await.map_err(|error| Refusal::Silent(error.into()))?;
        self.counts.tunnel();
        let tunnel = Tunnel { tool: hyper::upgrade::on(&mut request), target };
        *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
        Ok(Response::new(Either::Right(Full::default())))
    }

    fn permitted(&self, authority: &Authority) -> Result<&[SocketAddr], Refusal> {
        self.scope.addresses(authority).ok_or_else(|| Refusal::OutOfScope(authority.to_string()))
    }

    /// Tools that attack ask for whatever a page names: what they must not ask for, they cannot.
    fn within_bounds(&self, authority: &Authority, asked: &Uri) -> Result<(), Refusal> {
        let asked = asked.path_and_query().map_or("/", PathAndQuery::as_str);
        let text = format!("http://{authority}{asked}");
        let url = Url::parse(&text).map_err(|_| Refusal::Unreadable(text))?;
        match self.scope.bounds().outside(&url, asked) {
            Some(why) => Err(Refusal::OutOfBounds { url: url.into(), why }),
            None => Ok(()),
        }
    }
}

/// Carries a tunnel until both sides are done, or one keeps the other waiting for too long.
async fn carry(tool: OnUpgrade, target: TcpStream, counts: &Counts) {
    let Ok(upgraded) = tool.await else {
        return;
    };
    let parts = upgraded.downcast::<Io>().expect("the gate serves patient TCP streams only");
    let (from_tool, to_tool) = tokio::io::split(parts.io.into_inner());
    let (from_target, to_target) = tokio::io::split(Patient::new(target, TARGET_SILENCE));
    let early = io::Cursor::new(parts.read_buf);
    let carried = tokio::try_join!(
        pour(early.chain(from_tool), to_target, Way::ToTarget, counts),
        pour(from_target, to_tool, Way::FromTarget, counts),
    );
    if let Err(error) = carried {
        tracing::debug!(%error, "a tunnel was cut");
    }
}

/// Carries one way, until its source is done, and passes that on.
async fn pour(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    counts: &Counts,
) -> io::Result<()> {
    let mut buffer = vec![0; TUNNEL_BUFFER_BYTES];
    let mut is_first = true;
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
        counts.moved(way, count as u64);
        if std::mem::take(&mut is_first) && way == Way::FromTarget {
            counts.tunnel_answered();
        }
    }
}

/// Why a tool gets an answer of ours instead of the target's.
enum Refusal {
    /// What was asked for is no URL of a proxy's client.
    NotAbsolute,
    Unreadable(String),
    OutOfScope(String),
    OutOfBounds {
        url: String,
        why: Outside,
    },
    Silent(Silence),
}

impl Refusal {
    fn into_answer(self, counts: &Counts) -> Answer {
        let (status, text) = match self {
            Self::NotAbsolute => {
                (StatusCode::BAD_REQUEST, "this is a proxy: ask for http://host/path, or CONNECT".to_owned())
            }
            Self::Unreadable(text) => {
                counts.refusal(&text);
                (StatusCode::FORBIDDEN, format!("{text} is no host and port"))
            }
            Self::OutOfScope(authority) => {
                counts.refusal(&authority);
                (StatusCode::FORBIDDEN, format!("{authority} is not in this job's scope"))
            }
            Self::OutOfBounds { url, why } => {
                counts.refusal(&url);
                (StatusCode::FORBIDDEN, format!("this {why}"))
            }
            Self::Silent(silence) => {
                counts.failure();
                let timeout = silence.is_timeout();
                let status = if timeout { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
                (status, silence.to_string())
            }
        };
        let mut answer = Response::new(Either::Right(Full::from(format!("proctor: {text}\n"))));
        *answer.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
        answer
    }
}

/// Whom a request is for. A user name before the host is refused: two readers may disagree about where it ends.
fn authority(uri: &Uri, default_port: Option<u16>) -> Result<Authority, Refusal> {
    let unreadable = |text: &str| Refusal::Unreadable(text.to_owned());
    let authority = uri.authority().ok_or_else(|| unreadable("nothing"))?;
    let text = authority.as_str();
    let port = match authority.port() {
        Some(port) => Some(port.as_u16()),
        // `host:` and `host:99999` have a port that is none.
        None if text.len() == authority.host().len() => default_port,
        None => None,
    };
    let port = port.filter(|_| !text.contains('@')).ok_or_else(|| unreadable(text))?;
    Authority::new(authority.host(), port).map_err(|_| unreadable(text))
}

/// The request as the target gets it: for its path, under its own name, without what was meant for a proxy.
fn outgoing(
    request: Request<Incoming>,
    authority: &Authority,
    counts: &Arc<Counts>,
) -> Result<Request<Passing>, Refusal> {
    let (mut head, body) = request.into_parts();
    let mut parts = uri::Parts::default();
    let asked = head.uri.path_and_query().cloned();
    // `OPTIONS http://host` without a path asks about the server as a whole (RFC 9112 §3.2.4).
    parts.path_and_query = Some(asked.unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(parts).map_err(|_| Refusal::Unreadable(authority.to_string()))?;
    head.version = Version::HTTP_11;
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    strip(&mut head.headers);
    head.headers.remove(EXPECT);
    head.headers.insert(HOST, host(authority));
    Ok(Request::from_parts(head, Passing::new(body, Way::ToTarget, Arc::clone(counts))))
}

/// The `Host` of whom was judged, whatever the tool sent: many a machine serves a neighbour by another one.
fn host(authority: &Authority) -> HeaderValue {
    let text = authority.to_string();
    let text = text.strip_suffix(":80").unwrap_or(&text);
    HeaderValue::try_from(text).expect("a host that was read is ASCII")
}

/// Takes away what speaks of one connection only. How long a body is, is said anew by whoever sends it.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // A tool that calls these hop-by-hop attacks the target, not us, but would be misunderstood.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in &named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    for name in HOP_BY_HOP_TOO {
        headers.remove(name);
    }
    headers.remove(TRANSFER_ENCODING);
}
