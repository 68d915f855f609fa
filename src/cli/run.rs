//! From a command to its end.

use super::arguments::{Arguments, Command};
use super::config;
use super::exit::Exit;
use super::terminal::Terminal;
use crate::config::Loaded;

/// Why a command could not do its work. The text goes to standard error, the exit code comes from [`Self::exit`].
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Output(_) => Exit::Failed,
        }
    }
}

/// Runs one command to its end.
pub async fn run(arguments: Arguments, loaded: Loaded, terminal: Terminal) -> Exit {
    let done = match arguments.command {
        Command::Config(command) => config::run(&command, &loaded, terminal),
    };
    done.unwrap_or_else(|error| {
        terminal.complain(&format!("proctor: {error}"));
        error.exit()
    })
}
