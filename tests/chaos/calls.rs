//! The calls that scenarios make, over the command line's own client, and as much of the answers as they look at.

use proctor::cli::client::{Client, ClientError};
use serde::Deserialize;
use serde_json::{Value, json};

/// A job, as `scan`, `job_status` and `job_cancel` answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    pub job: String,
    pub state: String,
    pub conclusion: String,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub runs: Vec<Run>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    pub tool: String,
    pub state: String,
}

impl Job {
    pub fn is_over(&self) -> bool {
        self.conclusion != "pending"
    }

    /// The state of the tool's run; empty when there is none.
    pub fn run(&self, tool: &str) -> &str {
        self.runs.iter().find(|run| run.tool == tool).map_or("", |run| run.state.as_str())
    }
}

pub async fn call(client: &mut Client, tool: &str, arguments: &Value) -> Result<Job, ClientError> {
    client.call(tool, arguments, |_| {}).await
}

pub async fn status(client: &mut Client, job: &str, wait_s: u32) -> Result<Job, ClientError> {
    call(client, "job_status", &json!({ "job": job, "wait_s": wait_s })).await
}

pub async fn cancel(client: &mut Client, job: &str, wait_s: u32) -> Result<Job, ClientError> {
    call(client, "job_cancel", &json!({ "job": job, "wait_s": wait_s })).await
}

/// Waits for the job's end.
pub async fn end_of(client: &mut Client, job: &str) -> Result<Job, ClientError> {
    loop {
        let job = status(client, job, 20).await?;
        if job.is_over() {
            return Ok(job);
        }
    }
}
