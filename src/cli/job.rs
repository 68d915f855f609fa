//! `proctor status`, `proctor results`, `proctor cancel`: one job, through the running daemon.

use clap::Args;

use super::client::Client;
use super::exit::{Exit, FailOn};
use super::follow::{arguments, follow, is_ended};
use super::link::Link;
use super::run::CommandError;
use super::show::{self, Filter, Output};
use super::table::{self, Style};
use super::terminal::Terminal;
use crate::protocol::api::{JobAnswer, SeverityWord};
use crate::shutdown::Shutdown;

#[derive(Debug, Args)]
pub struct StatusCommand {
    /// The job's id: 32 hexadecimal digits
    pub job: String,
    /// Follow the job to its end; Ctrl-C stops following and cancels the job
    #[arg(long, short)]
    pub wait: bool,
    /// Print the job as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "The exit code is that of the scan: see `proctor --help`.")]
pub struct ResultsCommand {
    /// The job's id: 32 hexadecimal digits
    pub job: String,
    #[command(flatten)]
    pub output: Output,
    /// Only findings at or over this severity
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    pub min_severity: Option<SeverityWord>,
    /// Only findings of this tool
    #[arg(long, value_name = "TOOL")]
    pub tool: Option<String>,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
}

#[derive(Debug, Args)]
pub struct CancelCommand {
    /// The job's id: 32 hexadecimal digits
    pub job: String,
}

pub async fn status(
    command: &StatusCommand,
    link: &mut Link,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let mut job: JobAnswer = look(&mut link.client, &command.job).await?;
    if command.wait && !is_ended(&job) {
        let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
        job = follow(link, job, &mut shutdown, terminal).await?;
    }
    let text = match command.json {
        true => serde_json::to_string_pretty(&job).map_err(|error| CommandError::Output(error.into()))?,
        false => status_text(&job, Style::of(terminal)),
    };
    terminal.result(&text)?;
    // A state was asked for and told: that is success, whatever the state. `results` speaks with its exit code.
    Ok(Exit::Clean)
}

fn status_text(job: &JobAnswer, style: Style) -> String {
    let runs = table::runs(&job.runs, style);
    let remarks = table::remarks(&job.runs, job.left_out.as_ref(), style);
    let blocks = [runs, remarks, show::conclusion(job)];
    let blocks: Vec<_> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
    blocks.join("\n\n")
}

pub async fn results(
    command: &ResultsCommand,
    client: &mut Client,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let job = look(client, &command.job).await?;
    let filter = Filter { min_severity: command.min_severity, tool: command.tool.clone() };
    show::show(client, &job, &filter, &command.output, terminal).await?;
    Ok(Exit::of_job(&job, command.fail_on))
}

pub async fn cancel(
    command: &CancelCommand,
    client: &mut Client,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let job: JobAnswer = client.call_patiently("job_cancel", &arguments(&command.job, None)).await?;
    terminal.note(&format!("job {} is {}", job.job, job.state));
    Ok(Exit::Clean)
}

async fn look(client: &mut Client, job: &str) -> Result<JobAnswer, CommandError> {
    Ok(client.call_patiently("job_status", &arguments(job, Some(0))).await?)
}

fn parse_severity(word: &str) -> Result<SeverityWord, String> {
    serde_json::from_value(word.into())
        .map_err(|_| "one of info, low, medium, high, critical is needed".to_owned())
}
