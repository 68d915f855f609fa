//! The promise: no job lasts for ever because somebody went silent. What hangs is taken down, tried again a few times, and
//! then given a truthful end; what waits too long expires; whoever waits is told where he stands.

use proctor::protocol::api::{JobAnswer, JobArguments, ScanArguments};
use serde_json::Value;

use crate::cli::Home;
use crate::cli_scan::{Served, job_of_line, world};
use crate::whole::{World, fake_manifest};

#[test]
fn a_job_in_silent_hands_is_taken_from_them_and_tried_again_but_not_for_ever() {
    let home = world();
    let path = home.path().join(".config/proctor/proctor.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}[jobs]\nlease_s = 1\nattempts_max = 2\n")).unwrap();
    let mut command = home.command(&["serve", "--root", "target"]);
    command.env("PROCTOR_MUTE", "job.renew");
    let muted = Served::of(command);
    let scan = home.run(&["scan", "target", "--tools", "finds,hangs"]).expect(2);
    let named = scan.stderr.lines().find(|line| line.starts_with("scanning ")).expect("the job is named");
    let status = home.run(&["status", &job_of_line(named), "--json"]);
    let job: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((&job["state"], &job["attempt"]), (&"failed".into(), &2.into()), "{job:#}");
    assert!(job["error"].as_str().unwrap().contains("lost 2 times"), "{job:#}");
    let run =
        |tool: &str| job["runs"].as_array().unwrap().iter().find(|run| run["tool"] == tool).unwrap().clone();
    assert_eq!(run("finds")["state"], "findings", "what was acknowledged is kept");
    assert_eq!(run("hangs")["failure"]["reason"], "internal");
    nothing_is_left(&home);
    assert_eq!(muted.stop(), Some(0));
}

fn nothing_is_left(home: &Home) {
    for folder in ["runs", "snapshots"] {
        let path = home.path().join(".local/state/proctor").join(folder);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "something is left in {folder}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_his_place_and_who_waits_too_long_expires() {
    let world = World::with(&[fake_manifest("hang", 600)], |config| config.jobs.running_max = 1).await;
    let target = world.target("app", &[("app.py", "x = 1\n")]);
    let mut client = world.client().await;
    let request = |deadline_s, wait_s| ScanArguments {
        path: target.to_str().map(str::to_owned),
        tools: vec!["fake-hang".into()],
        wait_s: Some(wait_s),
        deadline_s: Some(deadline_s),
        fresh: true,
        ..ScanArguments::default()
    };
    let running = world.submit(&mut client, &target, &["fake-hang"]).await;
    world.until_running(&mut client, &running, "fake-hang").await;
    let first: JobAnswer = client.call("scan", &request(600, 0), |_| {}).await.unwrap();
    let second: JobAnswer = client.call("scan", &request(600, 0), |_| {}).await.unwrap();
    assert_eq!((first.state.as_str(), first.queue.unwrap().ahead), ("queued", 0));
    let queue = second.queue.unwrap();
    assert!(queue.ahead == 1 && queue.estimate_s > 0, "{queue:?}");
    let late: JobAnswer = client.call("scan", &request(1, 30), |_| {}).await.unwrap();
    assert_eq!((late.state.as_str(), late.conclusion.as_str()), ("expired", "incomplete"), "{late:#?}");
    assert!(late.error.unwrap().contains("deadline") && late.attempt == 0);
    world.cancel(&mut client, &first.job).await;
    let moved = JobArguments { job: second.job.clone(), wait_s: Some(0) };
    let moved: JobAnswer = client.call("job_status", &moved, |_| {}).await.unwrap();
    assert_eq!(moved.queue.unwrap().ahead, 0, "the queue moved");
    for job in [&second.job, &running] {
        world.cancel(&mut client, job).await;
    }
    world.end().await;
}
