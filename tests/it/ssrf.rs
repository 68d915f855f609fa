//! Only allowed targets are touched: whatever a URL, a name server, a page or a tool says, no packet goes to an address that
//! the operator did not list. Every case runs in an internet of the test's own that records where a miss would have gone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proctor::actors::egress::{Ask, Fetcher, Gate, Limits, Resolver, Site};
use proctor::actors::probes::{Order, headers};
use proctor::domain::ids::ToolName;
use proctor::domain::scope::{AllowList, Lists, Permission, Place};
use proctor::domain::target::{Seeds, WebPlan};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::egress_world::{Tool, page, status, tls};
use crate::ssrf_corpus::{CONTROLS, FORBIDDEN, REQUESTS, URLS};
use crate::ssrf_world::{Internet, PUBLIC, everyone_at, in_own_internet, lists, prepare, sent, set, web};

#[test]
fn no_spelling_of_a_url_leads_to_who_is_not_listed() {
    in_own_internet("ssrf::no_spelling_of_a_url_leads_to_who_is_not_listed", async || {
        let internet = Internet::open(|_| page(200, "", "secret")).await;
        assert!(URLS.len() >= 100);
        // The worst resolver there is: every name is at an address that would be allowed, if its name were.
        let resolver = everyone_at(&[PUBLIC]);
        let before = sent();
        for url in URLS {
            let refused = prepare(url, &resolver).await;
            assert!(refused.is_err(), "{url:?} may be looked at, as {}", refused.unwrap().url());
        }
        assert_eq!((sent(), internet.seen().await), (before, vec![]));
    });
}

#[test]
fn no_answer_of_a_name_server_leads_to_who_is_not_listed() {
    in_own_internet("ssrf::no_answer_of_a_name_server_leads_to_who_is_not_listed", async || {
        let internet = Internet::open(|_| page(200, "", "secret")).await;
        let before = sent();
        for address in FORBIDDEN {
            for answer in [vec![address], vec![PUBLIC, address], vec![address, PUBLIC]] {
                for host in ["shop.example", "a.b.shop.example"] {
                    let refused = prepare(&format!("http://{host}/"), &everyone_at(&answer)).await;
                    assert!(refused.is_err(), "{host} at {answer:?}");
                }
            }
        }
        assert!(prepare("http://shop.example/", &everyone_at(&[])).await.is_err());
        assert_eq!((sent(), internet.seen().await), (before, vec![]));
    });
}

#[test]
fn a_name_that_is_not_listed_is_not_even_looked_up() {
    in_own_internet("ssrf::a_name_that_is_not_listed_is_not_even_looked_up", async || {
        let before = sent();
        let error = prepare("http://secret-in-a-name.evil.example/", &Resolver::system()).await.unwrap_err();
        assert!(error.to_string().contains("targets.hosts"), "{error}");
        assert_eq!(sent(), before, "a name server was asked");
    });
}

#[test]
fn a_name_that_moves_after_it_was_judged_stays_where_it_was() {
    in_own_internet("ssrf::a_name_that_moves_after_it_was_judged_stays_where_it_was", async || {
        let internet = Internet::open(|_| page(200, "", "public")).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let resolver = Resolver::of(move |_| {
            let address = if count.fetch_add(1, Ordering::Relaxed) == 0 { PUBLIC } else { "127.0.0.1" };
            std::future::ready(Ok(vec![address.parse().unwrap()]))
        });
        let site = prepare("http://rebound.example/", &resolver).await.unwrap();
        let fetcher = Fetcher::new(Arc::clone(&site.scope), tls(), Limits::default());
        for _ in 0..3 {
            assert_eq!(fetcher.fetch(Ask::get(site.place.clone())).await.unwrap().text(), "public");
        }
        let gate = Gate::open(Arc::clone(&site.scope), IpAddr::from([127, 0, 0, 1])).await.unwrap();
        assert_eq!(status(&Tool::connect(&gate).await.get("http://rebound.example/").await), "200");
        let public: IpAddr = PUBLIC.parse().unwrap();
        assert_eq!((internet.seen().await, asked.load(Ordering::Relaxed)), (vec![public; 4], 1));
        assert!(prepare("http://rebound.example/", &resolver).await.is_err());
    });
}

/// A page that leads to `target`, by every way there is, and links to it.
fn leading_to(target: &str, path: &str) -> (u16, String, String) {
    let statuses = [("/301", 301), ("/302", 302), ("/303", 303), ("/307", 307), ("/308", 308)];
    let links: String = statuses.iter().map(|(path, _)| format!("<a href={path}>x</a>")).collect();
    let links = format!("{links}<a href=/refresh>x</a><a href=/meta>x</a><a href='{target}'>x</a>");
    match statuses.iter().find(|(own, _)| *own == path) {
        Some((_, status)) => (*status, format!("Location: {target}\r\n"), String::new()),
        None if path == "/refresh" => (200, format!("Refresh: 0; url={target}\r\n"), String::new()),
        None if path == "/meta" => {
            (200, String::new(), format!("<meta http-equiv=refresh content='0;url={target}'>"))
        }
        None => (200, String::new(), links),
    }
}

#[test]
fn no_page_leads_to_who_is_not_listed() {
    in_own_internet("ssrf::no_page_leads_to_who_is_not_listed", async || {
        let public = set(&[PUBLIC]);
        let led_to = Arc::new(std::sync::Mutex::new(""));
        let now = Arc::clone(&led_to);
        let internet = Internet::open(move |request| {
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (status, headers, body) = leading_to(&now.lock().unwrap(), path);
            page(status, &format!("Content-Type: text/html\r\n{headers}"), &body)
        })
        .await;
        for target in [
            "http://127.0.0.1/",
            "http://169.254.169.254/latest/",
            "//10.0.0.1/",
            "http://[::1]/",
            "http://2130706433/",
            "http://shop.example@127.0.0.1/",
            "https://127.0.0.1:80/",
            "http:\\\\127.0.0.1/",
            "http://127.0.0.1\t/",
            "http://intern.example/",
            "file:///etc/passwd",
            "http://[::ffff:169.254.169.254]/",
        ] {
            *led_to.lock().unwrap() = target;
            let site = prepare("http://shop.example/", &everyone_at(&[PUBLIC])).await.unwrap();
            let order = Order {
                tool: ToolName("ours".into()),
                site,
                deadline: Instant::now() + Duration::from_secs(60),
                cancel: CancellationToken::new(),
                says: Arc::new(drop),
            };
            let evidence = headers::look(&order).await;
            let seen: BTreeSet<IpAddr> = internet.seen().await.into_iter().collect();
            assert_eq!(seen, public, "{target}");
            // It did come to the pages that lead there.
            assert!(evidence.work.urls > 8, "{target}: {:?}", evidence.work);
        }
    });
}

#[test]
fn no_plan_brings_along_who_is_not_listed() {
    in_own_internet("ssrf::no_plan_brings_along_who_is_not_listed", async || {
        let before = sent();
        for seed in [
            "http://127.0.0.1/",
            "//169.254.169.254/",
            "http://intern.example/",
            "/\\10.0.0.1/",
            "file:///etc/passwd",
        ] {
            let seeds = Seeds { urls: vec![seed.into()], ..Seeds::default() };
            let document = Seeds { openapi: Some(seed.into()), ..Seeds::default() };
            for seeds in [seeds, document] {
                let plan = WebPlan { seeds, ..WebPlan::default() };
                let resolver = everyone_at(&[PUBLIC]);
                let refused =
                    Site::prepare("http://shop.example/", plan, Permission::Look, &lists(), &resolver).await;
                assert!(refused.is_err(), "{seed}");
            }
        }
        assert_eq!(sent(), before);
    });
}

#[test]
fn no_request_to_a_gate_leads_to_who_is_not_listed() {
    in_own_internet("ssrf::no_request_to_a_gate_leads_to_who_is_not_listed", async || {
        let internet = Internet::open(|_| page(200, "", "secret")).await;
        let site = prepare("http://shop.example/", &everyone_at(&[PUBLIC])).await.unwrap();
        let gate = Gate::open(Arc::clone(&site.scope), IpAddr::from([127, 0, 0, 1])).await.unwrap();
        for request in REQUESTS {
            for host in ["shop.example", "127.0.0.1", "169.254.169.254"] {
                let before = sent();
                let mut tool = Tool::connect(&gate).await;
                let answer = tool.ask(&format!("{request} HTTP/1.1\nHost: {host}\n\n")).await;
                assert!(matches!(status(&answer), "400" | "403" | "none"), "{request}: {answer}");
                assert!(!answer.contains("secret"), "{request}");
                // One connection was begun: the tool's own.
                let (connections, datagrams) = sent();
                assert_eq!((connections - before.0, datagrams - before.1), (1, 0), "{request}");
            }
        }
        assert_eq!(internet.seen().await, Vec::<IpAddr>::new());
        assert!(gate.traffic().refused > 100, "{:?}", gate.traffic());
    });
}

#[test]
fn nothing_is_smuggled_past_a_request_that_is_allowed() {
    in_own_internet("ssrf::nothing_is_smuggled_past_a_request_that_is_allowed", async || {
        let internet = Internet::open(|request| page(200, "X-Seen: 1\r\n", &request.replace('\r', ""))).await;
        let site = prepare("http://shop.example/", &everyone_at(&[PUBLIC])).await.unwrap();
        let gate = Gate::open(Arc::clone(&site.scope), IpAddr::from([127, 0, 0, 1])).await.unwrap();
        let evil = "GET http://127.0.0.1/ HTTP/1.1\nHost: shop.example\n\n";
        let cases = [
            "Host: 127.0.0.1\n\n".to_owned(),
            "Host: shop.example\nHost: 169.254.169.254\n\n".to_owned(),
            "Host: shop.example\nX-Forwarded-Host: 127.0.0.1\nConnection: Host\n\n".to_owned(),
            "Host: shop.example\nUpgrade: websocket\nConnection: Upgrade\n\n".to_owned(),
            format!("Host: shop.example\nContent-Length: 0\n\n{evil}"),
            format!("Host: shop.example\nTransfer-Encoding: chunked\n\n0\n\n{evil}"),
            format!("Host: shop.example\nContent-Length: 4\nTransfer-Encoding: chunked\n\n0\n\n{evil}"),
            format!("Host: shop.example\nContent-Length: 0\nContent-Length: 60\n\n{evil}"),
            format!("Host: shop.example\nTransfer-Encoding: xchunked\n\n{evil}"),
            "Host: shop.example\nExpect: 100-continue\n\n".to_owned(),
        ];
        for case in &cases {
            let mut tool = Tool::connect(&gate).await;
            let first = tool.ask(&format!("POST http://shop.example/ HTTP/1.1\n{case}")).await;
            assert!(
                !first.contains("\nHost: 127.0.0.1") && !first.contains("\nHost: 169.254"),
                "{case}: {first}"
            );
            if case.contains(evil) {
                let second = tool.ask("GET http://10.0.0.1/ HTTP/1.1\nHost: x\n\n").await;
                assert!(matches!(status(&second), "400" | "403" | "none"), "{case}: {second}");
            }
        }
        let seen: BTreeSet<IpAddr> = internet.seen().await.into_iter().collect();
        assert_eq!(seen, set(&[PUBLIC]));
    });
}

#[test]
fn a_miss_would_have_been_seen() {
    in_own_internet("ssrf::a_miss_would_have_been_seen", async || {
        let internet = Internet::open(|_| page(200, "", "secret")).await;
        for address in CONTROLS {
            let before = sent();
            drop(TcpStream::connect(web(address)).await.unwrap_or_else(|error| panic!("{address}: {error}")));
            let expected: Vec<IpAddr> = vec![address.parse().unwrap()];
            assert_eq!(internet.seen().await, expected);
            assert_eq!(sent().0, before.0 + 1);
        }
        // A connection that is refused, and a datagram, are counted by the kernel.
        let before = sent();
        assert!(TcpStream::connect("10.0.0.1:81").await.is_err());
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.send_to(b"name?", "10.0.0.2:53").await.unwrap();
        assert_eq!(sent(), (before.0 + 1, before.1 + 1));
    });
}

#[test]
fn what_is_listed_is_reached_even_there() {
    in_own_internet("ssrf::what_is_listed_is_reached_even_there", async || {
        let internet = Internet::open(|_| page(200, "", "mine")).await;
        for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "fd00:ec2::254", "::1"] {
            let lists = Lists { hosts: AllowList::parse(&[address]).unwrap(), active: AllowList::default() };
            let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            let url = format!("http://{host}/");
            let resolver = everyone_at(&[]);
            let site =
                Site::prepare(&url, WebPlan::default(), Permission::Look, &lists, &resolver).await.unwrap();
            let fetcher = Fetcher::new(Arc::clone(&site.scope), tls(), Limits::default());
            assert_eq!(fetcher.fetch(Ask::get(Place::parse(&url).unwrap())).await.unwrap().text(), "mine");
            let expected: Vec<IpAddr> = vec![address.parse().unwrap()];
            assert_eq!(internet.seen().await, expected);
        }
    });
}
