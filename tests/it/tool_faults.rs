//! A tool that misbehaves costs its own run only: that run ends `failed` with the right reason in time, the others are
//! untouched, nothing of it is left.

use std::time::{Duration, Instant};

use crate::whole::{World, fake, fake_manifest};

/// The mode of the fake tool, seconds it may take, and the reason its run must end with.
const FAULTS: &[(&str, u32, &str)] = &[
    ("hang", 2, "timed_out"),
    ("ignore-term", 2, "timed_out"),
    ("stop-itself", 2, "timed_out"),
    ("fork-bomb", 2, "timed_out"),
    ("escape-and-hang", 2, "timed_out"),
    ("flood", 60, "output_flood"),
    ("flood-stderr", 60, "output_flood"),
    ("flood-and-ignore-term", 60, "output_flood"),
    ("garbage", 60, "unreadable_report"),
    ("half", 60, "unreadable_report"),
    ("linger", 60, "unreadable_report"),
    ("hold-pipe", 60, "unreadable_report"),
    ("escape", 60, "unreadable_report"),
    ("fail 77", 60, "unexpected_exit"),
    ("die KILL", 60, "signalled"),
    ("die SEGV", 60, "signalled"),
    ("stdin", 60, "unreadable_report"),
];

/// Time beyond a tool's own limit in which its run must be over: grace, kill, report, store.
const SLACK: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_ends_its_own_run_with_its_reason_and_nothing_else() {
    let manifests: Vec<String> =
        FAULTS.iter().map(|(mode, wall_s, _)| fake_manifest(mode, *wall_s)).collect();
    let world = World::with_manifests(&manifests).await;
    let target = world.target("app", &[("app.py", "import pickle\npickle.loads(b'')\n")]);
    let names: Vec<String> = FAULTS.iter().map(|(mode, ..)| fake(mode)).collect();
    let mut tools: Vec<&str> = names.iter().map(String::as_str).collect();
    tools.push("bandit");
    let began = Instant::now();
    let job = world.scan(&target, &tools).await;
    let longest: u32 = FAULTS.iter().map(|(_, wall_s, _)| if *wall_s < 10 { *wall_s } else { 0 }).sum();
    assert!(began.elapsed() < Duration::from_secs(longest.into()) + SLACK, "{:?}", began.elapsed());
    for (mode, _, reason) in FAULTS {
        let name = fake(mode);
        let run = job.runs.iter().find(|run| run.tool == name).unwrap();
        assert_eq!(run.state, "failed", "{mode}: {run:#?}");
        assert_eq!(run.failure.as_ref().unwrap().reason, *reason, "{mode}: {run:#?}");
        assert_eq!(run.findings, 0);
    }
    let bandit = job.runs.iter().find(|run| run.tool == "bandit").unwrap();
    assert_eq!((bandit.state.as_str(), bandit.findings), ("findings", 2), "{bandit:#?}");
    assert_eq!(job.conclusion, "incomplete");
    assert_eq!(world.tool_processes(), 0, "processes of tools are left");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_tool_is_named_with_what_to_do() {
    let manifest =
        fake_manifest("gone", 5).replace("/tests/fixtures/bin/fake-tool", "/tests/fixtures/bin/no-such-tool");
    let world = World::with_manifests(&[manifest]).await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let job = world.scan(&target, &["fake-gone"]).await;
    let failure = job.runs[0].failure.as_ref().unwrap();
    assert_eq!(failure.reason, "tool_missing", "{failure:#?}");
    assert!(failure.detail.contains("no-such-tool"), "{failure:#?}");
    world.end().await;
}

/// A tool that can be asked again, about parts of the files, loses nothing: none of them kills it. One that cannot has
/// failed. Either way the other tool sees nothing.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_a_real_tool_costs_at_most_its_own_run() {
    let world = World::boot().await;
    let shop = world.copy_of("examples/shop", "shop");
    for tool in ["semgrep", "bandit", "ruff", "detect-secrets", "eslint", "vulture", "gitleaks"] {
        let other = if tool == "bandit" { "vulture" } else { "bandit" };
        let tools = [tool, other];
        let whole = world.scan(&shop, &[tool]).await;
        let (job, ()) = tokio::join!(world.scan(&shop, &tools), world.kill_tool(tool));
        let run = job.runs.iter().find(|run| run.tool == tool).unwrap();
        if tool == "gitleaks" {
            let reason = run.failure.as_ref().map(|failure| failure.reason.as_str());
            assert_eq!(reason, Some("signalled"), "{tool}: {run:#?}");
        } else {
            let unharmed = &whole.runs[0];
            assert_eq!(
                (&run.state, run.findings, &run.coverage),
                (&unharmed.state, unharmed.findings, &unharmed.coverage),
                "{tool}: {run:#?}"
            );
        }
        let other = job.runs.iter().find(|run| run.tool == other).unwrap();
        assert_eq!(other.state, "findings", "{tool}: {other:#?}");
    }
    assert_eq!(world.tool_processes(), 0, "processes of tools are left");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_ends_every_process_and_frees_the_slots() {
    let world =
        World::with_manifests(&[fake_manifest("ignore-term", 600), fake_manifest("escape-and-hang", 600)])
            .await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    for _ in 0..3 {
        let mut client = world.client().await;
        let job = world.submit(&mut client, &target, &["fake-ignore-term", "fake-escape-and-hang"]).await;
        world.until_running(&mut client, &job, "fake-ignore-term").await;
        let began = Instant::now();
        let ended = world.cancel(&mut client, &job).await;
        assert_eq!(ended.state, "cancelled", "{ended:#?}");
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        assert_eq!(world.tool_processes(), 0);
    }
    world.end().await;
}
