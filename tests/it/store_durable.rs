//! Promise: nothing acknowledged is lost, whenever the daemon is killed; and two daemons never share a directory.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use proctor::actors::server::StartError;
use proctor::domain::ids::JobId;
use proctor::domain::job::{Ended, JobEvent, RunState};
use proctor::domain::lease::Fence;
use proctor::domain::outcome::Outcome;
use proctor::store::record::Submission;
use tokio::task::JoinSet;

use super::store_world::{
    Life, findings, job_done, new_job, of_job, principal, run_ended, wait_until_free, waiting,
};

/// Tells the child process where its database is.
const DIRECTORY: &str = "PROCTOR_TEST_STORE_DIRECTORY";
/// Kills of one campaign.
const ROUNDS: usize = 20;
/// Jobs that the child works on at once, so that writes are committed in groups.
const AT_ONCE: usize = 8;
const FINDINGS: u32 = 5;

/// What the child has been told is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Submitted,
    RunEnded,
    Done,
}

const STAGES: [(&str, Stage); 3] =
    [("submitted", Stage::Submitted), ("run", Stage::RunEnded), ("done", Stage::Done)];

/// The other side of the campaign: this test binary again, told by its environment to write until it is killed.
#[test]
#[ignore = "is the child process of the test below, which kills it"]
fn child_writes_until_it_is_killed() {
    let directory = std::env::var_os(DIRECTORY).expect("started by the test below");
    let life = Life::start(Path::new(&directory));
    life.runtime.block_on(async {
        say("ready", None);
        let mut jobs = JoinSet::new();
        for _ in 0..AT_ONCE {
            let store = life.store.clone();
            jobs.spawn(async move {
                loop {
                    let job = new_job("/t");
                    store.submit(Submission::alone(job.clone())).await.unwrap();
                    say("submitted", Some(job.id));
                    let run = waiting("alpha");
                    let id = run.id;
                    store.record(job.id, Fence::Any, JobEvent::Started, vec![]).await.unwrap();
                    store
                        .record(job.id, Fence::Any, JobEvent::Planned { runs: vec![run] }, vec![])
                        .await
                        .unwrap();
                    let found = findings("alpha", FINDINGS, 2);
                    store.record(job.id, Fence::Any, run_ended(id, &found), found).await.unwrap();
                    say("run", Some(job.id));
                    store.record(job.id, Fence::Any, job_done(), vec![]).await.unwrap();
                    say("done", Some(job.id));
                }
            });
        }
        jobs.join_all().await;
    });
}

/// One write call per line, so that a kill tears at most the last one.
fn say(word: &str, job: Option<JobId>) {
    let line = match job {
        Some(job) => format!("{word} {job}\n"),
        None => format!("{word}\n"),
    };
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// The child; killed when dropped, whatever became of the test.
struct Writer {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Writer {
    fn start(directory: &Path) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the child is this very test binary, to be killed")]
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "store_durable::child_writes_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ]);
        command.env(DIRECTORY, directory).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut writer = Self { child, lines };
        while writer.line().expect("the child ended before it was ready") != "ready" {}
        writer
    }

    /// The next whole line; a torn one was never said.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// Kills the child after so many acknowledgements, and returns all it had given.
    fn killed_after(mut self, acknowledgements: usize) -> Vec<String> {
        let mut told: Vec<String> =
            (0..acknowledgements).map(|_| self.line().expect("the child ended by itself")).collect();
        self.child.kill().unwrap();
        told.extend(std::iter::from_fn(|| self.line()));
        told
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_daemon_is_killed_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = BTreeMap::new();
    for round in 0..ROUNDS {
        // Another moment each round: within a group, between groups, before the first.
        let acknowledged = stages(Writer::start(directory.path()).killed_after(round * 13));
        let life = Life::start(directory.path());
        life.runtime.block_on(assert_kept(&life, &acknowledged));
        all.extend(acknowledged);
        drop(life);
        wait_until_free(directory.path());
    }
    assert!(all.len() > 100, "only {} jobs were acknowledged", all.len());
    // What was kept over one kill is kept over all that followed.
    let life = Life::start(directory.path());
    life.runtime.block_on(assert_kept(&life, &all));
    assert!(life.runtime.block_on(assert_whole(&life)) >= all.len());
}

/// How far each job was acknowledged.
fn stages(lines: Vec<String>) -> BTreeMap<JobId, Stage> {
    let mut acknowledged = BTreeMap::new();
    for line in lines {
        let (word, job) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        let stage = STAGES.iter().find(|(known, _)| *known == word).unwrap().1;
        let known = acknowledged.entry(job.parse().unwrap()).or_insert(stage);
        *known = stage.max(*known);
    }
    acknowledged
}

async fn assert_kept(life: &Life, acknowledged: &BTreeMap<JobId, Stage>) {
    for (job, stage) in acknowledged {
        assert_job_kept(life, *job, *stage).await;
    }
}

async fn assert_job_kept(life: &Life, id: JobId, acknowledged: Stage) {
    let job = life.store.job(principal(), id).await.unwrap();
    let job = job.unwrap_or_else(|| panic!("lost: job {id}, acknowledged as {acknowledged:?}"));
    let found = match job.runs.first().map(|run| &run.state) {
        Some(RunState::Ended(Ended { outcome: Outcome::Findings { count }, .. })) => *count,
        _ => 0,
    };
    match acknowledged {
        Stage::Submitted => {}
        Stage::RunEnded => assert_eq!(found, FINDINGS, "lost: the end of a run of {id}"),
        Stage::Done => assert!(job.state.is_terminal() && found == FINDINGS, "lost: the end of job {id}"),
    }
}

/// Whatever is there is there with all that belongs to it. Returns how many jobs there are.
async fn assert_whole(life: &Life) -> usize {
    let (mut count, mut cursor) = (0, None);
    loop {
        let page = life.store.jobs(principal(), cursor, 50).await.unwrap();
        for job in &page.jobs {
            count += 1;
            let ended = job.runs.iter().any(|run| matches!(run.state, RunState::Ended(_)));
            let total = life.store.findings(of_job(job.id), None, 1).await.unwrap().total;
            let events = life.store.events(principal(), job.id, 1).await.unwrap().unwrap();
            let said = events.iter().filter(|event| matches!(event.event, JobEvent::RunEnded { .. })).count();
            let expected = if ended { (u64::from(FINDINGS), 1) } else { (0, 0) };
            assert_eq!((total, said), expected, "torn: {job:?}");
            assert_eq!(job.counts.iter().sum::<u32>() as u64, total);
            let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
            assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
        }
        cursor = page.next;
        if cursor.is_none() {
            return count;
        }
    }
}

#[test]
fn a_second_daemon_on_the_directory_is_refused_by_the_name_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = Writer::start(directory.path());
    let Err(StartError::Permanent(why)) = Life::try_start(directory.path()) else {
        panic!("two daemons share a directory");
    };
    assert!(why.contains(&format!("process {}", first.child.id())), "{why}");
    drop(first);
    Life::start(directory.path());
}
