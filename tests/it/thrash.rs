//! The promise: runs of a tool that take each other's memory or time go fewer at a time from then on.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::whole::{World, fake_manifest};

/// The tool's own limit, which it always reaches.
const WALL_S: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_thrash_side_by_side_go_one_after_the_other_from_then_on() {
    let world = World::with(&[fake_manifest("hang", WALL_S)], |config| {
        config.jobs.running_max = 2;
        config.jobs.cpu_slots = 2;
    })
    .await;
    let targets = ["a", "b"].map(|name| world.target(name, &[("app.py", &format!("x = '{name}'\n"))]));
    let both = || join_all(targets.iter().map(|target| world.scan(target, &["fake-hang"])));
    // Side by side, as their weights allow: neither waits for the other's whole time.
    for job in both().await {
        assert_eq!(job.runs[0].failure.as_ref().unwrap().reason, "timed_out", "{job:#?}");
    }
    let began = Instant::now();
    both().await;
    let one_after_the_other = 2 * Duration::from_secs(WALL_S.into());
    assert!(began.elapsed() >= one_after_the_other, "{:?}", began.elapsed());
    world.end().await;
}
