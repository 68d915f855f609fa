//! The promise: what waits is started as soon as there is a place, and only then.

use std::time::Duration;

use futures_util::future::join_all;

use crate::whole::{World, fake, fake_manifest};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waited_for_a_place_runs_like_any_other() {
    let tool = "garbage";
    let world = World::with(&[fake_manifest(tool, 60)], |config| config.jobs.running_max = 1).await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let name = fake(tool);
    let jobs = {
        let (world, target, tools) = (&world, &target, [name.as_str()]);
        join_all((0..5).map(|_| async move { world.scan(target, &tools).await })).await
    };
    for job in jobs {
        assert_eq!((job.state.as_str(), job.error.as_deref()), ("done", None), "{job:#?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_place_or_a_slot_is_cancelled_at_once() {
    let world = World::with(&[fake_manifest("hang", 600)], |config| {
        config.jobs.running_max = 2;
        config.jobs.cpu_slots = 1;
    })
    .await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let mut client = world.client().await;
    let running = world.submit(&mut client, &target, &["fake-hang"]).await;
    world.until_running(&mut client, &running, "fake-hang").await;
    let without_a_slot = world.submit(&mut client, &target, &["fake-hang"]).await;
    let without_a_place = world.submit(&mut client, &target, &["fake-hang"]).await;
    for job in [without_a_place, without_a_slot] {
        let cancelled = tokio::time::timeout(Duration::from_secs(5), world.cancel(&mut client, &job)).await;
        assert_eq!(cancelled.expect("a cancel is quick").state, "cancelled");
    }
    assert_eq!(world.cancel(&mut client, &running).await.state, "cancelled");
    world.end().await;
}
