//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::config::ConfigCommand;
use super::exit::{Exit, TABLE};
use super::terminal::{Color, Terminal};
use crate::config::{MANUAL, Sources};

const EXAMPLES: &str = "\
Examples:
  proctor config                     the configuration in force, and where each value comes from
  proctor config check proctor.toml  every error of a file at once
";

/// Examines software with the real tools, as a daemon that answers over MCP.
#[derive(Debug, Parser)]
#[command(name = "proctor", version, after_help = format!("{EXAMPLES}\n{TABLE}"), max_term_width = 100)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
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
    /// Show the configuration in force, check a file, or print the manual
    Config(ConfigCommand),
}

impl Arguments {
    /// Reads the process's arguments. Help and version are answered here; so is a wrong command line.
    pub fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Clean
            };
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
        let Command::Config(command) = &self.command;
        let file = command.file_to_check().or_else(|| self.global.config.clone());
        Sources::of_process(file, self.global.settings.clone())
    }

    /// What can be answered whatever the configuration is worth.
    pub fn without_config(&self) -> Option<&'static str> {
        let Command::Config(command) = &self.command;
        command.is_manual().then_some(MANUAL)
    }
}
