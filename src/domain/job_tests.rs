use super::*;
use crate::domain::outcome::{Failure, FailureReason};

fn run(number: u8) -> RunId {
    RunId::from_random([number; 16])
}

fn view(number: u8) -> RunView {
    RunView {
        id: run(number),
        tool: ToolName(format!("t{number}")),
        tool_version: None,
        state: RunState::Waiting,
        doing: None,
    }
}

fn running(runs: &[u8]) -> JobView {
    let request = JobRequest { target: "/t".into(), tools: vec![], deadline_s: 60, attached: false };
    let mut job = JobView::queued(JobId::from_random([1; 16]), Principal("p".into()), request, "now".into());
    assert!(job.apply(JobEvent::Started));
    assert!(job.apply(JobEvent::Planned { runs: runs.iter().copied().map(view).collect() }));
    job
}

fn whole(outcome: Outcome) -> Ended {
    let coverage = Coverage { expected: 1, examined: 1, ..Coverage::default() };
    Ended { outcome, coverage, elapsed_ms: 5 }
}

fn ends(job: &mut JobView, number: u8, ended: Ended, counts: [u32; 5]) -> bool {
    job.apply(JobEvent::RunEnded { run: run(number), ended, counts })
}

fn finish(job: &mut JobView, state: JobState) -> bool {
    job.apply(JobEvent::Ended { state, error: None, at: "later".into(), open_runs: Outcome::Cancelled })
}

#[test]
fn a_job_is_clean_only_when_every_run_looked_at_everything() {
    let mut job = running(&[1, 2]);
    assert_eq!(job.conclusion(), Conclusion::Pending);
    ends(&mut job, 1, whole(Outcome::Clean), [0; 5]);
    ends(&mut job, 2, whole(Outcome::NotApplicable { why: "no file".into() }), [0; 5]);
    finish(&mut job, JobState::Done);
    assert_eq!(job.conclusion(), Conclusion::Clean);
}

#[test]
fn a_job_in_which_nothing_applied_is_not_clean() {
    let mut job = running(&[1]);
    ends(&mut job, 1, whole(Outcome::NotApplicable { why: "no file".into() }), [0; 5]);
    finish(&mut job, JobState::Done);
    assert_eq!(job.conclusion(), Conclusion::Incomplete);
}

#[test]
fn one_failed_run_makes_the_job_incomplete_whatever_the_others_found() {
    let failure = Failure {
        reason: FailureReason::Signalled,
        detail: String::new(),
        advice: None,
        stderr_tail: String::new(),
        retryable: true,
    };
    let mut job = running(&[1, 2]);
    ends(&mut job, 1, whole(Outcome::Findings { count: 3 }), [0, 0, 0, 3, 0]);
    ends(&mut job, 2, whole(Outcome::Failed(failure)), [0; 5]);
    finish(&mut job, JobState::Done);
    assert_eq!((job.conclusion(), job.at_or_above(Severity::High)), (Conclusion::Incomplete, 3));
}

#[test]
fn a_file_no_tool_was_shown_makes_the_job_incomplete() {
    let mut job = running(&[1]);
    let left_out = Coverage { expected: 2, examined: 1, missed: 1, ..Coverage::default() };
    job.apply(JobEvent::SnapshotTaken { digest: "d".into(), left_out });
    ends(&mut job, 1, whole(Outcome::Clean), [0; 5]);
    finish(&mut job, JobState::Done);
    assert_eq!(job.conclusion(), Conclusion::Incomplete);
}

#[test]
fn what_comes_too_late_changes_nothing() {
    let mut job = running(&[1, 2]);
    assert!(ends(&mut job, 1, whole(Outcome::Findings { count: 1 }), [0, 0, 1, 0, 0]));
    assert!(
        !ends(&mut job, 1, whole(Outcome::Findings { count: 1 }), [0, 0, 1, 0, 0]),
        "a repeat is not counted"
    );
    assert!(!job.apply(JobEvent::RunMoved { run: run(1), to: RunState::Running, tool_version: None }));
    assert!(finish(&mut job, JobState::Cancelled));
    assert!(!ends(&mut job, 2, whole(Outcome::Clean), [0; 5]));
    assert!(!finish(&mut job, JobState::Done), "cancelled stays cancelled");
    assert_eq!((job.state, job.counts), (JobState::Cancelled, [0, 0, 1, 0, 0]));
    assert_eq!(job.runs[1].state.word(), "cancelled");
    assert_eq!(job.open_runs().count(), 0);
}

#[test]
fn a_job_handed_back_keeps_what_has_ended_and_starts_again() {
    let mut job = running(&[1, 2]);
    ends(&mut job, 1, whole(Outcome::Findings { count: 1 }), [0, 0, 1, 0, 0]);
    assert!(job.apply(JobEvent::RunMoved { run: run(2), to: RunState::Running, tool_version: None }));
    assert!(job.apply(JobEvent::HandedBack { why: HandBack::DaemonDied }));
    assert_eq!((job.state, job.attempt, job.deaths), (JobState::Queued, 1, 1));
    assert_eq!((job.runs[0].state.word(), job.runs[1].state.word()), ("findings", "waiting"));
    // A word of the attempt that is over: nobody holds the job.
    assert!(!ends(&mut job, 2, whole(Outcome::Clean), [0; 5]));
    assert!(!job.apply(JobEvent::HandedBack { why: HandBack::Drain }));
    assert!(job.apply(JobEvent::Started));
    assert!(!job.apply(JobEvent::Started), "one holder at a time");
    assert!(ends(&mut job, 2, whole(Outcome::Clean), [0; 5]));
    assert!(finish(&mut job, JobState::Done));
    assert_eq!((job.attempt, job.counts), (2, [0, 0, 1, 0, 0]));
}

#[test]
fn a_cancel_is_asked_once_and_stays_asked() {
    let mut job = running(&[1]);
    assert!(job.apply(JobEvent::CancelAsked));
    assert!(!job.apply(JobEvent::CancelAsked));
    assert!(job.apply(JobEvent::HandedBack { why: HandBack::DaemonDied }) && job.cancel_asked);
    assert!(finish(&mut job, JobState::Cancelled));
    assert!(!job.apply(JobEvent::CancelAsked));
}
