//! Hostile clients: each limit of a WebSocket, and the close code with which it is enforced.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::process_world::alone;
use crate::support::raw::{Raw, frame, head};
use crate::support::world::World;
use crate::support::{soon, until};

const TEXT: u8 = 0x81;
const TEXT_UNFINISHED: u8 = 0x01;
const CONTINUED: u8 = 0x00;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

fn ping(id: usize) -> Vec<u8> {
    frame(TEXT, json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string().as_bytes())
}

async fn closes_with(bytes: &[u8]) -> Option<u16> {
    let world = World::boot().await;
    let mut raw = Raw::upgrade(&world).await;
    raw.send(bytes).await;
    let code = raw.close_code().await;
    until("the session is gone", || world.root.tree().walk().all(|node| !node.id.starts_with("session-")))
        .await;
    code
}

#[tokio::test]
async fn a_frame_that_promises_too_much_is_1009() {
    const MIB: u64 = 1024 * 1024;
    assert_eq!(closes_with(&head(TEXT, 1024 * 1024 * MIB)).await, Some(1009), "1 TiB");
    assert_eq!(closes_with(&head(TEXT, 4 * MIB + 1)).await, Some(1009), "4 MiB + 1");
}

#[tokio::test]
async fn a_message_that_is_too_big_in_pieces_is_1009_and_the_code_arrives() {
    let mut bytes = frame(TEXT_UNFINISHED, &vec![b'x'; 1024 * 1024]);
    for _ in 0..4 {
        bytes.extend(frame(CONTINUED, &vec![b'x'; 1024 * 1024]));
    }
    // Sent whole, read never before the end: the code must survive the bytes behind it.
    assert_eq!(closes_with(&bytes).await, Some(1009));
}

#[tokio::test]
async fn a_message_of_the_greatest_size_is_taken() {
    let world = World::boot().await;
    let mut raw = Raw::upgrade(&world).await;
    let start = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""#;
    let filler = "x".repeat(4 * 1024 * 1024 - start.len() - 3);
    raw.send(&frame(TEXT, format!("{start}{filler}\"}}}}").as_bytes())).await;
    let (opcode, payload) = raw.frame().await.expect("an answer");
    assert_eq!(
        (opcode, String::from_utf8(payload).unwrap()),
        (1, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned())
    );
}

#[tokio::test]
async fn what_is_not_websocket_is_1002() {
    let unmasked = [TEXT, 2, b'h', b'i'];
    assert_eq!(closes_with(&unmasked).await, Some(1002), "unmasked");
    assert_eq!(closes_with(&frame(TEXT | 0x40, b"{}")).await, Some(1002), "reserved bit");
    assert_eq!(closes_with(&frame(0x83, b"")).await, Some(1002), "reserved opcode");
    assert_eq!(closes_with(&frame(CONTINUED, b"")).await, Some(1002), "continues nothing");
    assert_eq!(closes_with(&frame(PING & 0x7f, b"")).await, Some(1002), "a fragmented ping");
    assert_eq!(closes_with(&frame(PING, &[0; 126])).await, Some(1002), "a ping too long");
}

#[tokio::test]
async fn text_that_is_no_utf8_is_1007_and_binary_is_1003() {
    assert_eq!(closes_with(&frame(TEXT, b"\xff\xfe")).await, Some(1007));
    let split = [frame(TEXT_UNFINISHED, b"\xc3"), frame(0x80, b"\x28")].concat();
    assert_eq!(closes_with(&split).await, Some(1007), "broken across fragments");
    assert_eq!(closes_with(&frame(BINARY, b"{}")).await, Some(1003));
}

#[tokio::test]
async fn floods_of_fragments_and_of_control_frames_are_1008() {
    let fragments: Vec<u8> = std::iter::once(frame(TEXT_UNFINISHED, b"x"))
        .chain(std::iter::repeat_with(|| frame(CONTINUED, b"x")).take(20_000))
        .flatten()
        .collect();
    assert_eq!(closes_with(&fragments).await, Some(1008));
    let empty: Vec<u8> = std::iter::once(frame(TEXT_UNFINISHED, b""))
        .chain(std::iter::repeat_with(|| frame(CONTINUED, b"")).take(20_000))
        .flatten()
        .collect();
    assert_eq!(closes_with(&empty).await, Some(1008), "empty ones");
    let pings: Vec<u8> = std::iter::repeat_with(|| frame(PING, b"")).take(1_000).flatten().collect();
    assert_eq!(closes_with(&pings).await, Some(1008));
}

#[tokio::test]
async fn a_close_is_answered_with_its_own_code() {
    assert_eq!(closes_with(&frame(CLOSE, &1000u16.to_be_bytes())).await, Some(1000));
    assert_eq!(closes_with(&frame(CLOSE, &[])).await, None, "no code for no code");
}

#[tokio::test]
async fn deep_json_is_refused_and_the_session_goes_on() {
    let world = World::boot().await;
    let mut client = world.client().await;
    for depth in [65, 100_000, 1_000_000] {
        client.send_text("[".repeat(depth)).await;
        let refused = client.receive().await;
        assert!(matches!(refused["error"]["code"].as_i64(), Some(-32600 | -32700)), "{depth}: {refused}");
    }
    client.send_text(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#).await;
    assert_eq!(client.receive().await["error"]["code"], -32600);
    assert_eq!(client.call("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_within_its_write_deadline_and_holds_no_memory() {
    // It looks at the memory of the whole process.
    if !alone("limits::a_client_that_never_reads_is_cut_within_its_write_deadline_and_holds_no_memory") {
        return;
    }
    let world = World::with_limits(|limits| {
        limits.write_deadline = Duration::from_secs(1);
        limits.close_deadline = Duration::from_millis(200);
    })
    .await;
    let mut polite = world.client().await;
    let mut raw = Raw::upgrade(&world).await;
    let before = resident_bytes();
    let flood: Vec<u8> = (0..5_000).flat_map(ping).collect();
    let began = Instant::now();
    let mut sent: usize = 0;
    soon("the cut", async {
        while raw.stream.write_all(&flood).await.is_ok() {
            sent += flood.len();
            assert_eq!(polite.call("ping", json!({})).await["result"], json!({}), "others go on");
        }
    })
    .await;
    assert!(began.elapsed() >= Duration::from_secs(1), "cut before its deadline: {:?}", began.elapsed());
    let grown = resident_bytes().saturating_sub(before);
    println!("{sent} bytes of flood, {grown} bytes more in memory");
    assert!(sent > 1024 * 1024, "the flood was {sent} bytes only");
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes more after {sent} bytes of flood");
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_then_cut() {
    let world = World::with_limits(|limits| {
        (limits.ping_after, limits.pong_deadline) = (Duration::from_millis(100), Duration::from_millis(300));
    })
    .await;
    let mut raw = Raw::upgrade(&world).await;
    assert_eq!(raw.frame().await.expect("a ping").0, 9);
    assert_eq!(raw.frame().await, None, "no pong came");
    let mut polite = world.client().await;
    let mut pings = 0;
    while pings < 5 {
        // Reading answers the ping before it.
        let heard = soon("a ping", polite.socket.next()).await.expect("who answers stays").expect("a frame");
        pings += usize::from(heard.is_ping());
    }
    assert_eq!(polite.call("ping", json!({})).await["result"], json!({}));
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages: usize = statm.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    pages * 4_096
}
