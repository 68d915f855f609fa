//! From a command to its end: what each needs (nothing, a daemon, a daemon of its own), and how failures end.

use std::io;
use std::path::PathBuf;

use super::arguments::{Arguments, Command, Question};
use super::client::ClientError;
use super::daemon::{self, ReachError, Running};
use super::exit::Exit;
use super::link::Link;
use super::session::Session;
use super::stdio::{self, BridgeError};
use super::terminal::Terminal;
use super::tools::{self, ToolsError};
use super::{apps, client, config, doctor, history, job, mcp_config, scan, serve, token, tree};
use crate::actors::drain::BudgetSpent;
use crate::actors::gateway::token_list::TokenListError;
use crate::actors::notify::service::BadEnvironment;
use crate::actors::root::StartFailed;
use crate::config::Loaded;
use crate::shutdown::Shutdown;

/// Why a command could not do its work. The text goes to standard error, the exit code comes from [`Self::exit`].
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the result could not be written: {0}")]
    Output(#[from] io::Error),
    #[error("{} could not be written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} cannot be examined: {source}", path.display())]
    Path { path: PathBuf, source: io::Error },
    #[error("the process's signals could not be taken over: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Tools(#[from] ToolsError),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    #[error(transparent)]
    Environment(#[from] BadEnvironment),
    #[error(transparent)]
    Start(#[from] StartFailed),
    #[error("the daemon gave up: {0}; the log has what came before")]
    GaveUp(String),
    #[error(transparent)]
    TokenList(#[from] TokenListError),
    #[error("left before the end, as asked")]
    Left,
    #[error(transparent)]
    BudgetSpent(#[from] BudgetSpent),
    #[error("the daemon's tree could not be read: {0}")]
    Tree(String),
    /// The daemon was asked for a job.
    #[error(transparent)]
    Submission(ClientError),
}

impl CommandError {
    pub const fn exit(&self) -> Exit {
        match self {
            // What was asked for was refused for good, so nothing was done: the asking was wrong.
            Self::Submission(ClientError::Refused { refusal, .. }) if refusal.retry_after_ms.is_none() => {
                Exit::Usage
            }
            Self::Path { .. } | Self::Environment(_) | Self::TokenList(TokenListError::BadName(_)) => {
                Exit::Usage
            }
            Self::Tools(error) => error.exit(),
            Self::Output(_)
            | Self::File { .. }
            | Self::Signals(_)
            | Self::Reach(_)
            | Self::Client(_)
            | Self::Bridge(_)
            | Self::Tree(_)
            | Self::Start(_)
            | Self::GaveUp(_)
            | Self::TokenList(_)
            | Self::Left
            | Self::BudgetSpent(_)
            | Self::Submission(_) => Exit::Failed,
        }
    }
}

/// Runs one command to its end.
pub async fn run(arguments: Arguments, loaded: Loaded, terminal: Terminal) -> Exit {
    dispatch(arguments.command, loaded, terminal).await.unwrap_or_else(|error| {
        terminal.complain(&format!("proctor: {error}"));
        error.exit()
    })
}

async fn dispatch(command: Command, loaded: Loaded, terminal: Terminal) -> Result<Exit, CommandError> {
    let data_dir = &loaded.config.daemon.data_dir;
    match command {
        Command::Config(command) => config::run(&command, &loaded, terminal),
        Command::Tools(command) => {
            let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
            Ok(tools::run(&command, &loaded.config.daemon, terminal, &mut shutdown).await?)
        }
        Command::Doctor(command) => {
            let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
            Ok(doctor::run(&command, &loaded.config, terminal, &mut shutdown).await?)
        }
        Command::Token(command) => token::run(&command, data_dir, terminal),
        Command::McpConfig(command) => {
            mcp_config::run(&command, &daemon::running(data_dir)?, data_dir, terminal)
        }
        Command::Serve(_) => serve::run(&loaded).await,
        Command::Scan(command) => {
            let target = command.named()?;
            let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
            let mut session = Session::open(&loaded.config, &target, command.web.active).await?;
            let done = scan::run(&command, &target, &mut session.link, &mut shutdown, terminal).await;
            session.close(&mut shutdown, terminal).await;
            done
        }
        Command::Stdio => bridge(&daemon::running(data_dir)?).await,
        Command::Ask(question) => {
            let mut link = Link::to_running(data_dir.clone()).await?;
            let done = ask(&question, &mut link, terminal).await;
            link.client.close().await;
            done
        }
    }
}

/// What the running daemon is asked over one connection.
async fn ask(question: &Question, link: &mut Link, terminal: Terminal) -> Result<Exit, CommandError> {
    let client = &mut link.client;
    match question {
        Question::Status(command) => job::status(command, link, terminal).await,
        Question::Results(command) => job::results(command, client, terminal).await,
        Question::Cancel(command) => job::cancel(command, client, terminal).await,
        Question::Jobs(command) => history::jobs(command, client, terminal).await,
        Question::Events(command) => history::events(command, link, terminal).await,
        Question::Tree(command) => tree::run(command, client, terminal).await,
        Question::Apps(command) => apps::run(command, link, terminal).await,
    }
}

async fn bridge(running: &Running) -> Result<Exit, CommandError> {
    let socket = client::open(running.address, &running.token()?).await?;
    let input = tokio::io::BufReader::new(tokio::io::stdin());
    stdio::bridge(input, tokio::io::stdout(), socket).await?;
    Ok(Exit::Clean)
}
