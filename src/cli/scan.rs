//! `proctor scan TARGET`: the whole way, from a target to an exit code.

use clap::Args;

use super::exit::{Exit, FailOn};
use super::follow::{follow, is_ended};
use super::link::Link;
use super::run::CommandError;
use super::show::{self, Filter, Output};
use super::target::{Named, WebOptions};
use super::terminal::Terminal;
use super::text::parse_seconds;
use crate::actors::random;
use crate::protocol::api::{JobAnswer, KEY_BYTES_MAX, ScanArguments};
use crate::shutdown::Shutdown;

const EXAMPLES: &str = "\
Examples:
  proctor scan .                                   every tool that applies, as a table
  proctor scan . --tools NAME,NAME                 only these (`proctor tools list` names them)
  proctor scan . --fail-on high -q                 for CI: results only, exit code 1 from high upwards
  proctor scan . --format sarif --output out.sarif  for code scanning
  proctor scan . --key $CI_JOB_ID                  a retried CI step gets the job of the first try
  proctor scan http://localhost:5000               look at a running application; attack nothing
  proctor scan --app examples/shop --active        build it, start it, attack it, remove it

Ctrl-C cancels the job and shows what was found until then; a second one leaves at once.
The exit codes are listed by `proctor --help`.";

/// Examine a source tree, a running application or an app to be started, and show what was found
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ScanCommand {
    /// Directory or URL to examine
    #[arg(required_unless_present = "app")]
    pub target: Option<String>,
    #[command(flatten)]
    pub web: WebOptions,
    /// Tools to run, separated by commas [default: every tool that applies]
    #[arg(long, value_delimiter = ',', value_name = "TOOLS")]
    pub tools: Vec<String>,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// How long the whole job may take: 90s, 30m, 2h [default: jobs.deadline_s]
    #[arg(long, value_parser = parse_seconds, value_name = "TIME")]
    pub deadline: Option<u32>,
    /// Run a job of its own, even while an equal one is under way
    #[arg(long)]
    pub fresh: bool,
    /// A name for this request: repeated with the same arguments it gives the same job, ended or not
    #[arg(long, value_name = "NAME", value_parser = parse_key)]
    pub key: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

impl ScanCommand {
    /// What is to be examined.
    pub fn named(&self) -> Result<Named, CommandError> {
        self.web.named(self.target.as_deref())
    }
}

pub async fn run(
    command: &ScanCommand,
    target: &Named,
    link: &mut Link,
    shutdown: &mut Shutdown,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let job = submit(command, target, link, terminal).await?;
    terminal.note(&format!("scanning {} as job {}", target.name(), job.job));
    let job = follow(link, job, shutdown, terminal).await?;
    if !is_ended(&job) {
        terminal.note(&format!("left; the job goes on: `proctor status --wait {}`", job.job));
        return Ok(Exit::of_job(&job, command.fail_on));
    }
    show::show(&mut link.client, &job, &Filter::default(), &command.output, terminal).await?;
    terminal.note(&look_further(&job));
    Ok(Exit::of_job(&job, command.fail_on))
}

/// Under a key of its own, so that a submission whose answer was lost with the connection is found again, not repeated.
async fn submit(
    command: &ScanCommand,
    target: &Named,
    link: &mut Link,
    terminal: Terminal,
) -> Result<JobAnswer, CommandError> {
    let arguments = ScanArguments {
        tools: command.tools.clone(),
        // The answer is the job, at once: its progress is followed by looking at it.
        wait_s: Some(0),
        deadline_s: command.deadline,
        idempotency_key: Some(command.key.clone().unwrap_or_else(random_key)),
        fresh: command.fresh,
        attached: false,
        ..ScanArguments::default()
    };
    let arguments = command.web.fill(target, arguments)?;
    let mut lost = |error: &_| terminal.note(&format!("{error}; trying again"));
    link.call("scan", &arguments, &mut lost).await.map_err(CommandError::Submission)
}

fn parse_key(text: &str) -> Result<String, String> {
    match text.len() {
        1..=KEY_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("1 to {KEY_BYTES_MAX} bytes are needed")),
    }
}

fn random_key() -> String {
    u128::from_be_bytes(random::bytes()).to_string()
}

fn look_further(job: &JobAnswer) -> String {
    format!("again: `proctor results {}`, with --format json or sarif; as a resource: {}", job.job, job.sarif)
}
