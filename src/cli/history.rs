//! `proctor jobs` and `proctor events`: what was asked for, and what happened since.

use clap::Args;
use comfy_table::Cell;

use super::client::Client;
use super::exit::Exit;
use super::link::Link;
use super::run::CommandError;
use super::table::{GAP, Style, finish};
use super::terminal::Terminal;
use super::text::cut_start;
use crate::protocol::api::{Counts, WAIT_S_MAX};
use crate::protocol::history::{
    EVENTS_MAX, EventAnswer, EventsAnswer, EventsArguments, JOBS_MAX, JobLineAnswer, JobsAnswer,
    JobsArguments,
};
use crate::shutdown::Shutdown;

/// Jobs shown unless `--limit` says otherwise: one screen.
const JOBS_SHOWN: usize = 20;
/// Columns of all but the target in a list of jobs: id, state, conclusion, findings, time.
const JOB_COLUMNS: u16 = 32 + 11 + 10 + 22 + 20;
/// A target with less room says nothing.
const TARGET_WIDTH_MIN: usize = 16;

/// List your jobs, newest first
#[derive(Debug, Args)]
pub struct JobsCommand {
    /// Only jobs in this state: queued, running, done, failed, cancelled, expired or quarantined
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// How many; 0 for all
    #[arg(long, default_value_t = JOBS_SHOWN, value_name = "N")]
    pub limit: usize,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Show what happened to a job, in order
#[derive(Debug, Args)]
pub struct EventsCommand {
    /// The job's id: 32 hexadecimal digits; without it, what the daemon did lately, to all jobs and itself
    pub job: Option<String>,
    /// The number of the first event wanted
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub from: u64,
    /// Wait for further events until the job is over or Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

pub async fn jobs(
    command: &JobsCommand,
    client: &mut Client,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let limit = if command.limit == 0 { usize::MAX } else { command.limit };
    let mut arguments = JobsArguments { state: command.state.clone(), cursor: None, limit: Some(JOBS_MAX) };
    let mut shown: Vec<JobLineAnswer> = Vec::new();
    loop {
        let page: JobsAnswer = client.call_patiently("jobs", &arguments).await?;
        let is_empty = page.jobs.is_empty();
        shown.extend(page.jobs);
        arguments.cursor = page.next_cursor;
        if arguments.cursor.is_none() || is_empty || shown.len() >= limit {
            break;
        }
    }
    shown.truncate(limit);
    match command.json {
        true => lines(&shown, terminal)?,
        false if shown.is_empty() => terminal.note("no jobs"),
        false => terminal.result(&table(&shown, Style::of(terminal)))?,
    }
    Ok(Exit::Clean)
}

pub async fn events(
    command: &EventsCommand,
    link: &mut Link,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let Some(job) = &command.job else { return journal(command, link, terminal).await };
    let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
    let mut from = command.from;
    loop {
        let arguments = EventsArguments {
            job: job.clone(),
            from: Some(from),
            wait_s: command.follow.then_some(WAIT_S_MAX),
            limit: Some(EVENTS_MAX),
        };
        let mut lost = |error: &super::client::ClientError| terminal.note(&format!("{error}; trying again"));
        let answer: EventsAnswer = tokio::select! {
            answer = link.call("job_events", &arguments, &mut lost) => answer?,
            _ = shutdown.next() => return Ok(Exit::Clean),
        };
        match command.json {
            true => lines(&answer.events, terminal)?,
            false if answer.events.is_empty() => {}
            false => terminal.result(&answer.events.iter().map(event).collect::<Vec<_>>().join("\n"))?,
        }
        let is_more = answer.next > from;
        from = answer.next;
        if answer.ended || !(command.follow || is_more) {
            return Ok(Exit::Clean);
        }
    }
}

/// The daemon's journal: the last entries, as they are in `events.jsonl`.
async fn journal(command: &EventsCommand, link: &mut Link, terminal: Terminal) -> Result<Exit, CommandError> {
    let text = link.client.read("proctor://journal").await?;
    let entries: Vec<serde_json::Value> =
        serde_json::from_str(&text).map_err(|error| CommandError::Output(error.into()))?;
    match command.json {
        true => lines(&entries, terminal)?,
        false => terminal.result(&entries.iter().map(entry).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(Exit::Clean)
}

fn entry(entry: &serde_json::Value) -> String {
    let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let words = [seconds(&word("at")), word("job"), word("event"), word("state"), word("detail")];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

fn lines<T: serde::Serialize>(items: &[T], terminal: Terminal) -> Result<(), CommandError> {
    for item in items {
        let line = serde_json::to_string(item).map_err(|error| CommandError::Output(error.into()))?;
        terminal.result(&line)?;
    }
    Ok(())
}

fn table(jobs: &[JobLineAnswer], style: Style) -> String {
    let mut table = style.table(&["JOB", "STATE", "CONCLUSION", "FINDINGS", "SUBMITTED", "TARGET"]);
    let room = usize::from(style.width.saturating_sub(JOB_COLUMNS + 5 * GAP)).max(TARGET_WIDTH_MIN);
    for job in jobs {
        table.add_row([
            Cell::new(&job.job),
            Cell::new(&job.state),
            Cell::new(&job.conclusion),
            Cell::new(findings(&job.counts)),
            Cell::new(seconds(&job.submitted_at)),
            Cell::new(cut_start(&job.target, room)),
        ]);
    }
    finish(table)
}

/// Of those that a gate looks at, worst first.
fn findings(counts: &Counts) -> String {
    let Counts { critical, high, medium, low, info } = *counts;
    match critical + high + medium + low + info {
        0 => "-".to_owned(),
        all => format!("{all} ({} high or worse)", critical + high),
    }
}

/// `2026-11-21T10:00:00.123Z` without its fraction.
fn seconds(at: &str) -> String {
    at.split_once('.').map_or_else(|| at.to_owned(), |(whole, _)| format!("{whole}Z"))
}

fn event(event: &EventAnswer) -> String {
    let EventAnswer { number, at, event, tool, state, detail } = event;
    let words = [Some(event), tool.as_ref(), state.as_ref()].into_iter().flatten();
    let words: Vec<&str> = words.map(String::as_str).collect();
    let detail = detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
    format!("{number:>4}  {}  {}{detail}", seconds(at), words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let told = EventAnswer {
            number: 7,
            at: "2026-11-21T10:00:00.123456Z".into(),
            event: "run_ended".into(),
            tool: Some("sample".into()),
            state: Some("findings".into()),
            detail: Some("3 findings".into()),
        };
        assert_eq!(event(&told), "   7  2026-11-21T10:00:00Z  run_ended sample findings: 3 findings");
    }
}
