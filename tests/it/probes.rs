//! Our own looks at what runs find what is planted and nothing else, prove their work, and never call a dead target clean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proctor::actors::egress::{Resolver, Site};
use proctor::actors::probes::{Order, endpoints, headers};
use proctor::domain::finding::Finding;
use proctor::domain::ids::ToolName;
use proctor::domain::outcome::{FailureReason, Outcome};
use proctor::domain::scope::{AllowList, Authority, Lists, Permission, Place};
use proctor::domain::target::{Expectation, Login, Phase, Seeds, WebPlan};
use proctor::domain::verdict::{self, WebEnding, WebEvidence};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::egress_world::{Reply, Web, page};
use crate::support::soon;

fn order(web: &Web, plan: WebPlan) -> Order {
    let authority = Authority::new("shop.invalid", web.address.port()).unwrap();
    Order {
        tool: ToolName("ours".into()),
        site: Site::of_app(authority, web.address, plan).unwrap(),
        deadline: Instant::now() + Duration::from_secs(60),
        cancel: CancellationToken::new(),
        says: Arc::new(drop),
    }
}

fn rules(evidence: &WebEvidence) -> BTreeSet<&str> {
    evidence.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

fn at<'a>(evidence: &'a WebEvidence, rule: &str) -> &'a Finding {
    evidence.findings.iter().find(|finding| finding.rule == rule).unwrap_or_else(|| panic!("no {rule}"))
}

fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let line =
        request.lines().find(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())));
    line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
}

const SAFE: &str = "Content-Type: text/html\r\nContent-Security-Policy: default-src 'self'; frame-ancestors 'none'\r\n\
                    X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n";

#[tokio::test]
async fn a_site_with_every_fault_has_a_finding_for_each_with_url_weakness_and_evidence() {
    let web = Web::serve(|request| match path(request) {
        "/" => {
            let origin = header(request, "Origin").unwrap_or("none");
            let faults = format!(
                "Content-Type: text/html\r\nServer: demo/1.2\r\nSet-Cookie: session=wonderland\r\n\
                 Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\n"
            );
            if request.starts_with("TRACE") {
                return page(200, "Content-Type: message/http\r\n", request);
            }
            page(200, &faults, "<a href='/files/'>files</a><a href='http://elsewhere.invalid/'>out</a>")
        }
        "/files/" => page(200, SAFE, "<html><title>Index of /files</title></html>"),
        "/.git/HEAD" => page(200, "Content-Type: text/plain\r\n", "ref: refs/heads/main\n"),
        "/.env" => page(200, "Content-Type: text/plain\r\n", "DB_PASSWORD=wonderland\n"),
        "/backup.sql" => page(200, "Content-Type: text/plain\r\n", "CREATE TABLE users (id INT);\n"),
        "/admin" => page(200, SAFE, "<html><title>Shop admin</title><h1>Users</h1></html>"),
        _ => page(404, SAFE, "<html>Traceback (most recent call last): x</html>"),
    })
    .await;
    let evidence = soon("a look", headers::look(&order(&web, WebPlan::default()))).await;
    let expected = [
        "admin-without-login",
        "backup-exposed",
        "cookie-httponly-missing",
        "cookie-samesite-missing",
        "cors-any-origin-with-credentials",
        "cors-null-origin-with-credentials",
        "csp-missing",
        "directory-listing",
        "error-details-told",
        "frame-protection-missing",
        "nosniff-missing",
        "referrer-policy-missing",
        "repository-exposed",
        "secrets-exposed",
        "trace-enabled",
        "version-told",
    ];
    assert_eq!(rules(&evidence), BTreeSet::from(expected));
    let env = at(&evidence, "secrets-exposed");
    assert_eq!((env.location.path.as_str(), &*env.cwe), (&*web.url("shop.invalid", "/.env"), &[538][..]));
    assert!(env.web.as_ref().unwrap().evidence.is_some());
    assert!(!format!("{:?}", evidence.findings).contains("wonderland"), "a secret is in a finding");
    assert!(evidence.work.requests > 50 && evidence.work.urls > 45, "{:?}", evidence.work);
    assert!(matches!(verdict::of_site(evidence).outcome, Outcome::Findings { count: 16 }));
}

#[tokio::test]
async fn a_site_with_none_is_clean_and_an_app_that_answers_everything_hides_nothing() {
    let spa = Web::serve(|request| match request.starts_with("TRACE") {
        true => page(405, SAFE, ""),
        false => page(
            200,
            SAFE,
            &format!(
                "<html><title>Admin dashboard</title>{} same words for every path</html>",
                path(request)
            ),
        ),
    })
    .await;
    let plain = Web::serve(|request| match path(request) {
        "/" if request.starts_with("GET") => page(200, SAFE, "<html>shop</html>"),
        _ => page(404, SAFE, "nothing here"),
    })
    .await;
    for web in [spa, plain] {
        let evidence = soon("a look", headers::look(&order(&web, WebPlan::default()))).await;
        assert_eq!(rules(&evidence), BTreeSet::new());
        assert_eq!(verdict::of_site(evidence).outcome, Outcome::Clean);
    }
}

#[tokio::test]
async fn a_target_that_is_dead_or_dies_is_never_clean() {
    let web = Web::serve(|_| Reply::Silence).await;
    let mut dead = order(&web, WebPlan::default());
    drop(web);
    for look in [0, 1] {
        dead.deadline = Instant::now() + Duration::from_secs(60);
        let evidence = match look {
            0 => soon("a look", headers::look(&dead)).await,
            _ => soon("a look", endpoints::look(&dead)).await,
        };
        let WebEnding::Failed { reason, .. } = evidence.ending else { panic!("{evidence:?}") };
        assert_eq!(reason, FailureReason::TargetUnreachable);
    }
    // A server that serves the first page and is gone.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().unwrap();
        drop(listener);
        assert!(socket.read(&mut [0; 4096]).unwrap() > 0, "it asks");
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    let authority = Authority::new("shop.invalid", address.port()).unwrap();
    let order = Order { site: Site::of_app(authority, address, WebPlan::default()).unwrap(), ..dead };
    let evidence = soon("a look", headers::look(&order)).await;
    serving.join().unwrap();
    let WebEnding::Failed { reason, .. } = &evidence.ending else { panic!("{evidence:?}") };
    assert_eq!(*reason, FailureReason::TargetLost);
    assert!(evidence.work.requests < 20, "{:?}", evidence.work);
}

#[tokio::test]
async fn a_cancel_and_a_deadline_end_a_look_that_hangs() {
    let web = Web::serve(|_| Reply::Silence).await;
    let mut order = order(&web, WebPlan::default());
    order.deadline = Instant::now() + Duration::from_millis(300);
    let evidence = soon("the deadline", headers::look(&order)).await;
    assert!(matches!(evidence.ending, WebEnding::Failed { reason: FailureReason::TimedOut, .. }));
    order.deadline = Instant::now() + Duration::from_secs(60);
    order.cancel.cancel();
    assert_eq!(soon("the cancel", endpoints::look(&order)).await.ending, WebEnding::Cancelled);
}

#[tokio::test]
async fn what_the_plan_excludes_is_not_asked_for() {
    let web = Web::serve(|_| page(200, SAFE, "<a href=/logout>x</a><a href=/in>y</a>")).await;
    let plan = WebPlan { exclude: vec!["/logout".into(), "/\\.git/".into()], ..WebPlan::default() };
    soon("a look", headers::look(&order(&web, plan))).await;
    let asked: Vec<String> = web.requests().iter().map(|request| path(request).to_owned()).collect();
    assert!(asked.iter().any(|path| path == "/in"));
    assert!(!asked.iter().any(|path| path.contains("logout") || path.contains(".git")), "{asked:?}");
}

#[tokio::test]
async fn a_look_says_how_far_it_is_at_each_tenth() {
    let web = Web::serve(|_| page(404, SAFE, "nothing")).await;
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let says = Arc::new(move |what| heard.lock().unwrap().push(what));
    let plan = WebPlan {
        expect: (0..20).map(|number| expectation(&format!("/{number}"), &[404], None)).collect(),
        ..WebPlan::default()
    };
    let order = Order { says, ..order(&web, plan) };
    let tenths =
        |what: &str| -> Vec<String> { (1..=10).map(|tenth| format!("{what} {} %", tenth * 10)).collect() };
    soon("a look", endpoints::look(&order)).await;
    assert_eq!(*said.lock().unwrap(), tenths("endpoints"));
    said.lock().unwrap().clear();
    soon("a look", headers::look(&order)).await;
    let first = vec!["pages".to_owned()];
    assert_eq!(*said.lock().unwrap(), [first, tenths("forgotten files")].concat());
}

#[tokio::test]
async fn a_target_with_a_path_is_looked_at_in_its_folder_only() {
    let web = Web::serve(|request| match path(request) {
        "/app/" => page(200, SAFE, "<a href=in>in</a><a href=/elsewhere>out</a>"),
        "/app/.git/HEAD" => page(200, "Content-Type: text/plain\r\n", "ref: refs/heads/main\n"),
        _ => page(404, SAFE, "nothing"),
    })
    .await;
    let lists = Lists { hosts: AllowList::parse(&["127.0.0.1"]).unwrap(), ..Lists::default() };
    let plan = WebPlan { expect: vec![expectation("/health", &[404], None)], ..WebPlan::default() };
    let url = format!("http://{}/app/", web.address);
    let site = Site::prepare(&url, plan, Permission::Look, &lists, &Resolver::system()).await.unwrap();
    let order = Order { site, ..order(&web, WebPlan::default()) };
    let evidence = soon("a look", headers::look(&order)).await;
    assert!(rules(&evidence).contains("repository-exposed"), "{evidence:?}");
    let said = evidence.degraded.iter().filter(|why| why.contains("/elsewhere is not in this job's folder"));
    assert_eq!(said.count(), 1, "{:?}", evidence.degraded);
    let outside = |request: &String| !path(request).starts_with("/app/");
    assert_eq!(web.requests().iter().filter(|request| outside(request)).count(), 0, "{:?}", web.requests());
    // What the plan names itself is asked for wherever it is.
    assert_eq!(soon("a look", endpoints::look(&order)).await.work.urls, 1);
    assert!(web.requests().iter().any(|request| path(request) == "/health"));
}

fn expectation(path: &str, status: &[u16], body: Option<&str>) -> Expectation {
    Expectation {
        method: "GET".into(),
        path: path.into(),
        status: status.to_vec(),
        headers: BTreeMap::new(),
        body: body.map(str::to_owned),
    }
}

#[tokio::test]
async fn each_broken_promise_is_a_finding_and_each_kept_one_is_work() {
    let web = Web::serve(|request| match path(request) {
        "/items" => page(200, "", "[1,2]"),
        "/broken" => page(500, "", "oops"),
        _ => page(404, "", "no"),
    })
    .await;
    let expect = vec![
        expectation("/items", &[200], Some("[1,2]")),
        expectation("/items", &[200], Some("[3]")),
        expectation("/broken", &[], None),
        expectation("/missing", &[200, 204], None),
        expectation("/missing", &[404], None),
    ];
    let plan = WebPlan { expect, ..WebPlan::default() };
    let evidence = soon("a look", endpoints::look(&order(&web, plan))).await;
    let found: Vec<&str> = evidence.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(rules(&evidence), BTreeSet::from(["expectation-failed", "server-error"]));
    assert_eq!((evidence.work.requests, evidence.work.urls), (5, 3));
    assert!(at(&evidence, "server-error").message.contains("answers 500"));
}

const DOCUMENT: &str = r#"{"openapi": "3.0.0", "security": [{"key": []}], "paths": {
  "/open": {"get": {"responses": {"200": {}}}},
  "/closed": {"get": {"responses": {"200": {}}}},
  "/public": {"get": {"security": [], "responses": {"200": {}}}},
  "/odd": {"get": {"security": [], "responses": {"200": {}}}},
  "/items": {"post": {"security": [], "responses": {"201": {}},
             "requestBody": {"content": {"application/json": {"example": {"name": "x"}}}}}}}}"#;

fn api(request: &str) -> Reply {
    let key = header(request, "X-Key") == Some("wonderland");
    match path(request) {
        "/openapi.json" => page(200, "Content-Type: application/json\r\n", DOCUMENT),
        "/open" | "/public" => page(200, "", "{}"),
        "/closed" if key => page(200, "", "{}"),
        "/closed" => page(401, "", ""),
        "/odd" => page(418, "", ""),
        "/items" if request.ends_with("{\"name\":\"x\"}") => page(201, "", ""),
        _ => page(400, "", ""),
    }
}

#[tokio::test]
async fn a_document_is_held_to_its_word_and_a_missing_login_is_seen() {
    let web = Web::serve(api).await;
    let login = Some(Login::Header { name: "X-Key".into(), value: "wonderland".into() });
    let seeds = Seeds { openapi: Some("/openapi.json".into()), ..Seeds::default() };
    let mut plan = WebPlan { login, seeds, ..WebPlan::default() };
    let evidence = soon("a look", endpoints::look(&order(&web, plan.clone()))).await;
    assert_eq!(rules(&evidence), BTreeSet::from(["authentication-missing", "undocumented-status"]));
    assert!(at(&evidence, "authentication-missing").location.path.ends_with("/open"));
    assert!(at(&evidence, "undocumented-status").location.path.ends_with("/odd"));
    assert!(
        !web.requests().iter().any(|request| request.starts_with("POST")),
        "the baseline changes nothing"
    );
    assert!(evidence.degraded.iter().any(|why| why.contains("1 operations")), "{:?}", evidence.degraded);
    // Who may attack asks for all of it.
    plan.phase = Phase::Api;
    let evidence = soon("a look", endpoints::look(&order(&web, plan))).await;
    assert!(web.requests().iter().any(|request| request.starts_with("POST /items ")));
    assert_eq!((rules(&evidence).len(), evidence.degraded.len()), (2, 0));
}

#[tokio::test]
async fn a_document_that_is_none_fails_and_says_why() {
    let web = Web::serve(|_| page(200, "", "<html>")).await;
    let seeds = Seeds { openapi: Some("/openapi.json".into()), ..Seeds::default() };
    let evidence =
        soon("a look", endpoints::look(&order(&web, WebPlan { seeds, ..WebPlan::default() }))).await;
    let WebEnding::Failed { reason, detail, .. } = evidence.ending else { panic!("{evidence:?}") };
    assert_eq!(reason, FailureReason::UnreadableReport);
    assert!(detail.contains("no OpenAPI document"), "{detail}");
}

/// A shop with a login form that hides a token.
fn shop(request: &str) -> Reply {
    let is_in = header(request, "Cookie").is_some_and(|cookies| cookies.contains("session=in"));
    match (request.starts_with("POST"), path(request)) {
        (false, "/login") => {
            page(200, "Set-Cookie: pre=1\r\n", "<form><input type=hidden name=csrf value='t&amp;1'></form>")
        }
        (true, "/login") => {
            let good = request.ends_with("csrf=t%261&password=p%3Dw&user=alice") && request.contains("pre=1");
            let cookie = if good { "Set-Cookie: session=in; Path=/\r\n" } else { "" };
            page(302, &format!("Location: /\r\n{cookie}"), "")
        }
        (_, "/") => {
            page(200, SAFE, if is_in { "<a href=/mine>Log out</a>" } else { "<a href=/login>Log in</a>" })
        }
        (_, "/mine") if is_in => page(200, SAFE, "mine"),
        _ => page(404, SAFE, ""),
    }
}

fn by_form(password: &str) -> WebPlan {
    let fields = BTreeMap::from([("user".into(), "alice".into()), ("password".into(), password.to_owned())]);
    let login = Login::Form { url: "/login".into(), fields, logged_in: "Log\\s+out".into() };
    WebPlan { login: Some(login), ..WebPlan::default() }
}

#[tokio::test]
async fn a_form_is_filled_with_what_it_hides_and_the_session_is_kept() {
    let web = Web::serve(shop).await;
    let evidence = soon("a look", headers::look(&order(&web, by_form("p=w")))).await;
    assert_eq!(evidence.ending, WebEnding::Finished);
    let mine = web.requests().into_iter().filter(|request| path(request) == "/mine");
    assert!(mine.clone().count() > 0 && mine.into_iter().all(|request| request.contains("session=in")));
    // Forgotten files are asked for as nobody.
    let git = web.requests().into_iter().find(|request| path(request) == "/.git/HEAD").unwrap();
    assert!(!git.contains("session="), "{git}");
}

#[tokio::test]
async fn a_login_that_fails_is_told_and_nothing_else_is_asked_for() {
    let web = Web::serve(shop).await;
    let evidence = soon("a look", headers::look(&order(&web, by_form("wrong")))).await;
    let WebEnding::Failed { reason, detail, advice, .. } = evidence.ending else { panic!("{evidence:?}") };
    assert_eq!(reason, FailureReason::LoginFailed);
    assert!(!format!("{detail}{advice:?}").contains("wrong"));
    assert!(web.requests().len() <= 4, "{:?}", web.requests());
}

/// What would be taken for a session proves nothing.
#[tokio::test]
async fn a_login_that_proves_nothing_is_none() {
    let shows_to_all = Web::serve(|_| page(200, "Set-Cookie: s=1\r\n", "Log out")).await;
    let sets_nothing =
        Web::serve(|request| page(200, "", if request.starts_with("POST") { "Log out" } else { "<form>" }))
            .await;
    for (web, why) in [(shows_to_all, "not logged in"), (sets_nothing, "no cookie was set")] {
        let evidence = soon("a look", headers::look(&order(&web, by_form("p=w")))).await;
        let WebEnding::Failed { reason, detail, .. } = evidence.ending else { panic!("{evidence:?}") };
        assert_eq!(reason, FailureReason::LoginFailed);
        assert!(detail.contains(why), "{detail}");
    }
}

#[tokio::test]
async fn a_probe_takes_any_answer_for_life_and_waits_for_one_that_is_coming_up() {
    let web = Web::serve(|_| page(500, "", "")).await;
    soon("the probe", order(&web, WebPlan::default()).site.probe()).await.unwrap();
    let tries = AtomicUsize::new(0);
    let hangs_up = Web::serve(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0..2 => Reply::Last(Vec::new()),
        _ => page(200, "", ""),
    })
    .await;
    soon("the probe", order(&hangs_up, WebPlan::default()).site.probe()).await.unwrap();
    assert_eq!(hangs_up.requests().len(), 3);
}

#[test]
fn the_plan_of_an_app_names_nothing_but_the_app() {
    let authority = Authority::new("shop.app.internal", 80).unwrap();
    let plan = |seed: &str| WebPlan {
        seeds: Seeds { urls: vec![seed.into()], ..Seeds::default() },
        ..WebPlan::default()
    };
    let site = |seed: &str| Site::of_app(authority.clone(), "127.0.0.1:80".parse().unwrap(), plan(seed));
    assert!(site("/a").is_ok() && site("http://shop.app.internal/a").is_ok());
    for seed in [
        "http://elsewhere.example/",
        "//elsewhere.example/",
        "http://shop.app.internal:81/",
        "file:///etc/passwd",
    ] {
        assert!(site(seed).is_err(), "{seed}");
    }
    assert_eq!(Place::parse("http://shop.app.internal/").unwrap().authority, authority);
}
