//! `proctor doctor`: everything that proctor needs, looked at, with what to do where something is missing. It asks by itself, so
//! that it works before a daemon does.

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::terminal::Terminal;
use super::tools::doctor::{Answer, show};
use super::tools::{Format, ToolsError, read_catalogue};
use crate::actors::docker;
use crate::actors::installer::{Layout, Locks, doctor};
use crate::config::Config;
use crate::shutdown::Shutdown;

const EXAMPLES: &str = "\
Examples:
  proctor doctor                            can it scan? exit code 2 when something failed
  proctor doctor --format json              the same for a program: ok, checks[kind, subject, state, detail, advice]
  proctor doctor --set docker.host=unix:///run/user/1000/docker.sock    of another engine";

/// Look at everything that proctor needs: tools, sandbox, Docker engine, images, disk
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorCommand {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs to its end; a signal ends what is being asked.
pub async fn run(
    command: &DoctorCommand,
    config: &Config,
    terminal: Terminal,
    shutdown: &mut Shutdown,
) -> Result<Exit, ToolsError> {
    let cancel = CancellationToken::new();
    let work = examine(command, config, terminal, &cancel);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = shutdown.next() => cancel.cancel(),
        }
    }
}

async fn examine(
    command: &DoctorCommand,
    config: &Config,
    terminal: Terminal,
    cancel: &CancellationToken,
) -> Result<Exit, ToolsError> {
    let catalogue = read_catalogue(&config.daemon.manifests_dir)?;
    let tools: Vec<_> = catalogue.iter().collect();
    let layout = Layout::new(&config.daemon.tools_dir, |name| std::env::var_os(name));
    let locks = Locks::builtin();
    let images = [(config.zap.image.as_str(), "ZAP's image")];
    let (tools, engine) = tokio::join!(
        doctor::examine(&tools, &layout, &locks, cancel),
        docker::doctor::examine(&config.docker, &images),
    );
    let mut checks = engine;
    checks.extend(tools?);
    show(Answer { checks, tools_dir: layout.tools_dir }, command.format, terminal)
}
