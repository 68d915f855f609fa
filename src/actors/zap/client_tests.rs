use std::net::Ipv4Addr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::domain::zap::answer;

const PATIENCE: Duration = Duration::from_millis(300);

/// What a peer does with a connection, once it has the request.
#[derive(Clone, Copy)]
enum Peer {
    Says(&'static str),
    /// Sends this many bytes and hangs up.
    HangsUp,
    SaysNothing,
}

struct World {
    client: Client,
    // Aborted with the test.
    peer: JoinSet<String>,
}

async fn world(peer: Peer) -> World {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), ApiKey::from_random([7; 16]));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 64 * 1024];
        let mut length = 0;
        // A POST's body may come in a packet of its own.
        while !is_whole(&request[..length]) {
            length += stream.read(&mut request[length..]).await.unwrap();
        }
        match peer {
            Peer::Says(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Peer::HangsUp => {}
            Peer::SaysNothing => std::future::pending().await,
        }
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    World { client, peer: tasks }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

impl World {
    async fn asks(
        &self,
        path: &'static str,
        parameters: &[(&'static str, &str)],
    ) -> Result<String, ZapError> {
        self.client.call(Call { path, parameters, patience: PATIENCE }, answer::text).await
    }

    async fn request(&mut self) -> String {
        self.peer.join_next().await.unwrap().unwrap()
    }
}

async fn version(peer: Peer) -> Result<String, ZapError> {
    world(peer).await.asks("core/view/version", &[]).await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"version\":\"2.17.0\"}";

#[tokio::test]
async fn a_view_carries_the_name_that_zap_listens_to_and_the_key_in_a_header() {
    let mut world = world(Peer::Says(OK)).await;
    assert_eq!(world.asks("core/view/version", &[("a", "x y&z")]).await.as_deref(), Ok("2.17.0"));
    let request = world.request().await;
    assert!(request.starts_with("GET /JSON/core/view/version/?a=x+y%26z HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("host: zap\r\n"), "{request}");
    assert!(request.contains("x-zap-api-key: 07070707070707070707070707070707\r\n"), "{request}");
}

#[tokio::test]
async fn what_an_action_carries_is_in_its_body_only() {
    let mut world = world(Peer::Says(OK)).await;
    world.asks("script/action/setGlobalVar", &[("varValue", "Bearer s3cr3t")]).await.unwrap();
    let request = world.request().await;
    assert!(request.starts_with("POST /JSON/script/action/setGlobalVar/ HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nvarValue=Bearer+s3cr3t"), "{request}");
}

#[tokio::test]
async fn a_peer_that_hangs_up_without_a_byte_refuses() {
    assert_eq!(version(Peer::HangsUp).await, Err(ZapError::Refused { call: "core/view/version" }));
}

#[tokio::test]
async fn a_frozen_peer_is_silent_and_no_longer_than_it_may() {
    let before = Instant::now();
    let silent = ZapError::Silent { call: "core/view/version", after: PATIENCE };
    assert_eq!(version(Peer::SaysNothing).await, Err(silent));
    assert!(before.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut() {
    let cut = version(Peer::Says("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{\"ver")).await;
    assert!(matches!(cut, Err(ZapError::Cut { .. })), "{cut:?}");
    let no_http = version(Peer::Says("SSH-2.0-x\r\n")).await;
    assert!(matches!(no_http, Err(ZapError::Cut { .. })), "{no_http:?}");
}

#[tokio::test]
async fn nobody_listening_is_no_refusal() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), ApiKey::from_random([7; 16]));
    drop(listener);
    assert_eq!(client.version().await, Err(ZapError::Absent(io::ErrorKind::ConnectionRefused)));
}

#[tokio::test]
async fn zaps_complaints_are_told_apart() {
    let call = "core/view/version";
    let body = "HTTP/1.1 400 Bad Request\r\nContent-Length: 25\r\n\r\n{\"code\":\"no_implementor\"}";
    assert_eq!(version(Peer::Says(body)).await, Err(ZapError::NoImplementor { call }));
    let trace = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 21\r\n\r\nZAP Error [java.net.x";
    let shown = "status 502: ZAP Error [java.net.x".to_owned();
    assert_eq!(version(Peer::Says(trace)).await, Err(ZapError::Internal { call, shown }));
    let odd = version(Peer::Says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")).await;
    assert!(matches!(odd, Err(ZapError::Unreadable { .. })), "{odd:?}");
}

#[test]
fn a_key_is_not_shown() {
    let key = ApiKey::from_random([7; 16]);
    assert_eq!(format!("{key:?}"), "ApiKey");
}
