//! The promise: what happened to a job can be read from any number on, without a hole, while it happens and after a
//! restart; and everybody finds his own jobs again.

use proctor::protocol::history::{EventAnswer, EventsAnswer, EventsArguments, JobsAnswer, JobsArguments};
use serde_json::Value;

use crate::cli_scan::{Served, job_of_line, world};
use crate::support::soon;
use crate::whole::{World, fake_manifest};

async fn events(client: &mut proctor::cli::client::Client, arguments: EventsArguments) -> EventsAnswer {
    client.call("job_events", &arguments, |_| {}).await.unwrap()
}

fn words(events: &[EventAnswer]) -> Vec<&str> {
    events.iter().map(|event| event.event.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_from_any_number_and_waited_for() {
    let world = World::with_manifests(&[fake_manifest("hang", 600)]).await;
    let target = world.target("app", &[("app.py", "print(1)\n")]);
    let mut client = world.client().await;
    let job = world.submit(&mut client, &target, &["fake-hang"]).await;
    // Two at a time, each from where the last one ended, until the tool runs.
    let mut all: Vec<EventAnswer> = Vec::new();
    let follow = async {
        while !all.iter().any(|event| event.state.as_deref() == Some("running") && event.tool.is_some()) {
            let from = all.last().map(|event| event.number + 1);
            let page = EventsArguments { job: job.clone(), from, wait_s: Some(40), limit: Some(2) };
            let answer = events(&mut client, page).await;
            assert!((1..=2).contains(&answer.events.len()) && !answer.ended, "{answer:#?}");
            all.extend(answer.events);
        }
    };
    soon("the tool's start", follow).await;
    assert_eq!(
        all.iter().map(|event| event.number).collect::<Vec<_>>(),
        (1..=all.len() as u64).collect::<Vec<_>>()
    );
    assert_eq!(words(&all)[..3], ["started", "snapshot_taken", "planned"]);
    assert_eq!(all.last().unwrap().tool.as_deref(), Some("fake-hang"));

    let next = all.last().unwrap().number + 1;
    let none = EventsArguments { job: job.clone(), from: Some(next), wait_s: Some(0), limit: None };
    assert_eq!(events(&mut client, none.clone()).await.events, []);
    // The next one is told as soon as it is there, to one who waits.
    let mut other = world.client().await;
    let waits = events(&mut client, EventsArguments { wait_s: Some(40), ..none.clone() });
    let (answer, _) = tokio::join!(soon("the next event", waits), world.cancel(&mut other, &job));
    assert_eq!(answer.events[0].number, next, "{answer:#?}");
    let last = EventsArguments { from: None, ..none };
    let whole = events(&mut client, last.clone()).await;
    assert!(whole.ended && words(&whole.events).last() == Some(&"ended"), "{whole:#?}");
    assert_eq!(whole.events[..all.len()], all);
    let after =
        events(&mut client, EventsArguments { from: Some(whole.next), wait_s: Some(40), ..last }).await;
    assert!(after.ended && after.events.is_empty(), "there is nothing to wait for: {after:#?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_newest_first_in_pages_and_by_state() {
    let world = World::with_manifests(&[fake_manifest("hang", 600)]).await;
    let mut client = world.client().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let target = world.target(&format!("app{number}"), &[("app.py", "print(1)\n")]);
        expected.insert(0, world.submit(&mut client, &target, &["fake-hang"]).await);
    }
    world.cancel(&mut client, &expected[0]).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let arguments = JobsArguments { cursor, limit: Some(2), state: None };
        let page: JobsAnswer = client.call("jobs", &arguments, |_| {}).await.unwrap();
        seen.extend(page.jobs.into_iter().map(|job| job.job));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
    let cancelled = JobsArguments { state: Some("cancelled".into()), ..JobsArguments::default() };
    let page: JobsAnswer = client.call("jobs", &cancelled, |_| {}).await.unwrap();
    assert_eq!(page.jobs.iter().map(|job| &job.job).collect::<Vec<_>>(), [&expected[0]]);
    for (arguments, field) in [
        (JobsArguments { state: Some("lost".into()), ..JobsArguments::default() }, "state"),
        (JobsArguments { cursor: Some("first".into()), ..JobsArguments::default() }, "cursor"),
    ] {
        let refused = client.call::<JobsAnswer>("jobs", &arguments, |_| {}).await.unwrap_err();
        assert!(refused.to_string().contains(field), "{refused}");
    }
    for job in &expected[1..] {
        world.cancel(&mut client, job).await;
    }
    world.end().await;
}

#[test]
fn the_command_line_lists_jobs_and_follows_events_over_the_end_of_a_job() {
    let home = world();
    let served = Served::start(&home);
    let scan = home.run(&["scan", "target", "--tools", "finds"]).expect(1);
    let job = job_of_line(scan.stderr.lines().find(|line| line.starts_with("scanning ")).unwrap());
    let listed = home.run(&["jobs"]).expect(0).stdout;
    assert!(listed.contains(&job) && listed.contains("1 (1 high or worse)"), "{listed}");
    assert_eq!(home.run(&["jobs", "--state", "failed", "--json"]).expect(0).stdout, "");
    let told = home.run(&["events", &job, "--follow"]).expect(0).stdout;
    assert!(told.contains("run_ended finds findings: 1 findings"), "{told}");
    assert!(told.trim_end().ends_with("ended done"), "{told}");
    let lines = home.run(&["events", &job, "--from", "2", "--json"]).expect(0).stdout;
    let numbers: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (2..=told.lines().count() as u64).collect::<Vec<_>>());
    assert_eq!(served.stop(), Some(0));
    let served = Served::start(&home);
    assert_eq!(home.run(&["events", &job]).expect(0).stdout, told, "they outlive the daemon");
    assert_eq!(served.stop(), Some(0));
}
