//! The way in: probes, and who is refused before the 101 with which status.

use std::time::{Duration, Instant};

use proctor::actors::gateway::GatewayMessage;
use proctor::protocol::errors::HttpRefusal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::support::client::{connect, request};
use crate::support::raw::{self, exchange, get, status, upgrade_head};
use crate::support::world::World;
use crate::support::{soon, until};

async fn upgraded(world: &World, change: impl FnOnce(&str) -> String) -> (u16, String) {
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    stream.write_all(change(&upgrade_head(world)).as_bytes()).await.expect("sent");
    let mut head = vec![0; 4_096];
    let read = soon("an answer", stream.read(&mut head)).await.expect("bytes");
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    (status(&head), head)
}

#[tokio::test]
async fn probes_are_answered_without_a_token() {
    let world = World::boot().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(get(&world, path, "").await.0, 200, "{path}");
    }
    assert_eq!(get(&world, "/", "").await.0, 404);
    let post = format!("POST /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", world.address);
    assert_eq!(status(&exchange(world.address, post.as_bytes()).await), 405);
}

#[tokio::test]
async fn the_subprotocol_is_echoed_to_those_who_offer_it() {
    let world = World::boot().await;
    let (code, head) = upgraded(&world, str::to_owned).await;
    assert_eq!(code, 101);
    assert!(head.to_ascii_lowercase().contains("sec-websocket-protocol: mcp"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "RFC 6455's own example key: {head}");
    let (code, head) = upgraded(&world, |head| head.replace("Sec-WebSocket-Protocol: mcp\r\n", "")).await;
    assert_eq!(code, 101);
    assert!(!head.to_ascii_lowercase().contains("sec-websocket-protocol"), "{head}");
    let (code, _) = upgraded(&world, |head| head.replace("Protocol: mcp", "Protocol: chat, mcp")).await;
    assert_eq!(code, 101);
    assert_eq!(upgraded(&world, |head| head.replace("Protocol: mcp", "Protocol: chat")).await.0, 400);
}

#[tokio::test]
async fn what_is_no_upgrade_is_told_so() {
    let world = World::boot().await;
    let cases = [
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Connection: Upgrade", "Connection: keep-alive", 426),
        ("Version: 13", "Version: 8", 426),
        ("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: short", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("GET /mcp", "POST /mcp", 405),
        ("GET /mcp", "GET /mcp/", 404),
    ];
    for (from, to, expected) in cases {
        assert_eq!(upgraded(&world, |head| head.replace(from, to)).await.0, expected, "{to}");
    }
}

#[tokio::test]
async fn a_token_is_needed_and_only_the_right_one_opens() {
    let world = World::boot().await;
    let header = format!("Authorization: Bearer {}\r\n", world.token.reveal());
    for wrong in [
        "",
        "Authorization: Bearer wrong\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Basic d3Jvbmc=\r\n",
    ] {
        let (code, head) = upgraded(&world, |head| head.replace(&header, wrong)).await;
        assert_eq!(code, 401, "{wrong:?}");
        assert!(head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{head}");
    }
    let doubled = upgraded(&world, |head| head.replace(&header, &format!("{header}{header}"))).await;
    assert_eq!(doubled.0, 401, "two credentials are none");
}

#[tokio::test]
async fn a_client_without_headers_may_give_its_token_as_password() {
    let world = World::boot().await;
    use base64::Engine;
    let pair = format!("any:{}", world.token.reveal());
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut asked = request(&world, "x");
    asked.headers_mut().insert("authorization", HeaderValue::from_str(&basic).expect("a header"));
    assert!(connect(&world, asked).await.is_ok());
}

#[tokio::test]
async fn a_token_in_the_query_opens_only_where_configured() {
    for (allowed, expected) in [(false, 401), (true, 101)] {
        let world = World::with_settings(|settings| settings.query_token = allowed).await;
        let header = format!("Authorization: Bearer {}\r\n", world.token.reveal());
        let path = format!("GET /mcp?token={} ", world.token.reveal());
        let (code, _) = upgraded(&world, |head| head.replace(&header, "").replace("GET /mcp ", &path)).await;
        assert_eq!(code, expected);
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_on_every_path() {
    let world = World::boot().await;
    let host = format!("Host: {}", world.address);
    for wrong in
        ["Host: evil.example", "Host: 127.0.0.1.evil.example", "X-Nothing: 1", &format!("{host}\r\n{host}")]
    {
        assert_eq!(upgraded(&world, |head| head.replace(&host, wrong)).await.0, 403, "{wrong}");
    }
    for origin in ["http://evil.example", "null", "https://127.0.0.1"] {
        let with = format!("Origin: {origin}\r\n");
        assert_eq!(get(&world, "/livez", &with).await.0, 403, "{origin}");
        assert_eq!(
            upgraded(&world, |head| head.replace("Upgrade: w", &format!("{with}Upgrade: w"))).await.0,
            403
        );
    }
    let own = format!("Origin: http://{}\r\n", world.address);
    assert_eq!(upgraded(&world, |head| head.replace("Upgrade: w", &format!("{own}Upgrade: w"))).await.0, 101);
}

#[tokio::test]
async fn a_header_must_be_whole_in_time_and_small() {
    let world = World::with_limits(|limits| limits.header_deadline = Duration::from_millis(300)).await;
    for start in ["", "GET /livez HTTP/1.1\r\nHost: x\r\n"] {
        let began = Instant::now();
        exchange(world.address, start.as_bytes()).await;
        let elapsed = began.elapsed();
        assert!(
            (Duration::from_millis(250)..Duration::from_secs(10)).contains(&elapsed),
            "{start:?}: {elapsed:?}"
        );
    }
    let long = format!("X-Long: {}\r\n", "x".repeat(20 * 1024));
    assert_eq!(get(&world, "/livez", &long).await.0, 431);
    let many: String = (0..80).map(|number| format!("X-{number}: 1\r\n")).collect();
    assert_eq!(get(&world, "/livez", &many).await.0, 431);
}

#[tokio::test]
async fn sessions_over_a_limit_are_refused_before_the_101_and_let_in_later() {
    for (change, expected) in [((1, 9, 9), 503), ((9, 1, 9), 429), ((9, 9, 1), 429)] {
        let world = World::with_limits(|limits| {
            (limits.sessions, limits.sessions_per_address, limits.sessions_per_principal) = change;
        })
        .await;
        let first = world.client().await;
        let (code, head) = upgraded(&world, str::to_owned).await;
        assert_eq!(code, expected);
        assert!(head.to_ascii_lowercase().contains("retry-after: "), "{head}");
        assert_eq!(get(&world, "/livez", "").await.0, 200, "probes are answered all the same");
        first.close().await;
        soon("a free place", async {
            while connect(&world, request(&world, world.token.reveal())).await.is_err() {}
        })
        .await;
    }
}

#[tokio::test]
async fn a_reconnect_storm_is_paced() {
    let world = World::with_limits(|limits| (limits.rate_per_second, limits.rate_burst) = (1, 5)).await;
    let mut refused = 0;
    for _ in 0..20 {
        let (code, head) = upgraded(&world, str::to_owned).await;
        if code == 429 {
            refused += 1;
            assert!(head.to_ascii_lowercase().contains("retry-after: "), "{head}");
        }
    }
    assert!(refused >= 10, "{refused} of 20 refused");
}

#[tokio::test]
async fn bytes_sent_right_behind_the_upgrade_are_not_lost() {
    let world = World::boot().await;
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    let mut bytes = upgrade_head(&world).into_bytes();
    bytes.extend(raw::frame(0x81, br#"{"jsonrpc":"2.0","id":"early","method":"ping"}"#));
    stream.write_all(&bytes).await.expect("sent");
    let mut all = Vec::new();
    soon("the answer", async {
        while !String::from_utf8_lossy(&all).contains(r#"{"jsonrpc":"2.0","id":"early","result":{}}"#) {
            all.push(stream.read_u8().await.expect("a byte"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_draining_gateway_says_so_and_a_closing_one_tells_everybody() {
    let world = World::boot().await;
    let mut clients = [world.client().await, world.client().await];
    world.drain();
    soon("readyz", async { while get(&world, "/readyz", "").await.0 != 503 {} }).await;
    assert_eq!(get(&world, "/livez", "").await.0, 200);
    assert_eq!(upgraded(&world, str::to_owned).await.0, HttpRefusal::Draining.status());
    let refused = clients[0].call_tool("tools", serde_json::json!({})).await;
    assert_eq!(refused["error"]["code"], -31003, "{refused}");
    assert!(refused["error"]["data"]["retryAfterMs"].is_u64(), "{refused}");
    assert!(clients[0].call("ping", serde_json::json!({})).await["result"].is_object(), "pings are answered");
    let codes = async { (clients[0].close_code().await, clients[1].close_code().await) };
    let (codes, ()) = tokio::join!(codes, world.close());
    assert_eq!(codes, (Some(1001), Some(1001)));
    assert!(TcpStream::connect(world.address).await.is_err(), "the port is shut");
}

#[tokio::test]
async fn a_gateway_that_crashes_is_started_again_on_the_same_port() {
    let world = World::boot().await;
    let mut client = world.client().await;
    world.gateway.try_send(GatewayMessage::LoopEnded).expect("a gateway");
    client.close_code().await;
    let before = |world: &World| world.root.tree().walk().any(|node| node.id == "session-0");
    until("the old session is gone", || !before(&world)).await;
    let mut again = world.client().await;
    assert!(again.call("ping", serde_json::json!({})).await["result"].is_object());
}
