//! Our own HTTP/1.1 client: one request, one answer, over a connection of its own to an address of the scope.
//!
//! ```text
//! refused ◀─ in scope? ─▶ connecting ─▶ handshake (https) ─▶ sent ─▶ first byte ─▶ body, up to a limit ─▶ Page
//!                            └──────────────┴────────────────┴─ each with its deadline ─▶ FetchError
//! ```
//! It follows no redirect, and keeps no connection: whoever wants either decides so, with the scope asked again. A connection
//! is a part of the fetch's own future, so that dropping that one leaves nothing behind.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use url::Position;

use super::connect::{CONNECT, Unconnected, connect};
use super::tls::Tls;
use crate::domain::scope::{Authority, Outside, Place, Scope};
use crate::domain::web::certificate;
use crate::domain::web::page::Page;

/// How targets know us in their logs.
const AGENT: &str = concat!("proctor/", env!("CARGO_PKG_VERSION"));
/// Bytes of an answer's header: past it the server is not meant for browsers either.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Headers of an answer.
const HEADERS_MAX: usize = 128;

/// What one answer may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one address to accept, and again for TLS.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// For everything.
    pub total: Duration,
    /// Bytes kept of a body; the rest is not read.
    pub body_bytes: usize,
}

impl Default for Limits {
    /// For a page that a person would wait for.
    fn default() -> Self {
        let (first_byte, total) = (Duration::from_secs(15), Duration::from_secs(30));
        Self { connect: CONNECT, first_byte, total, body_bytes: 1024 * 1024 }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub place: Place,
    /// Over what is sent anyway.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Ask {
    pub const fn get(place: Place) -> Self {
        Self { method: Method::GET, place, headers: Vec::new(), body: Bytes::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("{0} is not in this job's scope")]
    OutOfScope(Authority),
    #[error("{url} {why}")]
    OutOfBounds { url: String, why: Outside },
    #[error(transparent)]
    Unconnected(#[from] Unconnected),
    #[error("no TLS with {host}: {why}")]
    Tls { host: String, why: String },
    #[error("the {name:?} header cannot be sent: it is no header")]
    BadHeader { name: String },
    #[error("no {what} within {} ms", .after.as_millis())]
    TimedOut { what: &'static str, after: Duration },
    #[error("the answer is no HTTP, or was cut short: {why}")]
    Broken { why: String },
}

impl FetchError {
    /// Whether anything was there at all.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unconnected(_))
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    scope: Arc<Scope>,
    tls: Tls,
    limits: Limits,
}

impl Fetcher {
    pub const fn new(scope: Arc<Scope>, tls: Tls, limits: Limits) -> Self {
        Self { scope, tls, limits }
    }

    /// Sends one request.
    pub async fn fetch(&self, ask: Ask) -> Result<Page, FetchError> {
        let total = self.limits.total;
        match timeout(total, self.talk(ask)).await {
            Ok(answered) => answered,
            Err(_) => Err(FetchError::TimedOut { what: "whole answer", after: total }),
        }
    }

    async fn talk(&self, ask: Ask) -> Result<Page, FetchError> {
        let authority = &ask.place.authority;
        let Some(addresses) = self.scope.addresses(authority) else {
            return Err(FetchError::OutOfScope(authority.clone()));
        };
        let asked = &ask.place.url[Position::BeforePath..Position::AfterQuery];
        if let Some(why) = self.scope.bounds().outside(&ask.place.url, asked) {
            return Err(FetchError::OutOfBounds { url: ask.place.url.to_string(), why });
        }
        let request = request(&ask)?;
        let stream = connect(addresses, self.limits.connect).await?;
        if ask.place.url.scheme() == "http" {
            return self.exchange(stream, &ask, request, None).await;
        }
        let host = authority.host();
        let (stream, seen) = match timeout(self.limits.connect, self.tls.connect(host, stream)).await {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(error)) => return Err(FetchError::Tls { host: host.to_owned(), why: error.to_string() }),
            Err(_) => {
                return Err(FetchError::TimedOut { what: "TLS handshake", after: self.limits.connect });
            }
        };
        self.exchange(stream, &ask, request, Some(seen)).await
    }

    async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        stream: S,
        ask: &Ask,
        request: Request<Full<Bytes>>,
        tls: Option<certificate::Tls>,
    ) -> Result<Page, FetchError> {
        let broken = |error: hyper::Error| FetchError::Broken { why: told(&error) };
        let client = client().handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = client.map_err(broken)?;
        let first_byte = Instant::now() + self.limits.first_byte;
        let answer = async {
            let sent = timeout_at(first_byte, sender.send_request(request)).await;
            let response = sent.map_err(|_| FetchError::TimedOut {
                what: "first byte of an answer",
                after: self.limits.first_byte,
            })?;
            self.read(ask, response.map_err(broken)?, tls).await
        };
        // The connection moves only while it is polled; it has nothing to say that the answer does not.
        let (mut answer, mut connection) = (pin!(answer), pin!(connection));
        tokio::select! {
            page = &mut answer => page,
            _ = &mut connection => answer.await,
        }
    }

    async fn read(
        &self,
        ask: &Ask,
        response: Response<Incoming>,
        tls: Option<certificate::Tls>,
    ) -> Result<Page, FetchError> {
        let (head, mut incoming) = response.into_parts();
        let (mut body, mut is_truncated) = (Vec::new(), false);
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| FetchError::Broken { why: told(&error) })?;
            let Ok(data) = frame.into_data() else { continue };
            let room = self.limits.body_bytes - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room || (body.len() == self.limits.body_bytes && !incoming.is_end_stream()) {
                is_truncated = true;
                break;
            }
        }
        Ok(Page {
            url: ask.place.url.clone(),
            method: ask.method.to_string(),
            status: head.status.as_u16(),
            headers: plain(&head.headers),
            body,
            is_truncated,
            tls,
        })
    }
}

fn client() -> http1::Builder {
    let mut client = http1::Builder::new();
    client
        .max_buf_size(HEADER_BYTES_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // What browsers let pass is looked at, too.
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .title_case_headers(true);
    client
}

/// The request as it goes over the wire: the `Host` is the one that was judged, whatever anybody asked for.
fn request(ask: &Ask) -> Result<Request<Full<Bytes>>, FetchError> {
    let url = &ask.place.url;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() =
        target.parse().map_err(|_| FetchError::Broken { why: format!("{target:?} cannot be asked for") })?;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in &ask.headers {
        let header = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
        let (own, value) = header.ok_or_else(|| FetchError::BadHeader { name: name.clone() })?;
        headers.append(own, value);
    }
    headers.insert(HOST, host(url));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// The port stands in it only where it is not the scheme's own, as browsers do.
fn host(url: &url::Url) -> HeaderValue {
    let host = url.host_str().unwrap_or_default();
    let text = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::try_from(text).expect("a host that was read from a URL is ASCII")
}

fn plain(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// An error with its causes, which hyper keeps to itself otherwise.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
