//! The promise: nobody waits for what is down. It is said at once, tried by one for all, and work that could do nothing
//! else keeps its place meanwhile. It is never an empty success.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use proctor::actors::breakers::{Breakers, BreakersArguments, BreakersServer};
use proctor::actors::journal::{Journal, What};
use proctor::actors::supervise::{ChildSpec, Strategy, Supervisor, SupervisorSpec};
use proctor::cli::client::Client;
use proctor::domain::breaker::{Dependency, Rules, Verdict};
use proctor::domain::ids::ToolName;
use proctor::protocol::api::{JobAnswer, RunAnswer, ScanArguments, ToolsAnswer};
use tokio::time::Instant;

use crate::whole::{World, fake_manifest};

const RULES: Rules =
    Rules { failures_max: 3, reset: Duration::from_secs(10), reset_max: Duration::from_secs(40) };

fn dependency() -> Dependency {
    Dependency::Tool(ToolName("fake".to_owned()))
}

/// Breakers with a supervisor of their own.
async fn breakers() -> (Supervisor, Breakers) {
    telling(Journal::default()).await
}

async fn telling(journal: Journal) -> (Supervisor, Breakers) {
    let door = Breakers::default();
    let arguments = BreakersArguments { rules: RULES, door: door.clone(), journal };
    let row = ChildSpec::server_in::<BreakersServer>("breakers", door.slot(), move || arguments.clone());
    let root = Supervisor::start(SupervisorSpec::new("root", Strategy::OneForOne).child(row)).await.unwrap();
    root.booted().await.unwrap();
    (root, door)
}

/// Fails until it is open, and until that is known.
async fn open(door: &Breakers) {
    for _ in 0..RULES.failures_max {
        door.enter(&dependency()).await.expect("closed").report(Verdict::Fails);
    }
    door.watch().wait_for(|down| !down.is_empty()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_twenty_who_come_when_the_pause_is_over_one_tries_and_the_others_hear_what_it_learned() {
    let journal = Journal::default();
    let (_root, door) = telling(journal.clone()).await;
    open(&door).await;
    let down = door.enter(&dependency()).await.expect_err("open");
    assert_eq!((down.retry_in(Instant::now()), down.failures), (Duration::from_secs(10), 3));
    tokio::time::advance(Duration::from_secs(10)).await;
    let probe = door.enter(&dependency()).await.expect("one may try");
    let asked = || join_all((0..19).map(|_| async { door.enter(&dependency()).await }));
    let (answers, ()) = tokio::join!(asked(), async { probe.report(Verdict::Fails) });
    assert!(answers.iter().all(Result::is_err), "none of them tried it, too");
    assert_eq!(door.down(&dependency()).unwrap().retry_in(Instant::now()), Duration::from_secs(20));
    tokio::time::advance(Duration::from_secs(20)).await;
    let probe = door.enter(&dependency()).await.expect("one may try");
    let (answers, ()) = tokio::join!(asked(), async { probe.report(Verdict::Works) });
    assert!(answers.iter().all(Result::is_ok), "then all of them go");
    assert_eq!(door.down(&dependency()), None);
    let told: Vec<What> = journal.entries().into_iter().map(|entry| entry.what).collect();
    let expected = [
        What::daemon("breaker_open", format!("{}: 3 failures in a row", dependency().word())),
        What::daemon("breaker_closed", dependency().word()),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_lost_leaves_its_turn_to_the_next() {
    let (_root, door) = breakers().await;
    open(&door).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    let lost = door.enter(&dependency()).await.expect("one may try");
    let dependency = dependency();
    let (next, ()) = tokio::join!(door.enter(&dependency), async { drop(lost) });
    next.expect("the next one tries").report(Verdict::Works);
    assert!(door.enter(&dependency).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_probe_that_hangs_is_told_in_the_end() {
    let (_root, door) = breakers().await;
    open(&door).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    let _hangs = door.enter(&dependency()).await.expect("one may try");
    let began = Instant::now();
    assert!(door.enter(&dependency()).await.is_err());
    assert!(began.elapsed() <= Duration::from_secs(11), "{:?}", began.elapsed());
}

/// An analyser whose service is down when the target says so.
fn served() -> String {
    let manifest = fake_manifest("x", 60)
        .replace("fake-tool", "fake-analyser")
        .replace("\"fake-x\"", "\"served\"")
        .replace("args = [\"x\"]", "args = [\"{target}\"]");
    let down = "77 = { failed = \"service_unavailable\", detail = \"the service does not answer\" }";
    manifest.replace("0 = \"either\"", &format!("0 = \"either\"\n{down}"))
}

/// One without a service, over the same files, that fails in its own way.
fn plain() -> String {
    served().replace("\"served\"", "\"plain\"").replace("service_unavailable", "unexpected_exit")
}

fn target(world: &World, name: &str, service: &str) -> PathBuf {
    world.target(name, &[("app.py", &format!("{service}\nfind me\n"))])
}

fn run<'a>(job: &'a JobAnswer, tool: &str) -> &'a RunAnswer {
    job.runs.iter().find(|run| run.tool == tool).unwrap()
}

fn reason(run: &RunAnswer) -> Option<&str> {
    run.failure.as_ref().map(|failure| failure.reason.as_str())
}

async fn submit(client: &mut Client, target: &std::path::Path) -> JobAnswer {
    let arguments = ScanArguments {
        path: target.to_str().map(str::to_owned),
        tools: vec!["served".to_owned()],
        wait_s: Some(0),
        fresh: true,
        ..ScanArguments::default()
    };
    client.call("scan", &arguments, |_| {}).await.unwrap()
}

async fn retry_in(client: &mut Client, tool: &str) -> Option<u64> {
    let answer: ToolsAnswer = client.call("tools", &serde_json::json!({}), |_| {}).await.unwrap();
    answer.tools.iter().find(|it| it.name == tool).unwrap().retry_in_s
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_costs_no_more_starts_and_holds_what_waits_for_it() {
    let world = World::with(&[served(), plain()], |config| {
        config.breakers.failures_max = 3;
        config.breakers.reset = Duration::from_secs(4);
        config.breakers.reset_max = Duration::from_secs(4);
    })
    .await;
    let (down, up) = (target(&world, "down", "exit 77"), target(&world, "up", "go on"));
    let mut client = world.client().await;
    for number in 1..=3 {
        assert_eq!(retry_in(&mut client, "served").await, None, "closed before failure {number}");
        let job = world.scan(&down, &["served"]).await;
        assert_eq!(reason(&job.runs[0]), Some("service_unavailable"), "{job:#?}");
    }
    assert!(retry_in(&mut client, "served").await.is_some(), "it can be seen");
    // Another tool of the same job has work: it is done, and the one that is down says so, without a start.
    let job = world.scan(&up, &["served", "plain"]).await;
    let refused = run(&job, "served");
    assert_eq!((reason(refused), refused.elapsed_ms), (Some("dependency_open"), 0), "{refused:#?}");
    let failure = refused.failure.as_ref().unwrap();
    assert!(failure.retryable && failure.advice.as_ref().unwrap().contains("scan again"), "{failure:#?}");
    assert_eq!((run(&job, "plain").findings, job.conclusion.as_str()), (1, "incomplete"));
    // Jobs that could do nothing else keep their place; one goes ahead, and when it got through, so do the others.
    let mut held = Vec::new();
    for _ in 0..6 {
        let job = submit(&mut client, &up).await;
        assert_eq!(job.state, "queued", "{job:#?}");
        held.push(job.job);
    }
    for job in held {
        let ended = world.end_of(&mut client, &job).await;
        assert_eq!(ended.runs[0].findings, 1, "{ended:#?}");
    }
    assert_eq!(retry_in(&mut client, "served").await, None, "closed again");
    world.end().await;
}

/// What `proctor tools list` says beside a running daemon.
#[expect(clippy::disallowed_methods, reason = "the binary itself is under test")]
fn listed(world: &World) -> serde_json::Value {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_proctor"))
        .args(["tools", "list", "--format", "json"])
        .env_clear()
        .env("HOME", world.folder.path())
        .env("PROCTOR_DAEMON__DATA_DIR", &world.config.daemon.data_dir)
        .env("PROCTOR_DAEMON__MANIFESTS_DIR", &world.config.daemon.manifests_dir)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}"))
}

/// The queue is not burnt on a service that stays down: each pause costs one job.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stays_down_costs_one_job_per_pause() {
    let world = World::with(&[served()], |config| {
        config.breakers.failures_max = 1;
        config.breakers.reset = Duration::from_secs(2);
        config.breakers.reset_max = Duration::from_secs(60);
    })
    .await;
    let down = target(&world, "down", "exit 77");
    world.scan(&down, &["served"]).await;
    let listed = listed(&world);
    let of = |name: &str| listed.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert!(of("served")["retry_in_s"].is_u64(), "{}", of("served"));
    assert!(of("bandit")["retry_in_s"].is_null(), "{}", of("bandit"));
    let mut client = world.client().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(submit(&mut client, &down).await.job);
    }
    let scout = world.end_of(&mut client, &jobs[0]).await;
    assert_eq!(reason(&scout.runs[0]), Some("service_unavailable"), "{scout:#?}");
    for job in &jobs[1..] {
        assert_eq!(world.cancel(&mut client, job).await.state, "cancelled", "it waited");
    }
    world.end().await;
}

/// What a target does to a tool is no failure of the tool.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_kills_a_tool_opens_nothing_for_others() {
    let world = World::with(&[plain()], |config| config.breakers.failures_max = 1).await;
    let (deadly, fine) = (target(&world, "deadly", "die SEGV"), target(&world, "fine", "go on"));
    for _ in 0..3 {
        assert_eq!(reason(&world.scan(&deadly, &["plain"]).await.runs[0]), Some("signalled"));
    }
    assert_eq!(world.scan(&fine, &["plain"]).await.runs[0].findings, 1);
    world.end().await;
}
