//! What is kept of a stream.

use std::time::Duration;

use tokio::net::unix::pipe::{Sender, pipe};

use super::*;

struct Stream {
    _folder: tempfile::TempDir,
    writer: Sender,
    valve: Valve,
    reading: tokio::task::JoinHandle<Captured>,
}

/// A stream whose file has room for `quota` bytes. Must be called on a runtime.
#[expect(clippy::disallowed_methods, reason = "the test awaits the task it starts")]
fn stream(quota: u64) -> Stream {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("stdout");
    let spill = SpillFile { file: std::fs::File::create(&path).expect("its file"), path };
    let (writer, reader) = pipe().expect("a pipe");
    let valve = Valve { quota, flooded: CancellationToken::new(), abandon: CancellationToken::new() };
    let reading = tokio::task::spawn(read_all(reader, spill, valve.clone()));
    Stream { _folder: folder, writer, valve, reading }
}

#[tokio::test]
async fn a_short_stream_is_kept_whole_three_times() {
    let mut stream = stream(100);
    stream.writer.write_all(b"hello").await.expect("the reader is there");
    drop(stream.writer);
    let captured = stream.reading.await.expect("no panic");
    assert_eq!((captured.head.as_slice(), captured.tail.as_slice()), (&b"hello"[..], &b"hello"[..]));
    assert_eq!(std::fs::read(&captured.path).expect("the file"), b"hello");
    assert_eq!((captured.total_bytes, captured.spill), (5, Spill::Whole));
    assert!(!stream.valve.flooded.is_cancelled());
}

#[tokio::test]
async fn a_long_stream_keeps_its_first_and_its_last_bytes_and_all_in_the_file() {
    let mut stream = stream(u64::MAX);
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    stream.writer.write_all(&bytes).await.expect("the reader is there");
    drop(stream.writer);
    let captured = stream.reading.await.expect("no panic");
    assert_eq!(captured.head, bytes[..HEAD_BYTES]);
    assert_eq!(captured.tail, bytes[bytes.len() - TAIL_BYTES..]);
    assert_eq!(std::fs::read(&captured.path).expect("the file"), bytes);
}

#[tokio::test]
async fn the_first_byte_over_the_quota_is_a_flood_and_the_reading_goes_on() {
    let mut stream = stream(8);
    stream.writer.write_all(b"12345678").await.expect("the reader is there");
    stream.writer.write_all(b"9abc").await.expect("the reader is there");
    stream.valve.flooded.cancelled().await;
    stream.writer.write_all(&vec![b'x'; 1 << 20]).await.expect("the flood is still read");
    drop(stream.writer);
    let captured = stream.reading.await.expect("no panic");
    assert_eq!(std::fs::read(&captured.path).expect("the file"), b"12345678");
    assert_eq!((captured.total_bytes, captured.spill), (12 + (1 << 20), Spill::OverQuota));
}

#[tokio::test]
async fn a_stream_of_exactly_the_quota_is_no_flood() {
    let mut stream = stream(8);
    stream.writer.write_all(b"12345678").await.expect("the reader is there");
    drop(stream.writer);
    let captured = stream.reading.await.expect("no panic");
    assert_eq!(captured.spill, Spill::Whole);
    assert!(!stream.valve.flooded.is_cancelled());
}

#[tokio::test]
async fn an_abandoned_pipe_gives_what_was_read_and_says_so() {
    let mut stream = stream(3);
    stream.writer.write_all(b"half").await.expect("the reader is there");
    stream.valve.flooded.cancelled().await; // now it has read
    stream.valve.abandon.cancel();
    let captured = tokio::time::timeout(Duration::from_secs(10), stream.reading).await;
    let captured = captured.expect("abandoned at once").expect("no panic");
    assert!(matches!(captured.spill, Spill::Broken(_)), "{:?}", captured.spill);
    assert_eq!(captured.head, b"half");
    drop(stream.writer);
}
