//! The promise: output is kept whole up to its quota, and costs the daemon the same memory whatever its size.

use std::fs;

use proctor::actors::process::{How, Spill};

use crate::process_world::{World, alone, text};

const GIB: u64 = 1 << 30;

/// Resident memory the daemon may gain by a flood: buffers are 64 + 256 KiB kept and as much in flight per stream.
const GROWTH_BYTES: u64 = 8 << 20;

#[tokio::test]
async fn a_gibibyte_costs_no_memory_and_is_counted_to_the_byte() {
    if !alone("process_output::a_gibibyte_costs_no_memory_and_is_counted_to_the_byte") {
        return;
    }
    let world = World::new();
    world.run(world.tool(&["flood", "10000000"])).await;
    let before = peak_rss();
    let quarter = GIB / 4;
    for (mode, bytes, counts) in [
        ("flood", GIB, [GIB, 0]),
        ("flood-stderr", quarter, [0, quarter]),
        ("flood-both", quarter, [quarter, quarter]),
    ] {
        let mut command = world.tool(&[mode, &bytes.to_string()]);
        command.limits.output_bytes = 2 * GIB;
        let ended = world.run(command).await;
        assert_eq!(ended.how, How::Exited(0));
        assert_eq!([ended.stdout.total_bytes, ended.stderr.total_bytes], counts);
        let spilled = [&ended.stdout, &ended.stderr].map(|stream| fs::metadata(&stream.path).unwrap().len());
        assert_eq!(spilled, counts);
    }
    let growth = peak_rss() - before;
    assert!(growth < GROWTH_BYTES, "the peak grew by {growth} bytes");
}

#[tokio::test]
async fn a_flood_that_ignores_sigterm_is_read_killed_and_held_to_its_quota() {
    let world = World::new();
    let mut command = world.tool(&["flood-and-ignore-term"]);
    command.limits.output_bytes = 1 << 20;
    let ended = world.run(command).await;
    assert_eq!(ended.how, How::Flooded);
    assert_eq!(fs::metadata(&ended.stdout.path).unwrap().len(), 1 << 20);
    assert_eq!(ended.stdout.spill, Spill::OverQuota);
    assert!(ended.stdout.total_bytes > 1 << 20);
    assert!(ended.stdout.head.starts_with(b"flood\nflood\n"));
    world.assert_empty();
}

#[tokio::test]
async fn both_streams_are_kept_apart_and_whole() {
    let world = World::new();
    let ended = world.run(world.tool(&["fail", "7"])).await;
    assert_eq!((text(&ended.stdout.head), text(&ended.stderr.head)), ("", "fake-tool: failed as told\n"));
    assert_eq!(fs::read(&ended.stderr.path).unwrap(), ended.stderr.tail);
    assert_eq!(ended.stderr.spill, Spill::Whole);
}

#[tokio::test]
async fn what_was_written_before_a_kill_is_kept() {
    let world = World::new();
    for mode in ["hang", "ignore-term"] {
        let mut command = world.tool(&[mode]);
        command.limits.wall = std::time::Duration::from_secs(1);
        let ended = world.run(command).await;
        assert_eq!((text(&ended.stdout.head), ended.how), ("ready\n", How::TimedOut));
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_arrive_unchanged() {
    let world = World::new();
    let ended = world.run(world.tool(&["garbage"])).await;
    assert_eq!(ended.stdout.head.len(), 4096);
    assert_eq!(fs::read(&ended.stdout.path).unwrap(), ended.stdout.head);
}

/// The largest resident set this process has had, in bytes.
fn peak_rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}
