//! A job's result as a person, a script or another program wants it.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::client::Client;
use super::pages::{self, Findings, Wanted};
use super::run::CommandError;
use super::sarif;
use super::table::{self, Style};
use super::terminal::Terminal;
use super::text::count;
use crate::protocol::api::{Counts, FindingAnswer, JobAnswer, SeverityWord};

/// Rows of a table unless `--limit` says otherwise: a few screens; the worst are on top.
const ROWS_DEFAULT: usize = 100;

/// How a result is handed out.
#[derive(Debug, Clone, Args)]
pub struct Output {
    /// What to write: a table for people, JSON for scripts, SARIF 2.1.0 for other programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Write the result to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Rows of the table; 0 for all (JSON and SARIF always have all)
    #[arg(long, default_value_t = ROWS_DEFAULT, value_name = "N")]
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Sarif,
}

/// Which findings of a job are shown in a table or as JSON.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub min_severity: Option<SeverityWord>,
    pub tool: Option<String>,
}

/// The JSON form: the job as its tools answer it, and all its findings.
#[derive(Serialize)]
struct Document<'a> {
    job: &'a JobAnswer,
    /// Findings that match; more than are listed when there are very many.
    total: u64,
    findings: &'a [FindingAnswer],
}

/// Reads what the format needs and writes it.
pub async fn show(
    client: &mut Client,
    job: &JobAnswer,
    filter: &Filter,
    output: &Output,
    terminal: Terminal,
) -> Result<(), CommandError> {
    let wanted = |limit| Wanted {
        job: job.job.clone(),
        min_severity: filter.min_severity,
        tool: filter.tool.clone(),
        limit,
    };
    let text = match output.format {
        Format::Sarif => sarif::read(client, &job.sarif).await?,
        Format::Json => {
            let found = pages::read(client, &wanted(None)).await?;
            json(job, &found)?
        }
        Format::Table => {
            let limit = (output.limit > 0).then_some(output.limit);
            let found = pages::read(client, &wanted(limit)).await?;
            // A file outlives the terminal it was made from.
            let color = terminal.color && output.output.is_none();
            people(job, found, Style { width: terminal.width, color })
        }
    };
    match &output.output {
        None => Ok(terminal.result(&text)?),
        Some(path) => {
            write_file(path, &text).map_err(|source| CommandError::File { path: path.clone(), source })
        }
    }
}

fn json(job: &JobAnswer, found: &Findings) -> Result<String, CommandError> {
    // The job's own list is a first page; the whole list stands beside it.
    let job = &JobAnswer { findings: Vec::new(), ..job.clone() };
    let document = Document { job, total: found.total, findings: &found.findings };
    serde_json::to_string_pretty(&document).map_err(|error| CommandError::Output(error.into()))
}

/// Whole or not at all: written beside, then renamed over. A pipe or a device is written to as it is.
fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, text);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The usual permissions of a new file; the user's umask takes away what it takes away.
    let usual = std::fs::Permissions::from_mode(0o666);
    let mut draft = tempfile::Builder::new().permissions(usual).tempfile_in(folder)?;
    draft.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        draft.write_all(b"\n")?;
    }
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The result for people: findings, tools, remarks, and the conclusion last, where the eye ends.
fn people(job: &JobAnswer, mut found: Findings, style: Style) -> String {
    table::sort(&mut found.findings);
    let mut blocks = Vec::new();
    if !found.findings.is_empty() {
        blocks.push(table::findings(&found.findings, style));
    }
    let unseen = found.total.saturating_sub(found.findings.len() as u64);
    if unseen > 0 {
        blocks.push(format!("{} not shown; --limit 0 shows all", count(unseen, "finding")));
    }
    if !job.runs.is_empty() {
        blocks.push(table::runs(&job.runs, style));
    }
    blocks.push(table::remarks(&job.runs, job.left_out.as_ref(), style));
    blocks.push(conclusion(job));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n")
}

/// What the job says about its target, and its name.
pub fn conclusion(job: &JobAnswer) -> String {
    let found = counts(&job.counts);
    let said = match (job.conclusion.as_str(), &job.error) {
        (_, Some(error)) => format!("{}: {error}", job.state),
        ("clean", None) => "clean: every applicable tool read everything and found nothing".to_owned(),
        ("findings", None) => found,
        ("incomplete", None) => format!("{found}\nincomplete: what is not reported may still be there"),
        (_, None) => format!("{}: {found} so far", job.state),
    };
    format!("{said}\njob {} of {}", job.job, job.target)
}

/// `2 critical, 1 low`, worst first.
fn counts(counts: &Counts) -> String {
    let all = [
        (counts.critical, "critical"),
        (counts.high, "high"),
        (counts.medium, "medium"),
        (counts.low, "low"),
        (counts.info, "info"),
    ];
    let some: Vec<_> = all.iter().filter(|(number, _)| *number > 0).collect();
    if some.is_empty() {
        return "nothing found".to_owned();
    }
    let some: Vec<_> = some.iter().map(|(number, word)| format!("{number} {word}")).collect();
    some.join(", ")
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
