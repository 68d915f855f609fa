//! Jobs for a store, written by the library's own code: each with a run, a finding and the events of a whole life.

use std::path::Path;

use proctor::domain::finding::{Finding, Location};
use proctor::domain::fingerprint::{Stamped, stamp};
use proctor::domain::ids::{BootId, JobId, Principal, RunId, ToolName};
use proctor::domain::job::{Ended, JobEvent, JobRequest, JobState, JobView, RunState, RunView};
use proctor::domain::lease::Fence;
use proctor::domain::outcome::{Coverage, Outcome};
use proctor::domain::severity::Severity;
use proctor::store::open::{self, DATABASE};
use proctor::store::record::{self, Record, Submission};

/// Jobs of one transaction.
const GROUP: usize = 1_000;

pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the kernel's random bytes");
    bytes
}

/// A job that was just let in. It is of now, so that no retention takes it.
pub fn job() -> JobView {
    let request = JobRequest {
        target: "/srv/shop".into(),
        tools: vec![ToolName("clean".into())],
        deadline_s: 60,
        attached: false,
    };
    JobView::queued(JobId::from_random(random()), Principal("owner".into()), request, now())
}

pub fn run() -> RunView {
    RunView {
        id: RunId::from_random(random()),
        tool: ToolName("clean".into()),
        tool_version: None,
        state: RunState::Waiting,
        doing: None,
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Writes so many jobs that have ended.
pub fn fill(data_dir: &Path, jobs: usize) {
    if jobs == 0 {
        return;
    }
    let connection = open::writer(&data_dir.join(DATABASE)).expect("a database");
    record::boot(&connection, BootId::from_random(random()), "bench", &now()).expect("a boot");
    for group in 0..jobs.div_ceil(GROUP) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("begun");
        for _ in 0..GROUP.min(jobs - group * GROUP) {
            let job = job();
            let id = job.id;
            record::submit(&connection, &Submission::alone(job)).expect("a new job");
            for (event, findings) in life() {
                let record = Record { job: id, fence: Fence::Any, event, findings, at: now() };
                assert!(record::record(&connection, &record).expect("written"), "it changed something");
            }
        }
        connection.execute_batch("COMMIT").expect("committed");
    }
}

/// The events of a job with one run and one finding.
fn life() -> Vec<(JobEvent, Vec<Stamped>)> {
    let run = run();
    let id = run.id;
    let coverage = Coverage { expected: 1, examined: 1, ..Coverage::default() };
    let ended = Ended { outcome: Outcome::Findings { count: 1 }, coverage: coverage.clone(), elapsed_ms: 12 };
    let over =
        JobEvent::Ended { state: JobState::Done, error: None, at: now(), open_runs: Outcome::Cancelled };
    vec![
        (JobEvent::Started, Vec::new()),
        (JobEvent::SnapshotTaken { digest: "0".repeat(64), left_out: Coverage::default() }, Vec::new()),
        (JobEvent::Planned { runs: vec![run] }, Vec::new()),
        (JobEvent::RunEnded { run: id, ended, counts: [0, 0, 0, 1, 0] }, finding()),
        (over, Vec::new()),
    ]
}

fn finding() -> Vec<Stamped> {
    let finding = Finding {
        tool: ToolName("clean".into()),
        rule: "R1".into(),
        severity: Severity::High,
        message: "a user's text reaches a shell".into(),
        location: Location { path: "src/app.py".into(), region: None },
        cwe: vec![78],
        help: None,
        fingerprint: String::new(),
        web: None,
    };
    stamp(vec![finding], |_| None)
}
