//! `proctor config`: what is in force, whether a file is right, and the manual.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::run::CommandError;
use super::terminal::Terminal;
use crate::config::Loaded;

#[derive(Debug, Args)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every value in force and where it comes from (the default)
    Show,
    /// Report every error of a file at once
    Check {
        /// The file to check; the environment and --set lie over it as they would in use
        file: PathBuf,
    },
    /// Print the manual: every key, its default and what it does
    Manual,
}

impl ConfigCommand {
    pub fn file_to_check(&self) -> Option<PathBuf> {
        match &self.action {
            Some(Action::Check { file }) => Some(file.clone()),
            Some(Action::Show | Action::Manual) | None => None,
        }
    }

    pub const fn is_manual(&self) -> bool {
        matches!(self.action, Some(Action::Manual))
    }
}

pub fn run(command: &ConfigCommand, loaded: &Loaded, terminal: Terminal) -> Result<Exit, CommandError> {
    match command.file_to_check() {
        Some(file) => terminal.note(&format!("{}: no errors", file.display())),
        None => terminal.result(&loaded.effective.render())?,
    }
    Ok(Exit::Clean)
}
