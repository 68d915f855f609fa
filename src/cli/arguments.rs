//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::apps::AppsCommand;
use super::config::ConfigCommand;
use super::doctor::DoctorCommand;
use super::exit::{Exit, TABLE};
use super::history::{EventsCommand, JobsCommand};
use super::job::{CancelCommand, ResultsCommand, StatusCommand};
use super::mcp_config::McpConfigCommand;
use super::scan::ScanCommand;
use super::serve::ServeCommand;
use super::terminal::{Color, Terminal};
use super::token::TokenCommand;
use super::tools::ToolsArgs;
use super::tree::TreeCommand;
use crate::config::{Loaded, Log, MANUAL, Sources};

const EXAMPLES: &str = "\
Examples:
  proctor serve                      run the daemon for the working directory
  proctor scan ~/src/shop            examine a source tree with every tool that applies
  proctor scan . --fail-on high -q   in CI: results only, exit code 1 from high upwards
  proctor scan http://localhost:5000 look at a running application
  proctor tree --watch               the daemon's actors, live
  proctor mcp-config claude          what to put into an AI client's configuration
  proctor doctor                     whether everything it needs is there, and what to do where it is not
  proctor tools install              the analysers, pinned, each in a folder of its own
  proctor config                     the configuration in force, and where each value comes from
";

/// Examines software with the real tools, as a daemon that answers over MCP.
#[derive(Debug, Parser)]
#[command(name = "proctor", version, after_help = format!("{EXAMPLES}\n{TABLE}"), max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every subcommand.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: $XDG_CONFIG_HOME/proctor/proctor.toml, else /etc/proctor/proctor.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key of the configuration, as in `--set gateway.listen=127.0.0.1:0`; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Results only: no progress and no remarks
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(ServeCommand),
    Scan(Box<ScanCommand>),
    #[command(flatten)]
    Ask(Question),
    McpConfig(McpConfigCommand),
    /// Bridge standard input and output to the running daemon, for clients that speak MCP over stdio
    Stdio,
    Token(TokenCommand),
    /// Show the configuration in force, check a file, or print the manual
    Config(ConfigCommand),
    Doctor(DoctorCommand),
    /// Install the analysers, ask whether they work, or list them
    Tools(ToolsArgs),
}

/// What the running daemon is asked.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// Show where a job stands
    Status(StatusCommand),
    /// Show the findings of a job
    Results(ResultsCommand),
    /// Stop a job: its tools are ended, what was found until then stays
    Cancel(CancelCommand),
    Jobs(JobsCommand),
    Events(EventsCommand),
    Tree(TreeCommand),
    Apps(AppsCommand),
}

impl Arguments {
    /// Reads the process's arguments. Help and version are answered here; so is a wrong command line.
    pub fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Clean };
            // A reader that has gone away (`| head`) is no error, and there is nobody else to tell.
            error.print().unwrap_or_default();
            exit
        })
    }

    pub fn terminal(&self) -> Terminal {
        Terminal::new(self.global.color, self.global.quiet)
    }

    /// The configuration this command line asks for.
    pub fn sources(&self) -> Sources {
        let checked = self.config_command().and_then(ConfigCommand::file_to_check);
        let file = checked.or_else(|| self.global.config.clone());
        let mut settings = self.global.settings.clone();
        if let Command::Serve(command) = &self.command {
            settings.extend(command.settings());
        }
        Sources::of_process(file, settings)
    }

    /// What is logged: what was asked for, else all that a daemon says, and only errors where the command itself speaks
    /// to a person.
    pub fn log(&self, loaded: &Loaded) -> Log {
        let mut log = loaded.config.log.clone();
        if loaded.effective.is_default("log.filter") && !matches!(self.command, Command::Serve(_)) {
            "error".clone_into(&mut log.filter);
        }
        log
    }

    /// What can be answered whatever the configuration is worth.
    pub fn without_config(&self) -> Option<&'static str> {
        let manual = self.config_command().is_some_and(ConfigCommand::is_manual);
        manual.then_some(MANUAL)
    }

    const fn config_command(&self) -> Option<&ConfigCommand> {
        match &self.command {
            Command::Config(command) => Some(command),
            _ => None,
        }
    }
}
