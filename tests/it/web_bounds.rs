//! Promise: the real tools ask for nothing that a scan excludes and for nothing outside of the target's folder, on a page that
//! leads to both; and a site by https is
//! examined and measured by them, too. (nmap takes 20 to 90 s for TLS: it was tried by hand, docs/decisions/0027.)

use std::time::Duration;

use proctor::cli::client::Client;
use proctor::config::{Config, Pull};
use proctor::domain::scope::AllowList;
use proctor::protocol::api::{JobAnswer, RunAnswer, ScanArguments};
use proctor::protocol::web::{LoadArguments, PhaseWord, WebArguments};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::egress_world::{Reply, Web, acceptor};
use super::whole::World;

/// The real ZAP that `tests/images/all` makes.
const ZAP: &str = "proctor-test/zap:2.17.0";
/// Seconds a job may take: wapiti's limits are parts of it.
const DEADLINE_S: u32 = 240;
/// The same and some.
const PATIENCE: Duration = Duration::from_secs(270);

fn listed(config: &mut Config) {
    config.targets.active = AllowList::parse(&["127.0.0.1", "localhost"]).expect("both are rules");
}

/// A page that leads to what may be asked for and to what may not, and one that shows its query as it came. Everything else
/// is absent: where everything is there, wapiti believes nothing.
fn site(request: &str) -> Reply {
    let asked = request.split(' ').nth(1).unwrap_or_default();
    let query = percent_encoding::percent_decode_str(asked.split_once("?q=").map_or("", |(_, query)| query));
    let (status, body) = match asked.split('?').next().unwrap_or_default() {
        "/app/" => (200, START.to_owned()),
        "/app/in" => (200, format!("<html><title>In</title><p>{}</p></html>", query.decode_utf8_lossy())),
        "/app/logout" | "/app/%6Cogout" | "/app/logout/now" | "/other/" => (200, "Bye".to_owned()),
        _ => (404, "There is no such page".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nServer: demo/1.2\r\nSet-Cookie: id=1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let bytes = format!("{head}{body}").into_bytes();
    // Some read until the connection ends: ab, which asks in HTTP/1.0, and nmap.
    if request.contains(" HTTP/1.0\r\n") || request.contains("Connection: close") {
        Reply::Last(bytes)
    } else {
        Reply::Raw(bytes)
    }
}

const START: &str = "<html><title>Start</title><a href='/app/in?q=1'>in</a> <a href='/app/logout'>out</a> \
    <a href='/app/%6Cogout?b=1'>out</a> <a href='/other/'>elsewhere</a> \
    <form action='/app/logout/now' method='post'><input name='a'></form></html>";

/// The same by https, with a certificate that nobody vouches for.
async fn secure() -> Web {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = acceptor(certificate.der().clone(), key);
    Web::at("127.0.0.1:0".parse().unwrap(), Some(tls), site).await
}

async fn scan(world: &World, url: String, tools: &[&str], exclude: &[&str]) -> JobAnswer {
    let mut client: Client = world.client().await;
    let arguments = ScanArguments {
        url: Some(url),
        tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
        web: Some(WebArguments {
            phase: Some(PhaseWord::Full),
            exclude: exclude.iter().map(|&pattern| pattern.to_owned()).collect(),
            load: Some(LoadArguments {
                duration_s: Some(1),
                concurrency: Some(2),
                ..LoadArguments::default()
            }),
            ..WebArguments::default()
        }),
        wait_s: Some(0),
        deadline_s: Some(DEADLINE_S),
        ..ScanArguments::default()
    };
    let job: JobAnswer = client.call("scan", &arguments, |_| {}).await.unwrap();
    tokio::time::timeout(PATIENCE, world.end_of(&mut client, &job.job)).await.expect("the scan ends in time")
}

fn run<'a>(job: &'a JobAnswer, tool: &str) -> &'a RunAnswer {
    job.runs.iter().find(|run| run.tool == tool).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn wapiti_attacks_what_it_may_and_asks_for_nothing_that_is_excluded() {
    let world = World::with(&[], listed).await;
    let web = Web::serve(site).await;
    let url = format!("http://{}/app/", web.address);
    let job = scan(&world, url, &["wapiti", "web-headers", "nmap"], &["/logout"]).await;
    for tool in ["wapiti", "web-headers"] {
        assert_eq!(run(&job, tool).state, "findings", "{job:#?}");
    }
    let nmap = format!("{:?}", run(&job, "nmap"));
    assert_eq!(run(&job, "nmap").state, "not_applicable", "{nmap}");
    assert!(nmap.contains("knows no proxy"), "{nmap}");
    let findings = world.findings(&job.job).await;
    let seen = |rule: &str| findings.iter().any(|finding| finding.tool == "wapiti" && finding.rule == rule);
    assert!(seen("reflected-cross-site-scripting"), "it was let through to attack: {findings:#?}");
    let requests = web.requests();
    let asked: Vec<&str> = requests.iter().filter_map(|request| request.split(' ').nth(1)).collect();
    assert!(asked.iter().any(|path| path.starts_with("/app/in?q=") && *path != "/app/in?q=1"), "{asked:?}");
    let forbidden = forbidden(&web);
    assert!(forbidden.is_empty(), "{forbidden:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_by_https_is_examined_and_measured_by_the_real_tools() {
    let world = World::with(&[], listed).await;
    let web = secure().await;
    let url = format!("https://localhost:{}/app/", web.address.port());
    let job = scan(&world, url, &["web-headers", "wapiti", "ab", "wrk"], &[]).await;
    let findings = world.findings(&job.job).await;
    for run in &job.runs {
        assert_eq!(run.state, "findings", "{run:#?} {findings:#?}");
        let requests = run.coverage.as_ref().and_then(|coverage| coverage.requests);
        assert!(requests.is_some_and(|requests| requests > 0), "{run:#?}");
    }
    let seen = |tool: &str, rule: &str| findings.iter().any(|found| found.tool == tool && found.rule == rule);
    for (tool, rule) in [
        ("web-headers", "certificate-untrusted"),
        ("wapiti", "reflected-cross-site-scripting"),
        ("ab", "load.figures"),
        ("wrk", "load.figures"),
    ] {
        assert!(seen(tool, rule), "{tool} {rule}: {findings:#?}");
    }
    world.end().await;
}

/// Over https the gate sees nothing, and ZAP is on its word: it takes our patterns for its own, and keeps to the folder. It
/// holds them against URLs as they are written, so that an encoded spelling gets through.
#[tokio::test(flavor = "multi_thread")]
async fn zap_attacks_a_site_by_https_and_leaves_out_what_is_excluded() {
    let world = World::with(&[], |config| {
        listed(config);
        config.docker.pull = Pull::Never;
        config.zap.image = ZAP.to_owned();
    })
    .await;
    let web = secure().await;
    let url = format!("https://localhost:{}/app/", web.address.port());
    let job = scan(&world, url, &["zap", "wapiti"], &["/logout"]).await;
    assert_eq!(run(&job, "wapiti").state, "not_applicable", "{job:#?}");
    let zap = run(&job, "zap");
    assert_eq!(zap.state, "findings", "{zap:#?}");
    let coverage = zap.coverage.as_ref().unwrap();
    assert!(coverage.requests.is_some_and(|requests| requests > 5), "{coverage:?}");
    let findings = world.findings(&job.job).await;
    let injected = findings.iter().any(|found| found.rule == "40012" && found.path.contains("/app/in"));
    assert!(injected, "{findings:#?}");
    let forbidden: Vec<_> =
        forbidden(&web).into_iter().filter(|path| !path.starts_with("/app/%6Cogout")).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    world.end().await;
}

/// What was asked for, and should not have been.
fn forbidden(web: &Web) -> Vec<String> {
    let requests = web.requests();
    let asked = requests.iter().filter_map(|request| request.split(' ').nth(1));
    let decoded = |path: &str| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let is_forbidden = |path: &&str| decoded(path).contains("/logout") || !path.starts_with("/app/");
    asked.filter(is_forbidden).map(str::to_owned).collect()
}
