//! `proctor token`: where the access token is, and tokens for others.
//!
//! Each further token is a principal of its own: its jobs, its turn in the queue, its share of the daemon.

use std::path::Path;

use clap::{Args, Subcommand};

use super::daemon;
use super::exit::Exit;
use super::run::CommandError;
use super::terminal::Terminal;
use crate::actors::data_dir::private_dir;
use crate::actors::gateway::token_list::TokenList;

const EXAMPLES: &str = "\
Examples:
  proctor token               the file with your token
  proctor token add ci        a token of its own for `ci`, printed once
  proctor token revoke ci     nobody comes in by it any more";

/// Show where the access token is, or manage tokens for others
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct TokenCommand {
    /// Print the token instead of its file: whoever reads it may do what you may
    #[arg(long)]
    pub show: bool,
    #[command(subcommand)]
    pub change: Option<Change>,
}

#[derive(Debug, Subcommand)]
pub enum Change {
    /// Make a token for somebody and print it: it is kept as a digest, and never shown again
    Add {
        /// Who will use it: a-z, 0-9, `-`, `_` and `.`
        name: String,
    },
    /// Name those who have a token
    List,
    /// Let nobody in by a token any more; whoever is in stays until the connection ends
    Revoke {
        /// Whose token
        name: String,
    },
}

pub fn run(command: &TokenCommand, data_dir: &Path, terminal: Terminal) -> Result<Exit, CommandError> {
    match &command.change {
        None => show(command.show, data_dir, terminal)?,
        Some(change) => {
            private_dir(data_dir)
                .map_err(|source| CommandError::File { path: data_dir.to_owned(), source })?;
            apply(change, &TokenList::of(data_dir), terminal)?;
        }
    }
    Ok(Exit::Clean)
}

fn show(show: bool, data_dir: &Path, terminal: Terminal) -> Result<(), CommandError> {
    let running = daemon::running(data_dir)?;
    let text = match show {
        true => running.token()?,
        false => running.token_file.display().to_string(),
    };
    Ok(terminal.result(&text)?)
}

fn apply(change: &Change, list: &TokenList, terminal: Terminal) -> Result<(), CommandError> {
    match change {
        Change::Add { name } => {
            terminal.result(list.add(name)?.reveal())?;
            terminal.note(&format!("this is the token of {name}; it is not kept, so note it down now"));
        }
        Change::List => {
            for (_, principal) in list.read()? {
                terminal.result(&principal.0)?;
            }
        }
        Change::Revoke { name } => {
            list.revoke(name)?;
            terminal.note(&format!("the token of {name} opens no door any more"));
        }
    }
    Ok(())
}
