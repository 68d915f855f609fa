//! The HTTP side of the port: probes, metrics, and the way in to `/mcp`. Everything is decided before the 101.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::admission::SessionPermit;
use super::listener::Shared;
use super::phase::Phase;
use super::token;
use crate::domain::ids::Principal;
use crate::domain::pressure::Level;
use crate::protocol::errors::HttpRefusal;

/// The subprotocol that the SDKs' WebSocket clients offer; some of them hang up when it is not echoed.
const SUBPROTOCOL: &str = "mcp";
/// Length of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LENGTH: usize = 24;

pub type Answer = Response<Full<Bytes>>;

/// A client that may become a session: what is left to do after its 101.
pub struct Admitted {
    pub permit: SessionPermit,
    pub upgrade: OnUpgrade,
}

/// Answers one request. For an upgrade that is granted there is an [`Admitted`] beside the 101.
pub fn answer(
    shared: &Arc<Shared>,
    address: IpAddr,
    request: Request<Incoming>,
) -> (Answer, Option<Admitted>) {
    let outcome = match route(shared, &request) {
        Ok(Route::Text(status, text)) => Ok((plain(status, text), None)),
        Ok(Route::Upgrade) => {
            upgrade(shared, address, request).map(|(answer, admitted)| (answer, Some(admitted)))
        }
        Err(refusal) => Err(refusal),
    };
    outcome.unwrap_or_else(|refusal| (refused(&refusal), None))
}

enum Route {
    Text(StatusCode, String),
    Upgrade,
}

fn route(shared: &Shared, request: &Request<Incoming>) -> Result<Route, HttpRefusal> {
    shared.settings.doors.check(single(request.headers(), &HOST), single(request.headers(), &ORIGIN))?;
    let path = request.uri().path();
    if !matches!(path, "/livez" | "/readyz" | "/metrics" | "/mcp") {
        return Err(HttpRefusal::NotFound);
    }
    if request.method() != Method::GET {
        return Err(HttpRefusal::MethodNotAllowed);
    }
    Ok(match path {
        "/livez" => Route::Text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => ready(shared),
        "/metrics" => Route::Text(StatusCode::OK, metrics(shared)),
        _ => Route::Upgrade,
    })
}

/// The header's value if there is exactly one: two `Host`s are none that we know. Not UTF-8 is as good as wrong.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().unwrap_or("?")),
        (Some(_), Some(_)) => Some("?"),
    }
}

fn ready(shared: &Shared) -> Route {
    let unready = |why: String| Route::Text(StatusCode::SERVICE_UNAVAILABLE, why + "\n");
    if shared.phase() != Phase::Serving {
        return unready(HttpRefusal::Draining.to_string());
    }
    match (shared.handles.ready)() {
        Ok(()) => Route::Text(StatusCode::OK, "ready\n".to_owned()),
        Err(why) => unready(why),
    }
}

fn metrics(shared: &Shared) -> String {
    shared.settings.metrics.as_ref().map_or_else(String::new, |handle| {
        metrics::gauge!("proctor_sessions").set(shared.admission.sessions() as f64);
        handle.render()
    })
}

fn upgrade(
    shared: &Arc<Shared>,
    address: IpAddr,
    mut request: Request<Incoming>,
) -> Result<(Answer, Admitted), HttpRefusal> {
    let principal = authenticate(shared, &request)?;
    let handshake = Handshake::read(request.headers())?;
    if shared.phase() != Phase::Serving {
        return Err(HttpRefusal::Draining);
    }
    if shared.handles.pressure.borrow().level >= Level::NoConnections {
        return Err(HttpRefusal::LowMemory);
    }
    let permit = shared.admission.open(address, &principal)?;
    let upgrade = hyper::upgrade::on(&mut request);
    Ok((handshake.accept(), Admitted { permit, upgrade }))
}

fn authenticate(shared: &Shared, request: &Request<Incoming>) -> Result<Principal, HttpRefusal> {
    let header = single(request.headers(), &AUTHORIZATION).and_then(token::from_authorization);
    let query = || {
        let wanted = shared.settings.query_token.then(|| request.uri().query()).flatten();
        wanted.and_then(token::from_query)
    };
    let presented = header.or_else(query).ok_or(HttpRefusal::Unauthorised)?;
    shared.settings.tokens.principal_of(&presented).ok_or(HttpRefusal::Unauthorised)
}

/// The client's side of RFC 6455 §4.2.1.
struct Handshake {
    accept: String,
    subprotocol: bool,
}

impl Handshake {
    fn read(headers: &HeaderMap) -> Result<Self, HttpRefusal> {
        if !lists(headers, &UPGRADE, "websocket") || !lists(headers, &CONNECTION, "upgrade") {
            return Err(HttpRefusal::UpgradeRequired);
        }
        if single(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(HttpRefusal::UpgradeRequired);
        }
        let key = single(headers, &SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_LENGTH);
        let key =
            key.ok_or(HttpRefusal::BadUpgrade("Sec-WebSocket-Key is missing or not 16 bytes in base64"))?;
        let offers = headers.contains_key(SEC_WEBSOCKET_PROTOCOL);
        let subprotocol = lists(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        if offers && !subprotocol {
            return Err(HttpRefusal::BadUpgrade("the subprotocol served here is mcp"));
        }
        Ok(Self { accept: derive_accept_key(key.as_bytes()), subprotocol })
    }

    /// The 101. A client that offers no subprotocol is served without: it can only mean MCP.
    fn accept(self) -> Answer {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        let accept = HeaderValue::from_str(&self.accept).expect("base64 is a header value");
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        if self.subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        answer
    }
}

/// Whether a comma-separated header names `word`, in any case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn plain(status: StatusCode, text: String) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

fn refused(refusal: &HttpRefusal) -> Answer {
    tracing::debug!(%refusal, "request refused");
    metrics::counter!("proctor_http_refused_total", "status" => refusal.status().to_string()).increment(1);
    let status = StatusCode::from_u16(refusal.status()).expect("the error table's statuses are statuses");
    let mut answer = plain(status, format!("{refusal}\n"));
    if let Some((name, value)) = refusal.header() {
        let value = HeaderValue::from_str(&value).expect("the error table's headers are plain text");
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
    answer
}
