//! The door to one ZAP: one HTTP call each, to its container's own address. It knows the wire and its oddities; which
//! calls there are is in [`super::api`].
//!
//! Each call has a connection of its own, a time limit and a bound on its answer. ZAP hangs up without a byte on whoever it
//! does not know; a frozen ZAP still takes connections and says nothing; one that is dying cuts its answers short.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::domain::zap::answer::{Complaint, Unreadable};

/// With its own address and a port as `Host`, ZAP takes a call for one that it is to pass on to itself.
const HOST_NAME: HeaderValue = HeaderValue::from_static("zap");
const KEY_HEADER: &str = "X-ZAP-API-Key";
/// Bytes of one answer: a page of alerts, each of which repeats what its rule is about (some 4 KiB) and what showed it.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A key that ZAP was started with. Shown nowhere.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// From 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// For the command line of ZAP, and to take it out of logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

/// Why a call has no answer that can be used. Closed: what is decided about a ZAP is decided by these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZapError {
    /// Nothing listens at its address.
    #[error("nothing listens at ZAP's address ({0:?})")]
    Absent(io::ErrorKind),
    /// It hung up without a byte: wrong key, an address it does not permit, or it is about to die.
    #[error("ZAP hung up without an answer to {call}")]
    Refused { call: &'static str },
    /// No answer in time.
    #[error("ZAP gave no answer to {call} within {} s", after.as_secs())]
    Silent { call: &'static str, after: Duration },
    /// The answer broke off.
    #[error("ZAP's answer to {call} broke off: {why}")]
    Cut { call: &'static str, why: String },
    /// It has no add-on for such calls.
    #[error("this ZAP has nothing that answers {call}")]
    NoImplementor { call: &'static str },
    /// No such scan or element.
    #[error("{call}: there is no such thing in this ZAP")]
    DoesNotExist { call: &'static str },
    /// It never saw that URL.
    #[error("{call}: ZAP has not seen this URL")]
    UrlNotFound { call: &'static str },
    /// A crash in ZAP.
    #[error("ZAP failed in {call}: {shown}")]
    Internal { call: &'static str, shown: String },
    /// It does not like what we said.
    #[error("ZAP refuses {call}: {code} ({message})")]
    Complains { call: &'static str, code: String, message: String },
    /// No answer that we know how to read.
    #[error("{call}: {error}")]
    Unreadable { call: &'static str, error: Unreadable },
    /// More than [`ANSWER_BYTES_MAX`].
    #[error("ZAP's answer to {call} is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong { call: &'static str },
}

impl ZapError {
    /// Whether it may be that ZAP itself is gone or stands still, whatever was asked.
    pub const fn is_of_the_wire(&self) -> bool {
        matches!(self, Self::Absent(_) | Self::Refused { .. } | Self::Silent { .. } | Self::Cut { .. })
    }

    fn complaint(call: &'static str, complaint: Complaint) -> Self {
        match complaint {
            Complaint::NoImplementor => Self::NoImplementor { call },
            Complaint::DoesNotExist => Self::DoesNotExist { call },
            Complaint::UrlNotFound => Self::UrlNotFound { call },
            Complaint::Internal { shown } => Self::Internal { call, shown },
            Complaint::Other { code, message } => Self::Complains { call, code, message },
        }
    }
}

/// One call: its path under `/JSON/`, what goes with it, how long it may take.
#[derive(Debug)]
pub struct Call<'a> {
    pub path: &'static str,
    pub parameters: &'a [(&'static str, &'a str)],
    pub patience: Duration,
}

/// The client of one ZAP. Cheap to clone; holds no connection.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    key: ApiKey,
}

impl Client {
    pub const fn new(address: SocketAddr, key: ApiKey) -> Self {
        Self { address, key }
    }

    /// Its answer, read by `read`. Actions go as POST, so that what they carry is in no URL and in no log.
    pub async fn call<T>(
        &self,
        call: Call<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, ZapError> {
        let (path, patience) = (call.path, call.patience);
        let (status, body) = timeout(patience, self.exchange(&call))
            .await
            .map_err(|_| ZapError::Silent { call: path, after: patience })??;
        if !status.is_success() {
            return Err(ZapError::complaint(path, Complaint::read(status.as_u16(), &body)));
        }
        read(&body).map_err(|error| ZapError::Unreadable { call: path, error })
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<(StatusCode, Bytes), ZapError> {
        let stream =
            TcpStream::connect(self.address).await.map_err(|error| ZapError::Absent(error.kind()))?;
        let broken = |error: hyper::Error| broken(call.path, &error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let answer = async {
            let response = sender.send_request(self.request(call)).await.map_err(broken)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| cut(call.path, &*error))?;
            Ok((head.status, body.to_bytes()))
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // The connection is over; what it brought is still to be read.
            _ = connection => answer.await,
        }
    }

    fn request(&self, call: &Call<'_>) -> Request<Full<Bytes>> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(call.parameters).finish();
        let is_action = call.path.split('/').nth(1) == Some("action");
        let (method, query, body) = if is_action {
            (Method::POST, String::new(), form)
        } else {
            let query = if form.is_empty() { form } else { format!("?{form}") };
            (Method::GET, query, String::new())
        };
        let mut key =
            HeaderValue::from_str(self.key.reveal()).expect("32 hexadecimal digits are a header's value");
        key.set_sensitive(true);
        let request = Request::builder()
            .method(method)
            .uri(format!("/JSON/{}/{query}", call.path))
            .header(HOST, HOST_NAME)
            .header(KEY_HEADER, key);
        let request = if is_action {
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        } else {
            request
        };
        request.body(Full::from(body)).expect("a path of ours and an encoded form make a request")
    }
}

/// Before the first byte of an answer.
fn broken(call: &'static str, error: &hyper::Error) -> ZapError {
    if error.is_parse() {
        return ZapError::Cut { call, why: error.to_string() };
    }
    ZapError::Refused { call }
}

/// In the midst of it.
fn cut(call: &'static str, error: &(dyn std::error::Error + Send + Sync + 'static)) -> ZapError {
    if error.is::<LengthLimitError>() {
        return ZapError::TooLong { call };
    }
    ZapError::Cut { call, why: error.to_string() }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
