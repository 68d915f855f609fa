//! The promise: one deadline. Whatever a tool does at the end of its job's time, the job answers in time, with what the
//! other tools found.

use std::path::Path;
use std::time::{Duration, Instant};

use proctor::protocol::api::{JobAnswer, RunAnswer, ScanArguments};

use crate::whole::{World, fake_manifest};

/// Beyond the deadline: to store the end and tell it, on a busy machine.
const SLACK: Duration = Duration::from_secs(1);
/// More than the grace that a short budget allows: what must not be waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Scans with a deadline; the answer, and what it took from the request on.
async fn scan(world: &World, target: &Path, tools: &[&str], deadline_s: u32) -> (JobAnswer, Duration) {
    let arguments = ScanArguments {
        path: target.to_str().map(str::to_owned),
        tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
        wait_s: Some(30),
        deadline_s: Some(deadline_s),
        ..ScanArguments::default()
    };
    let mut client = world.client().await;
    let began = Instant::now();
    let job: JobAnswer = client.call("scan", &arguments, |_| {}).await.unwrap();
    (job, began.elapsed())
}

fn run<'a>(job: &'a JobAnswer, tool: &str) -> &'a RunAnswer {
    job.runs.iter().find(|run| run.tool == tool).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_hears_nothing_does_not_make_the_answer_late() {
    let world =
        World::with(&[fake_manifest("ignore-term", 600)], |config| config.process.grace = GRACE).await;
    let target = world.target("app", &[("app.py", "import pickle\npickle.loads(b'')\n")]);
    let (job, took) = scan(&world, &target, &["bandit", "fake-ignore-term"], 6).await;
    assert!(took < Duration::from_secs(6) + SLACK, "{took:?}: {job:#?}");
    assert_eq!((job.state.as_str(), job.conclusion.as_str()), ("done", "incomplete"), "{job:#?}");
    let sleeper = run(&job, "fake-ignore-term");
    assert_eq!(sleeper.failure.as_ref().unwrap().reason, "timed_out", "{sleeper:#?}");
    let bandit = run(&job, "bandit");
    assert_eq!((bandit.state.as_str(), bandit.findings), ("findings", 2), "{bandit:#?}");
    assert_eq!(world.tool_processes(), 0, "processes of tools are left");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_wait_for_a_slot_uses_up_the_same_time() {
    let manifests = [fake_manifest("ignore-term", 600), fake_manifest("hang", 600)];
    let world = World::with(&manifests, |config| {
        config.process.grace = GRACE;
        config.jobs.cpu_slots = 1;
    })
    .await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let (job, took) = scan(&world, &target, &["fake-hang", "fake-ignore-term"], 3).await;
    assert!(took < Duration::from_secs(3) + SLACK, "{took:?}: {job:#?}");
    for run in &job.runs {
        assert_eq!(run.failure.as_ref().unwrap().reason, "timed_out", "{run:#?}");
    }
    assert_eq!(world.tool_processes(), 0, "processes of tools are left");
    world.end().await;
}
