//! Arguments and answers of the calls about the past: `jobs` and `job_events`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Counts;

/// Jobs of one page at most.
pub const JOBS_MAX: u32 = 50;
/// Events of one page at most.
pub const EVENTS_MAX: u32 = 200;

/// Arguments of `jobs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobsArguments {
    /// Only jobs in this state: queued, running, done, failed, cancelled, expired or quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Jobs per page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub limit: Option<u32>,
}

/// The answer of `jobs`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobsAnswer {
    pub jobs: Vec<JobLineAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobLineAnswer {
    pub job: String,
    pub state: String,
    /// clean, findings, incomplete or pending.
    pub conclusion: String,
    pub target: String,
    pub submitted_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    pub counts: Counts,
    /// Why the job as a whole failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Arguments of `job_events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsArguments {
    /// The id that `scan` returned: 32 hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub job: String,
    /// The first event wanted; they are numbered from 1 without holes. Give the `next` of the last answer to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub from: Option<u64>,
    /// Seconds to wait for an event where there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 45))]
    pub wait_s: Option<u32>,
    /// Events per page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
}

/// The answer of `job_events`: in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsAnswer {
    pub events: Vec<EventAnswer>,
    /// Where to go on.
    pub next: u64,
    /// True when the job is over and no event follows these.
    pub ended: bool,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventAnswer {
    pub number: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// started, cancel_asked, handed_back, snapshot_taken, planned, run_moved, run_ended or ended.
    pub event: String,
    /// The tool whose run it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Where the run or the job stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
