//! `proctor tools`: puts the analysers on the machine, says whether they work, and names them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::terminal::Terminal;
use crate::actors::installer::{Layout, Locks, Setup, inherited};
use crate::config;
use crate::shutdown::Shutdown;
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Manifest;

pub(super) mod doctor;
mod install;
mod list;
mod progress;
mod table;

/// Names nearer than this (Jaro-Winkler, 0 to 1) are worth suggesting.
const NEAR: f64 = 0.75;

const EXAMPLES: &str = "\
Examples:
  proctor tools install                  all tools, each in a folder of its own, at its pinned version
  proctor tools install NAME NAME        only these
  proctor tools doctor --format json     does everything answer? exit code 2 when something does not";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ToolsArgs {
    #[command(subcommand)]
    action: Action,
    /// Where tools are installed [default: daemon.tools_dir of the configuration]
    #[arg(long, global = true, value_name = "DIR")]
    tools_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Install tools at their pinned versions; what is installed already is left alone
    Install {
        /// Tools to install [default: all]
        names: Vec<String>,
        /// Install anew what is installed, too, and the runtimes
        #[arg(long)]
        force: bool,
    },
    /// Ask every tool whether it works; say what to do where one does not
    Doctor {
        /// Tools to ask [default: all]
        names: Vec<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the tools there are, what they read, and which are installed
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Table,
    Json,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    #[error("there is no tool {name:?}{}; `proctor tools list` names them all", hint(near.as_deref()))]
    Unknown { name: String, near: Option<String> },
    #[error("the catalogue of tools cannot be read: {0}")]
    Catalogue(String),
    #[error("{path} is no absolute path, and the current directory cannot be found: {reason}")]
    Directory { path: PathBuf, reason: String },
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
}

impl ToolsError {
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } | Self::Directory { .. } => Exit::Usage,
            Self::Catalogue(_) | Self::Output(_) => Exit::Failed,
        }
    }
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// Runs one of them to its end. A signal ends the package managers and programs it has started.
///
/// # Errors
/// Nothing was done: a name is wrong, or there is nowhere to write to. What fails while it is done is shown, and makes
/// the exit code [`Exit::Failed`].
pub async fn run(
    args: &ToolsArgs,
    daemon: &config::Daemon,
    terminal: Terminal,
    shutdown: &mut Shutdown,
) -> Result<Exit, ToolsError> {
    let cancel = CancellationToken::new();
    let work = act(args, daemon, terminal, cancel.clone());
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = shutdown.next() => cancel.cancel(),
        }
    }
}

async fn act(
    args: &ToolsArgs,
    config::Daemon { tools_dir, manifests_dir, data_dir, .. }: &config::Daemon,
    terminal: Terminal,
    cancel: CancellationToken,
) -> Result<Exit, ToolsError> {
    let catalogue = read_catalogue(manifests_dir)?;
    let chosen = args.tools_dir.as_ref().unwrap_or(tools_dir);
    let absolute = std::path::absolute(chosen)
        .map_err(|error| ToolsError::Directory { path: chosen.clone(), reason: error.to_string() })?;
    let layout = Layout::new(&absolute, |name| std::env::var_os(name));
    match &args.action {
        Action::Install { names, force } => {
            // What the user brings is not ours to install, and what is a part of proctor is there.
            let tools: Vec<_> =
                select(&catalogue, names)?.into_iter().filter(|tool| tool.is_installable()).collect();
            let setup = Setup { layout, locks: Locks::builtin(), inherited: inherited(), force: *force };
            install::run(&tools, !names.is_empty(), setup, terminal, cancel).await
        }
        Action::Doctor { names, format } => {
            let tools = select(&catalogue, names)?;
            doctor::run(&tools, &layout, *format, terminal, &cancel).await
        }
        Action::List { format } => {
            let down = list::down(data_dir).await;
            list::run(&catalogue, &absolute, &down, *format, terminal)
        }
    }
}

pub(super) fn read_catalogue(manifests_dir: &Path) -> Result<Catalogue, ToolsError> {
    Catalogue::with_own(manifests_dir).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        ToolsError::Catalogue(errors.join("; "))
    })
}

/// The tools of those names, each once, or all.
fn select<'a>(catalogue: &'a Catalogue, names: &[String]) -> Result<Vec<&'a Manifest>, ToolsError> {
    if names.is_empty() {
        return Ok(catalogue.iter().collect());
    }
    if let Some(name) = names.iter().find(|name| catalogue.iter().all(|tool| tool.name.0 != **name)) {
        let near = nearest(catalogue, name);
        let name = name.clone();
        return Err(ToolsError::Unknown { name, near });
    }
    let wanted = catalogue.iter().filter(|tool| names.contains(&tool.name.0));
    Ok(wanted.collect())
}

fn nearest(catalogue: &Catalogue, name: &str) -> Option<String> {
    let rated = catalogue.iter().map(|tool| (strsim::jaro_winkler(&tool.name.0, name), &tool.name.0));
    let near = rated.filter(|(nearness, _)| *nearness >= NEAR);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name.clone())
}
