//! A crash stays where it is: every actor of the daemon is killed while a scan is under way. Whoever waits gets an
//! answer, every job comes to a truthful end, no process and no directory is left, and the next scan works.

use std::future::Future;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use proctor::cli::client::{Client, ClientError};
use proctor::protocol::api::{JobAnswer, JobArguments, RunAnswer, ScanArguments};
use serde_json::{Value, json};

use crate::cli::Home;
use crate::cli_scan;
use crate::support::{soon, until};
use crate::whole::{World, fake_manifest};

/// Longest way back into service after one crash: a manager's backoff, and the stop of what depends on it.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// A daemon with a scan under way: one tool has found something, one hangs.
struct Scene {
    world: World,
    client: Client,
    job: String,
}

impl Scene {
    async fn set() -> Self {
        let world = World::with_manifests(&[fake_manifest("hang", 600)]).await;
        let mut client = world.client().await;
        let target = world.target("app", &[("app.py", "import pickle\npickle.loads(b'')\n")]);
        let job = world.submit(&mut client, &target, &["fake-hang", "bandit"]).await;
        world.until_running(&mut client, &job, "fake-hang").await;
        let found = async {
            while run(&status(&mut client, &job, 1).await.unwrap(), "bandit").state != "findings" {}
        };
        soon("the first result", found).await;
        Self { world, client, job }
    }

    /// The name of the one run that is left.
    fn hanging_run(&self) -> String {
        let tree = self.world.daemon.tree();
        let runs = tree.walk().find(|node| node.id == "runs").unwrap();
        runs.children[0].id.clone()
    }

    /// Kills the actor while somebody waits for the job on a connection of his own. The job is taken up again, with what
    /// it had; then it is cancelled, and the one who waited hears of that end as if nothing had been.
    async fn kill_under_a_waiting_client(&mut self, actor: &str) {
        let mut waiting = self.world.client().await;
        let job = self.job.clone();
        // It may come when the engine is down already, and is told to come back.
        let arguments = JobArguments { job: job.clone(), wait_s: Some(40) };
        let waits = waiting.call_patiently::<JobAnswer>("job_status", &arguments);
        let other = async {
            kill(&mut self.client, actor).await;
            let again = self.until_attempt(2).await;
            assert_eq!(run(&again, "bandit").findings, 2, "{actor}: what was acknowledged is kept");
            self.world.until_running(&mut self.client, &self.job, "fake-hang").await;
            self.world.cancel(&mut self.client, &self.job).await;
        };
        let (told, ()) = tokio::join!(waits, other);
        let told = told.unwrap();
        assert_eq!((told.state.as_str(), told.attempt), ("cancelled", 2), "{actor}: {told:#?}");
        assert_eq!(run(&told, "bandit").findings, 2, "{actor}: {told:#?}");
    }

    async fn until_attempt(&mut self, attempt: u32) -> JobAnswer {
        let deadline = Instant::now() + BACK_WITHIN;
        loop {
            let seen = status(&mut self.client, &self.job, 1).await;
            match seen {
                Ok(job) if job.attempt == attempt && job.state == "running" => return job,
                // A part that is on its way back refuses.
                _ => assert!(Instant::now() < deadline, "the job is not taken up again in time: {seen:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The daemon is whole again: a scan on the same connection, and nothing left of the one that was hit.
    async fn scan_again(mut self) {
        assert_eq!(self.world.tool_processes(), 0, "processes of tools are left");
        let path = self.world.targets().join("app").to_str().unwrap().to_owned();
        let arguments = ScanArguments {
            path: Some(path),
            tools: vec!["bandit".into()],
            wait_s: Some(30),
            ..ScanArguments::default()
        };
        let again: JobAnswer = self.client.call_patiently("scan", &arguments).await.unwrap();
        assert_eq!((again.state.as_str(), again.conclusion.as_str()), ("done", "findings"), "{again:#?}");
        self.world.end().await;
    }
}

fn run<'a>(job: &'a JobAnswer, tool: &str) -> &'a RunAnswer {
    job.runs.iter().find(|run| run.tool == tool).unwrap()
}

fn reason<'a>(job: &'a JobAnswer, tool: &str) -> &'a str {
    run(job, tool).failure.as_ref().map_or("no failure", |failure| &failure.reason)
}

async fn status(client: &mut Client, job: &str, wait_s: u32) -> Result<JobAnswer, ClientError> {
    let arguments = JobArguments { job: job.to_owned(), wait_s: Some(wait_s) };
    client.call("job_status", &arguments, |_| {}).await
}

/// The answer may be lost with the connection: the gateway goes down with what it depends on.
async fn kill(client: &mut Client, actor: &str) {
    let arguments = json!({"kind": "kill_actor", "actor": actor});
    let killed: Result<Value, ClientError> = client.call("fault", &arguments, |_| {}).await;
    assert!(matches!(killed, Ok(_) | Err(ClientError::Lost { .. })), "{killed:?}");
}

/// Repeats `attempt` until it succeeds: a daemon on its way back refuses, or closes the connection.
async fn until_served<T, F: Future<Output = Result<T, ClientError>>>(attempt: impl Fn() -> F) -> T {
    let served = async {
        loop {
            match attempt().await {
                Ok(answer) => return answer,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(BACK_WITHIN, served).await.expect("the daemon serves again in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_engine_dies_and_its_jobs_go_on() {
    for actor in ["manager", "running", "jobs"] {
        let mut scene = Scene::set().await;
        scene.kill_under_a_waiting_client(actor).await;
        scene.scan_again().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_actor_dies_is_taken_up_again_but_not_for_ever() {
    let mut scene = Scene::set().await;
    scene.kill_under_a_waiting_client("job").await;
    scene.scan_again().await;

    let mut scene = Scene::set().await;
    for attempt in 2..=3 {
        kill(&mut scene.client, "job").await;
        scene.until_attempt(attempt).await;
    }
    kill(&mut scene.client, "job").await;
    let told = status(&mut scene.client, &scene.job, 40).await.unwrap();
    assert_eq!((told.state.as_str(), told.conclusion.as_str()), ("failed", "incomplete"), "{told:#?}");
    assert!(told.error.as_deref().unwrap().contains("lost 3 times"), "{told:#?}");
    assert_eq!((reason(&told, "fake-hang"), run(&told, "bandit").findings), ("internal", 2));
    scene.scan_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_without_a_word_is_a_failure_of_ours_and_no_others() {
    let mut scene = Scene::set().await;
    let run_of_the_job = scene.hanging_run();
    kill(&mut scene.client, &run_of_the_job).await;
    let told = status(&mut scene.client, &scene.job, 40).await.unwrap();
    assert_eq!((told.state.as_str(), told.conclusion.as_str()), ("done", "incomplete"), "{told:#?}");
    assert_eq!(reason(&told, "fake-hang"), "internal", "{told:#?}");
    assert_eq!((run(&told, "bandit").state.as_str(), run(&told, "bandit").findings), ("findings", 2));
    until("the end of its processes", || scene.world.tool_processes() == 0).await;
    scene.scan_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_dies_and_nothing_acknowledged_is_lost() {
    for actor in ["store", "services", "gateway"] {
        let mut scene = Scene::set().await;
        let before = scene.world.scan(&scene.world.targets().join("app"), &["bandit"]).await;
        kill(&mut scene.client, actor).await;
        let world = &scene.world;
        let told = until_served(|| async {
            let token = std::fs::read_to_string(world.daemon.token_file()).unwrap();
            let mut client = Client::connect(world.daemon.address(), token.trim()).await?;
            status(&mut client, &before.job, 0).await
        })
        .await;
        assert_eq!((told.state, told.conclusion), (before.state, before.conclusion), "{actor}");
        assert_eq!(world.findings(&before.job).await.len(), 2, "{actor}");
        scene.client = world.client().await;
        // Jobs do not depend on the gateway.
        let hit = scene.until_attempt(if actor == "gateway" { 1 } else { 2 }).await;
        scene.world.cancel(&mut scene.client, &scene.job).await;
        assert_eq!(run(&hit, "bandit").findings, 2, "{actor}: what was acknowledged is kept");
        scene.scan_again().await;
    }
}

/// Kills a row of the root again and again until the daemon is gone.
async fn melt(home: &Home, served: &mut cli_scan::Served) -> ExitStatus {
    loop {
        if let Some(status) = served.ended() {
            return status;
        }
        if let Ok(mut client) = connect(home).await {
            kill(&mut client, "services").await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn connect(home: &Home) -> Result<Client, ClientError> {
    let data = home.path().join(".local/state/proctor");
    let announced = std::fs::read_to_string(data.join("daemon.json")).unwrap();
    let announced: Value = serde_json::from_str(&announced).unwrap();
    let token = std::fs::read_to_string(data.join("token")).unwrap();
    Client::connect(announced["address"].as_str().unwrap().parse().unwrap(), token.trim()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_crashes_without_end_exits_non_zero_with_all_it_acknowledged_on_disk() {
    let home = cli_scan::world();
    let mut served = cli_scan::Served::start(&home);
    let scan = home.run(&["scan", "target", "--tools", "finds"]).expect(1);
    let named = scan.stderr.lines().find(|line| line.starts_with("scanning ")).expect("the job is named");
    let job = cli_scan::job_of_line(named);
    let mut client = connect(&home).await.unwrap();
    let target = home.path().join("target").to_str().unwrap().to_owned();
    let arguments = ScanArguments {
        path: Some(target),
        tools: vec!["hangs".into()],
        wait_s: Some(0),
        ..ScanArguments::default()
    };
    let hanging: JobAnswer = client.call("scan", &arguments, |_| {}).await.unwrap();
    let status = soon("the end of the daemon", melt(&home, &mut served)).await;
    assert_eq!(status.code(), Some(2), "the service manager must see a failure");
    let served = cli_scan::Served::start(&home);
    let mut client = connect(&home).await.unwrap();
    let kept = self::status(&mut client, &job, 0).await.unwrap();
    assert_eq!((kept.state.as_str(), kept.counts.high), ("done", 1), "{kept:#?}");
    let hit = self::status(&mut client, &hanging.job, 0).await.unwrap();
    assert_eq!(hit.state, "quarantined", "it saw the engine die more than once: {hit:#?}");
    drop(client);
    assert_eq!(served.stop(), Some(0));
}
