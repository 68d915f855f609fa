use tokio::io::duplex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

/// Plays a client that sends `input` and closes, and a daemon that does what `daemon` does. Gives what the client read.
async fn play<F: Future<Output = ()>>(
    input: &str,
    daemon: impl FnOnce(WebSocketStream<tokio::io::DuplexStream>) -> F,
) -> (Result<(), BridgeError>, String) {
    let (here, there) = duplex(1024 * 1024);
    let socket = WebSocketStream::from_raw_socket(here, Role::Client, None).await;
    let daemon = daemon(WebSocketStream::from_raw_socket(there, Role::Server, None).await);
    let mut output = Vec::new();
    let (ended, ()) = tokio::join!(bridge(input.as_bytes(), &mut output, socket), daemon);
    (ended, String::from_utf8(output).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_line_is_a_frame_both_ways_and_last_answers_arrive() {
    let input = "{\"id\":1,\"method\":\"a\"}\n\n{\"method\":\"note\"}\n{\"id\":2,\"method\":\"b\"}";
    let (ended, output) = play(input, async |mut socket| {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(next_text(&mut socket).await.unwrap().unwrap());
        }
        assert_eq!(
            seen,
            ["{\"id\":1,\"method\":\"a\"}", "{\"method\":\"note\"}", "{\"id\":2,\"method\":\"b\"}"]
        );
        for answer in ["{\"id\":2,\"result\":{}}", "{\n\"id\":1,\"result\":\"a\\nb\"}"] {
            socket.send(Message::text(answer)).await.unwrap();
        }
        assert!(next_text(&mut socket).await.unwrap().is_none(), "the bridge says goodbye");
    })
    .await;
    ended.unwrap();
    assert_eq!(output, "{\"id\":2,\"result\":{}}\n{ \"id\":1,\"result\":\"a\\nb\"}\n");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_does_not_hold_the_bridge() {
    let start = tokio::time::Instant::now();
    let (ended, output) =
        play(
            "{\"id\":1,\"method\":\"a\"}\n",
            async |mut socket| {
                while let Ok(Some(_)) = next_text(&mut socket).await {}
            },
        )
        .await;
    ended.unwrap();
    assert_eq!((output.as_str(), start.elapsed()), ("", LAST_ANSWERS_MAX));
}

#[tokio::test]
async fn a_line_that_is_no_text_ends_the_bridge() {
    let (here, _there) = duplex(1024);
    let socket = WebSocketStream::from_raw_socket(here, Role::Client, None).await;
    let ended = bridge(&b"\xff\xfe\n"[..], Vec::new(), socket).await;
    assert!(matches!(ended, Err(BridgeError::NotText)), "{ended:?}");
}

#[tokio::test]
async fn the_daemons_goodbye_ends_the_bridge() {
    let (here, there) = duplex(1024);
    let socket = WebSocketStream::from_raw_socket(here, Role::Client, None).await;
    let mut daemon = WebSocketStream::from_raw_socket(there, Role::Server, None).await;
    // Standard input stays open.
    let (_open, input) = duplex(16);
    let mut output = Vec::new();
    let bridged = bridge(tokio::io::BufReader::new(input), &mut output, socket);
    let (ended, closed) = tokio::join!(bridged, daemon.close(None));
    closed.unwrap();
    ended.unwrap();
}
