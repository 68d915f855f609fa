//! Follows a job to its end, over as many connections as that takes, and asks for its cancellation when the person at
//! the terminal does.

use std::time::Instant;

use super::client::ClientError;
use super::link::Link;
use super::progress::Progress;
use super::terminal::Terminal;
use crate::protocol::api::{JobAnswer, JobArguments};
use crate::shutdown::{Ask, Shutdown};

/// Seconds between two looks at a job that goes on; its end is reported at once. Often enough for a clock of seconds,
/// and far below a principal's rate limit.
const LOOK_EVERY_S: u32 = 1;

/// Waits for the job's end and shows what happens. The first signal cancels the job and waits on; the second leaves
/// with the job as last seen.
pub async fn follow(
    link: &mut Link,
    mut job: JobAnswer,
    shutdown: &mut Shutdown,
    terminal: Terminal,
) -> Result<JobAnswer, ClientError> {
    let mut progress = Progress::new(terminal);
    loop {
        progress.show(&job, Instant::now());
        if is_ended(&job) {
            break;
        }
        let look = arguments(&job.job, Some(LOOK_EVERY_S));
        let mut lost = |error: &ClientError| progress.say(&format!("{error}; trying again"));
        let ask = tokio::select! {
            answer = link.call("job_status", &look, &mut lost) => {
                job = answer?;
                continue;
            }
            ask = shutdown.next() => ask,
        };
        match ask {
            Ask::Drain => {
                progress.say("cancelling; once more to leave without waiting");
                // The look that was given up is answered later and passed over.
                job = link.call("job_cancel", &arguments(&job.job, None), &mut |_| {}).await?;
            }
            Ask::Hurry | Ask::Leave => break,
        }
    }
    progress.finish();
    Ok(job)
}

pub fn is_ended(job: &JobAnswer) -> bool {
    !matches!(job.state.as_str(), "queued" | "running")
}

pub fn arguments(job: &str, wait_s: Option<u32>) -> JobArguments {
    JobArguments { job: job.to_owned(), wait_s }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
