//! `proctor serve`: the daemon, until it is asked to stop.
//!
//! ```text
//! start ─▶ serving ──first signal──▶ draining ──▶ ended, 0
//!   │         │                        ├─second─▶ hurried ─▶ ended, 0
//!   │         │                        ├─budget is spent─▶ 2
//!   └─▶ 2     └─tree gives up─▶ 2      └─third──▶ left, 2
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::Exit;
use super::run::CommandError;
use crate::actors::notify::ServiceManager;
use crate::actors::pressure::Meter;
use crate::actors::process::{self, Survey, shim};
use crate::actors::root::{Daemon, StartFailed, Surroundings};
use crate::config::{Config, Loaded, SandboxMode};
use crate::shutdown::{Ask, Shutdown};

const EXAMPLES: &str = "\
Examples:
  proctor serve                          serve the working directory at 127.0.0.1:7878
  proctor serve --root ~/src --root /srv  allow scans of these directories and what is in them

SIGTERM, SIGINT or SIGHUP drains within daemon.drain_s seconds: no new work; running jobs may end, what
does not is handed back and taken up by the next start; results are delivered. A second signal hands
back at once; a third leaves.";

/// Run the daemon in the foreground
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeCommand {
    /// A directory whose content may be scanned; may be repeated [default: targets.roots, else the
    /// working directory]
    #[arg(long = "root", value_name = "DIR")]
    pub roots: Vec<PathBuf>,
    /// Where to listen; port 0 takes any free one [default: gateway.listen]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

impl ServeCommand {
    /// What the options stand for, as `--set` would say it.
    pub fn settings(&self) -> Vec<String> {
        let mut settings = Vec::new();
        settings.extend(self.listen.map(|listen| format!("gateway.listen={listen}")));
        if !self.roots.is_empty() {
            // A path that cannot be made absolute is kept as it is, for the configuration to refuse.
            let absolute = |root: &PathBuf| std::path::absolute(root).unwrap_or_else(|_| root.clone());
            let roots = self.roots.iter().map(|root| absolute(root).to_string_lossy().into_owned());
            settings.push(format!("targets.roots={}", toml::Value::from(roots.collect::<Vec<_>>())));
        }
        settings
    }
}

pub async fn run(loaded: &Loaded) -> Result<Exit, CommandError> {
    let config = &loaded.config;
    // Before anything is started: a signal during the start must not leave a daemon half made.
    let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
    let here = std::env::current_dir()?;
    let manager = ServiceManager::from_environment(|name| std::env::var_os(name))?;
    let daemon = start(config, vec![here.clone()], manager, Some(Meter::detect())).await?;
    let roots = match config.targets.roots.as_slice() {
        [] => std::slice::from_ref(&here),
        roots => roots,
    };
    tracing::info!(
        address = %daemon.address(),
        ?roots,
        token_file = %daemon.token_file().display(),
        config = loaded.file.as_ref().map(|file| file.display().to_string()),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    report_sandbox(config.process.sandbox).await;
    tokio::select! {
        ended = daemon.ended() => Err(CommandError::GaveUp(format!("{ended:?}"))),
        _first = shutdown.next() => drain(&daemon, config.daemon.drain, &mut shutdown).await,
    }
}

/// One line on what stands around the tools. After the start: the walls are tried once, which takes some 30 ms.
async fn report_sandbox(mode: SandboxMode) {
    if mode == SandboxMode::Off {
        tracing::warn!("tools run without a sandbox: process.sandbox is off");
        return;
    }
    let survey = process::survey(shim::program()).await;
    if survey.walls().guards_files() {
        tracing::info!(?mode, walls = %survey, "tools run in a sandbox");
    } else {
        tracing::warn!(?mode, walls = %survey, advice = Survey::advice(), "nothing keeps tools from the files of this user");
    }
}

/// Starts the daemon of this process. `root` is the directory to allow where the configuration names none; this binary
/// becomes the tools, and what they orphan becomes ours, so that nothing of a run can get away.
pub async fn start(
    config: &Config,
    roots: Vec<PathBuf>,
    manager: Option<ServiceManager>,
    meter: Option<Meter>,
) -> Result<Daemon, StartFailed> {
    if let Err(error) = process::become_subreaper() {
        tracing::warn!(%error, "orphans of tools go to init; they are still found and ended");
    }
    let shim = shim::program().expect("`main` names this binary before it does anything else");
    Daemon::start(config, Surroundings { roots, shim, manager, meter }).await
}

/// Ends the daemon within `budget`, and listens for who cannot wait that long.
pub async fn drain(daemon: &Daemon, budget: Duration, shutdown: &mut Shutdown) -> Result<Exit, CommandError> {
    let mut drained = std::pin::pin!(daemon.drain(budget));
    let mut hurried = false;
    loop {
        tokio::select! {
            ended = &mut drained => {
                let ended = ended?;
                tracing::info!(?ended, hurried, "drained");
                return Ok(Exit::Clean);
            }
            ask = shutdown.next() => match ask {
                Ask::Leave => return Err(CommandError::Left),
                Ask::Drain | Ask::Hurry => {
                    hurried = true;
                    daemon.hurry();
                }
            },
        }
    }
}
