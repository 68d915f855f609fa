//! The promise: ended jobs go when their time is over, or the oldest first when there are too many, whole and without
//! anybody waiting for it; a job that has not ended stays, however old it is.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use proctor::actors::retention::{Retention, RetentionArguments};
use proctor::actors::server::spawn;
use proctor::actors::space::Room;
use proctor::config;
use proctor::domain::ids::{BootId, JobId};
use proctor::domain::job::{JobEvent, JobState};
use proctor::domain::lease::Fence;
use proctor::domain::outcome::Outcome;
use proctor::store::open::{self, DATABASE};
use proctor::store::record::{self, Record, Submission};
use rusqlite::Connection;

use crate::store_world::{Life, findings, new_job, of_job, principal, random, run_ended, waiting};

const JOBS: usize = 10_000;
/// Of them, every so many has not ended.
const OPEN_EACH: usize = 97;
const DAYS: u32 = 30;
/// Findings of a job that takes many steps.
const LARGE: u32 = 20_000;
/// Longest that a write may wait while jobs are deleted. A step takes some 20 ms; two cores may be shared by a whole suite.
const WRITE_WITHIN: Duration = Duration::from_secs(1);

/// Between two writes of the one who waits.
const WRITE_EACH: Duration = Duration::from_millis(10);

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// A job that ended `age` ago, or has not.
fn job(connection: &Connection, age: Option<SignedDuration>, count: u32) -> JobId {
    let job = new_job("/t");
    record::submit(connection, &Submission::alone(job.clone())).unwrap();
    let run = waiting("alpha");
    let found = findings("alpha", count, 3);
    let ended = run_ended(run.id, &found);
    let mut events =
        vec![(JobEvent::Started, vec![]), (JobEvent::Planned { runs: vec![run] }, vec![]), (ended, found)];
    if let Some(age) = age {
        let at = (now() - age).to_string();
        let end = JobEvent::Ended { state: JobState::Done, error: None, at, open_runs: Outcome::Cancelled };
        events.push((end, vec![]));
    }
    for (event, findings) in events {
        let record = Record { job: job.id, fence: Fence::Any, event, findings, at: now().to_string() };
        assert!(record::record(connection, &record).unwrap());
    }
    job.id
}

/// Jobs of all ages up to twice what is kept; which of them must stay.
fn fill(directory: &Path, count: usize) -> BTreeSet<JobId> {
    let connection = open::writer(&directory.join(DATABASE)).unwrap();
    record::boot(&connection, BootId::from_random(random()), "1", "t").unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let mut stay = BTreeSet::new();
    for number in 0..count {
        // Ages in an order of their own: a sum of strides that meets every minute of two months.
        let minutes = i64::try_from(number * 7_919 % (2 * 24 * 60 * DAYS as usize)).unwrap();
        let age = (number % OPEN_EACH != 0).then(|| SignedDuration::from_mins(minutes));
        let id = job(&connection, age, 2);
        let kept = SignedDuration::from_hours(24 * i64::from(DAYS));
        if age.is_none_or(|age| age <= kept) {
            stay.insert(id);
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    stay
}

fn jobs(connection: &Connection, which: &str) -> BTreeSet<JobId> {
    let mut statement = connection.prepare(&format!("SELECT id FROM jobs WHERE {which}")).unwrap();
    let ids = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    ids.map(|id| id.unwrap().parse().unwrap()).collect()
}

fn number(connection: &Connection, sql: &str) -> u64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Nothing is left of a job that is gone, and the file has given its pages back.
fn assert_whole(connection: &Connection) {
    for table in ["runs", "findings", "events"] {
        let orphans = format!("SELECT count(*) FROM {table} WHERE job NOT IN (SELECT job FROM jobs)");
        assert_eq!(number(connection, &orphans), 0, "{table}");
    }
    assert_eq!(number(connection, "PRAGMA freelist_count"), 0, "pages were not given back");
}

/// Sweeps to the end while somebody writes; the longest that a write waited.
async fn sweep(life: &Life, keep: config::Retention) -> Duration {
    let arguments =
        RetentionArguments { keep, store: life.store.clone(), room: Room::default(), clock: Arc::new(now) };
    let policy = proctor::store::retention::Policy {
        ended_before: (now() - SignedDuration::from_hours(24 * i64::from(keep.days))).to_string(),
        bytes_max: keep.bytes_max,
    };
    let actor = spawn::<Retention>(arguments).await.unwrap();
    let probe = new_job("/probe");
    life.store.submit(Submission::alone(probe.clone())).await.unwrap();
    let mut longest = Duration::ZERO;
    while !life.store.due(policy.clone()).await.unwrap().is_nothing() {
        let began = Instant::now();
        life.store.record(probe.id, Fence::Any, JobEvent::Started, vec![]).await.unwrap();
        longest = longest.max(began.elapsed());
        tokio::time::sleep(WRITE_EACH).await;
    }
    actor.drain();
    actor.ended().await;
    longest
}

#[test]
fn ten_thousand_jobs_are_kept_for_their_time_and_no_writer_waits() {
    let directory = tempfile::tempdir().unwrap();
    let stay = fill(directory.path(), JOBS);
    let life = Life::start(directory.path());
    let keep = config::Retention { days: DAYS, bytes_max: u64::MAX };
    let longest = life.runtime.block_on(sweep(&life, keep));
    println!("{} of {JOBS} jobs deleted; a write waited {longest:?} at most", JOBS - stay.len());
    let connection = open::reader(&directory.path().join(DATABASE)).unwrap();
    let left: BTreeSet<_> = jobs(&connection, "target <> '/probe'");
    assert!(
        left == stay,
        "wrongly kept {}, wrongly gone {}",
        left.difference(&stay).count(),
        stay.difference(&left).count()
    );
    assert_whole(&connection);
    assert!(longest < WRITE_WITHIN, "{longest:?}");
}

#[test]
fn over_its_size_the_oldest_ended_jobs_go_and_no_more_than_a_step_too_many() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), JOBS / 5);
    let life = Life::start(directory.path());
    let path = directory.path().join(DATABASE);
    let before = open::reader(&path).unwrap();
    let bytes = |connection: &Connection| {
        let free = number(connection, "PRAGMA freelist_count");
        (number(connection, "PRAGMA page_count") - free) * number(connection, "PRAGMA page_size")
    };
    let open_jobs = jobs(&before, "state = 'running'");
    let bytes_max = bytes(&before) / 2;
    life.runtime.block_on(sweep(&life, config::Retention { days: 36_500, bytes_max }));
    let after = open::reader(&path).unwrap();
    let left = bytes(&after);
    assert!(left <= bytes_max && left > bytes_max / 10 * 8, "{left} of {bytes_max} bytes");
    assert_eq!(
        jobs(&after, "state = 'running' AND target <> '/probe'"),
        open_jobs,
        "what has not ended stays"
    );
    // By age of submission, which is the order of keys.
    let oldest = number(&after, "SELECT min(job) FROM jobs WHERE state = 'done'");
    let gone = number(&after, &format!("SELECT count(*) FROM jobs WHERE state = 'done' AND job < {oldest}"));
    assert!(oldest > 1 && gone == 0);
    assert_whole(&after);
}

#[test]
fn a_large_job_is_there_whole_or_not_at_all_while_it_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let connection = open::writer(&directory.path().join(DATABASE)).unwrap();
    record::boot(&connection, BootId::from_random(random()), "1", "t").unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let large = job(&connection, Some(SignedDuration::from_hours(24 * 365)), LARGE);
    connection.execute_batch("COMMIT").unwrap();
    drop(connection);
    let life = Life::start(directory.path());
    let policy = proctor::store::retention::Policy { ended_before: now().to_string(), bytes_max: u64::MAX };
    life.runtime.block_on(async {
        let mut steps = 0;
        loop {
            let due = life.store.due(policy.clone()).await.unwrap();
            if due.is_nothing() {
                break;
            }
            let step = life.store.sweep(due).await.unwrap();
            steps += u32::from(step.findings > 0);
            assert!(life.store.job(principal(), large).await.unwrap().is_none());
            assert_eq!(life.store.findings(of_job(large), None, 1).await.unwrap().total, 0);
        }
        assert!(steps >= LARGE / 1_000, "{steps} steps: one of them was too long");
    });
    assert_whole(&open::reader(&directory.path().join(DATABASE)).unwrap());
}
