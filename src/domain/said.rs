//! What an event of a job says, in a few words: for lists, for the journal, for people. The event itself stays in the
//! store.

use serde::{Deserialize, Serialize};

use super::ids::RunId;
use super::job::{HandBack, JobEvent, RunState};
use super::outcome::Outcome;

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// `started`, `cancel_asked`, `handed_back`, `snapshot_taken`, `planned`, `run_moved`, `run_ended` or `ended`.
    pub event: String,
    /// The run it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Where the run or the job stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Said {
    pub fn of(event: &JobEvent) -> Self {
        let (word, run, state, detail) = match event {
            JobEvent::Started => ("started", None, Some("running"), None),
            JobEvent::CancelAsked => ("cancel_asked", None, None, None),
            JobEvent::HandedBack { why } => {
                ("handed_back", None, Some("queued"), Some(handed_back(*why).to_owned()))
            }
            JobEvent::SnapshotTaken { digest, left_out } => {
                let detail =
                    format!("{} files, {} left out, sha256 {digest}", left_out.examined, left_out.missed);
                ("snapshot_taken", None, None, Some(detail))
            }
            JobEvent::AppRead { digest } => ("app_read", None, None, Some(format!("sha256 {digest}"))),
            JobEvent::Planned { runs } => {
                let waiting = runs.iter().filter(|run| matches!(run.state, RunState::Waiting));
                let names: Vec<&str> = waiting.map(|run| run.tool.0.as_str()).collect();
                ("planned", None, None, Some(names.join(", ")))
            }
            JobEvent::RunMoved { run, to, .. } => ("run_moved", Some(*run), Some(to.word()), None),
            JobEvent::RunEnded { run, ended, .. } => {
                let state = RunState::Ended(ended.clone());
                ("run_ended", Some(*run), Some(state.word()), outcome(&ended.outcome))
            }
            JobEvent::Ended { state, error, .. } => ("ended", None, Some(state.word()), error.clone()),
        };
        Self { event: word.to_owned(), run, state: state.map(str::to_owned), detail }
    }

    /// Whether it tells a step that the next one makes old. Such may be lost.
    pub fn is_progress(&self) -> bool {
        self.event == "run_moved"
    }
}

const fn handed_back(why: HandBack) -> &'static str {
    match why {
        HandBack::Drain => "the daemon was asked to stop",
        HandBack::DaemonDied => "the daemon died",
        HandBack::EngineDied => "the job engine died",
        HandBack::HolderLost => "the job's own actor ended without a word",
        HandBack::LeaseExpired => "the job's own actor was silent for too long",
    }
}

fn outcome(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Findings { count } => Some(format!("{count} findings")),
        Outcome::Failed(failure) => Some(format!("{}: {}", failure.reason.word(), failure.detail)),
        Outcome::NotApplicable { why } => Some(why.clone()),
        Outcome::Clean | Outcome::Cancelled => None,
    }
}
