//! Our own client goes to pinned addresses only, in bounded time and memory, follows nothing, and says what is wrong with a
//! certificate instead of refusing to look.

use std::sync::Arc;
use std::time::Duration;

use proctor::actors::egress::{Ask, FetchError, Fetcher, Limits, Tls};
use proctor::domain::scope::{Authority, Place, Scope};
use proctor::domain::web::page::Page;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;

use crate::egress_world::{Reply, Web, acceptor, page, tls};
use crate::support::soon;

fn fetcher(scope: Scope, limits: Limits) -> Fetcher {
    Fetcher::new(Arc::new(scope), tls(), limits)
}

async fn get(fetcher: &Fetcher, url: &str) -> Result<Page, FetchError> {
    soon("an answer or an error", fetcher.fetch(Ask::get(Place::parse(url).unwrap()))).await
}

#[tokio::test]
async fn a_page_is_fetched_under_its_name_from_its_pinned_address() {
    let web = Web::serve(|_| {
        page(302, "Location: http://elsewhere.invalid/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n", "moved")
    })
    .await;
    let fetcher = fetcher(web.scope("shop.invalid"), Limits::default());
    let page = get(&fetcher, &web.url("shop.invalid", "/a?b#c")).await.unwrap();
    assert_eq!(
        (page.status, &*page.text(), page.is_truncated, page.tls.is_none()),
        (302, "moved", false, true)
    );
    assert_eq!(page.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(page.redirect().unwrap().as_str(), "http://elsewhere.invalid/");
    let arrived = web.requests();
    assert_eq!(arrived.len(), 1, "a redirect was followed: {arrived:?}");
    assert!(arrived[0].starts_with("GET /a?b HTTP/1.1\r\n"), "{arrived:?}");
    assert!(arrived[0].contains(&format!("Host: shop.invalid:{}\r\n", web.address.port())), "{arrived:?}");
}

#[tokio::test]
async fn nothing_outside_of_the_scope_is_fetched() {
    let web = Web::serve(|_| page(200, "", "")).await;
    let fetcher = fetcher(web.scope("shop.invalid"), Limits::default());
    for url in [web.url("127.0.0.1", "/"), web.url("localhost", "/"), "http://shop.invalid/".to_owned()] {
        assert!(matches!(get(&fetcher, &url).await, Err(FetchError::OutOfScope(_))), "{url}");
    }
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn the_host_header_is_the_judged_one_whoever_asks_for_another() {
    let web = Web::serve(|_| page(200, "", "")).await;
    let fetcher = fetcher(web.scope("shop.invalid"), Limits::default());
    let place = Place::parse(&web.url("shop.invalid", "/")).unwrap();
    fetcher.fetch(Ask::get(place).with("Host", "neighbour.invalid")).await.unwrap();
    assert!(!web.requests()[0].contains("neighbour"), "{:?}", web.requests());
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_and_no_further() {
    let web = Web::serve(|_| page(200, "", &"x".repeat(200_000))).await;
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let answer = get(&fetcher(web.scope("a.invalid"), limits), &web.url("a.invalid", "/")).await.unwrap();
    assert_eq!((answer.body.len(), answer.is_truncated), (1000, true));
    let web = Web::serve(|_| page(200, "", &"x".repeat(1000))).await;
    let answer = get(&fetcher(web.scope("a.invalid"), limits), &web.url("a.invalid", "/")).await.unwrap();
    assert_eq!((answer.body.len(), answer.is_truncated), (1000, false));
}

#[tokio::test]
async fn silence_at_any_stage_has_an_end() {
    let silent = Web::serve(|_| Reply::Silence).await;
    let endless =
        Web::serve(|_| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    // One limit at a time is short: which of two is met first is up to the machine.
    let soon = Duration::from_millis(200);
    let impatient = Limits { first_byte: soon, ..Limits::default() };
    let to_first_byte = fetcher(silent.scope("silent.invalid"), impatient);
    let error = get(&to_first_byte, &silent.url("silent.invalid", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { what: "first byte of an answer", .. }), "{error}");
    // The kernel takes the connection, and nobody ever shakes hands.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    let scope = Scope::default().with(Authority::new("mute.invalid", address.port()).unwrap(), vec![address]);
    let to_connect = fetcher(scope, Limits { connect: soon, ..Limits::default() });
    let error = get(&to_connect, &format!("https://mute.invalid:{}/", address.port())).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { what: "TLS handshake", .. }), "{error}");
    let in_all = fetcher(endless.scope("endless.invalid"), Limits { total: soon, ..Limits::default() });
    let error = get(&in_all, &endless.url("endless.invalid", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { what: "whole answer", .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_none_is_told() {
    let header = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(100_000)).into_bytes();
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec();
    for bytes in [b"SSH-2.0-OpenSSH\r\n".to_vec(), Vec::new(), header, short] {
        let web = Web::serve(move |_| Reply::Last(bytes.clone())).await;
        let error =
            get(&fetcher(web.scope("a.invalid"), Limits::default()), &web.url("a.invalid", "/")).await;
        assert!(matches!(error, Err(FetchError::Broken { .. })), "{:?}", error.map(|page| page.status));
    }
    let gone = Web::serve(|_| Reply::Silence).await;
    let (scope, url) = (gone.scope("a.invalid"), gone.url("a.invalid", "/"));
    drop(gone);
    let fetcher = fetcher(scope, Limits::default());
    // The listener closes when its task is gone.
    soon("nobody listens", async {
        while !get(&fetcher, &url).await.is_err_and(|error| error.is_unreachable()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A certificate for `name`, by an authority of its own if one is given; valid in these years.
fn certified(
    name: &str,
    by: Option<&Issuer<'_, KeyPair>>,
    years: (i32, i32),
) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
    let certificate = match by {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (certificate, key)
}

async fn serve((certificate, key): (rcgen::Certificate, KeyPair)) -> Web {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = acceptor(certificate.der().clone(), key);
    Web::at("127.0.0.1:0".parse().unwrap(), Some(tls), |_| page(200, "", "secure")).await
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_told_and_the_page_is_read_all_the_same() {
    let (mut params, key) = (CertificateParams::new(Vec::new()).unwrap(), KeyPair::generate().unwrap());
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let trusting = Tls::trusting(Arc::new(roots));
    let cases = [
        ("good", certified("shop.invalid", Some(&issuer), (2020, 2090)), [false, false, false, false]),
        ("expired", certified("shop.invalid", Some(&issuer), (2020, 2021)), [true, false, false, false]),
        ("of another", certified("other.invalid", Some(&issuer), (2020, 2090)), [false, false, false, true]),
        ("self-signed", certified("shop.invalid", None, (2020, 2090)), [false, true, true, false]),
        ("all of it", certified("other.invalid", None, (2020, 2021)), [true, true, true, true]),
    ];
    let now = jiff::Timestamp::now().as_second();
    for (what, certificate, expected) in cases {
        let web = serve(certificate).await;
        let fetcher = Fetcher::new(Arc::new(web.scope("shop.invalid")), trusting.clone(), Limits::default());
        let url = web.url("shop.invalid", "/").replace("http:", "https:");
        let page = get(&fetcher, &url).await.unwrap();
        assert_eq!(page.text(), "secure");
        let seen = page.tls.unwrap();
        assert_eq!(seen.version, "TLSv1.3");
        let shown = seen.certificate;
        let is_expired = shown.validity.unwrap().until < now;
        let found = [is_expired, shown.is_self_signed, shown.untrusted.is_some(), shown.wrong_name.is_some()];
        assert_eq!(found, expected, "{what}: {shown:?}");
    }
}

#[tokio::test]
async fn https_to_a_server_that_speaks_none_is_told() {
    let web = Web::serve(|_| page(400, "", "")).await;
    let fetcher = fetcher(web.scope("shop.invalid"), Limits::default());
    let url = web.url("shop.invalid", "/").replace("http:", "https:");
    // The server waits for the end of a request that never comes; its handshake is bounded by `connect`.
    let error = get(&fetcher, &url).await.unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. } | FetchError::TimedOut { .. }), "{error}");
}
