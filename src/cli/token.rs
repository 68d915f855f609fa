//! `proctor token`: where the access token is.

use clap::Args;

use super::daemon::Running;
use super::exit::Exit;
use super::run::CommandError;
use super::terminal::Terminal;

/// Show where the access token is, or the token itself
#[derive(Debug, Args)]
pub struct TokenCommand {
    /// Print the token instead of its file: whoever reads it may do what you may
    #[arg(long)]
    pub show: bool,
}

pub fn run(command: &TokenCommand, running: &Running, terminal: Terminal) -> Result<Exit, CommandError> {
    let text = match command.show {
        true => running.token()?,
        false => running.token_file.display().to_string(),
    };
    terminal.result(&text)?;
    Ok(Exit::Clean)
}
