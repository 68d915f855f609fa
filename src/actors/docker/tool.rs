//! One run of a program in a container, from its start to its end: what [`process::run`](crate::actors::process::run) is for
//! programs of this machine. Paths are the same inside and outside, so that nobody has to translate what a tool reports.
//!
//! ```text
//! made ─▶ attached ─▶ started ──▶ ended by itself │ cancelled │ over a limit ─▶ TERM, grace, KILL ─▶ removed
//! ```

use std::ffi::OsStr;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use bollard::container::LogOutput;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Duration, Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::container::Container;
use super::disk;
use super::engine::{Engine, SLOW};
use super::error::EngineError;
use super::image::{Image, Pull};
use super::network::Network;
use crate::actors::process::{Command, Ended, How, MemoryLimit, Sinks, Streams};
use crate::domain::container::state::Exit;
use crate::domain::container::{
    Attachment, ContainerLimits, ContainerSpec, ContainerState, HealthCheck, ImageName, Mount, NetworkSpec,
    Owner, Purpose, Reach,
};

/// Where a tool may write besides its own directory; memory, counted against its limit.
const TMP: &str = "/tmp";
const TMP_BYTES: u64 = 256 << 20;
/// Where nobody says how much memory it may have.
const MEMORY_BYTES: u64 = 1 << 30;
/// For the last of its output, once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// For the removal of what it ran in, while its run waits.
const REMOVAL: Duration = Duration::from_secs(5);
/// Exit codes over this are the number of a signal, as the init process of the container hands them on.
const SIGNALLED: i64 = 128;
/// Signals that end a program that did not ask for it: over these an exit code is a choice of its own.
const SIGNALS: [i64; 9] = [4, 5, 6, 7, 8, 9, 11, 15, 31];

/// What is run, and what it sees.
#[derive(Debug)]
pub struct ToolRun {
    pub image: ImageName,
    pub pull: Pull,
    /// Its sandbox and its containment are the container's.
    pub command: Command,
    /// Canonical; each is seen under its own name. What is not there is left out.
    pub readable: Vec<PathBuf>,
    pub writable: Vec<PathBuf>,
    /// What it may write to those, together.
    pub disk_bytes: u64,
    pub network: bool,
    /// Thousandths of a core.
    pub cpu_milli: u32,
    pub owner: Owner,
}

impl Engine {
    /// Runs it to its end: by itself, by a limit, or by `cancel`. When it returns nothing of it is left in the engine, and
    /// `scratch/stdout` and `scratch/stderr` hold what it said. Dropping the future kills it.
    ///
    /// # Errors
    /// It never ran.
    pub async fn run_tool(&self, run: ToolRun, cancel: CancellationToken) -> Result<Ended, EngineError> {
        let began = Instant::now();
        let (container, network) = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(Ended::elsewhere(How::Cancelled, began)),
            made = self.make(&run) => made?,
        };
        let ended = self.see_through(&run, &container, began, &cancel).await?;
        let removal = async {
            drop(container.remove().await);
            if let Some(network) = network {
                drop(network.remove().await);
            }
        };
        // What cannot be removed now is left to the guards.
        drop(timeout(REMOVAL, removal).await);
        Ok(ended)
    }

    async fn make(&self, run: &ToolRun) -> Result<(Container, Option<Network>), EngineError> {
        let image = self.image(&run.image, run.pull, &|_| {}).await?;
        let network = match run.network {
            true => Some(self.network(&outside(run.owner)).await?),
            false => None,
        };
        let container = self.create(&spec(run, &image, network.as_ref(), self.info().rootless)?).await?;
        Ok((container, network))
    }

    async fn see_through(
        &self,
        run: &ToolRun,
        container: &Container,
        began: Instant,
        cancel: &CancellationToken,
    ) -> Result<Ended, EngineError> {
        let ToolRun { command, .. } = run;
        let limits = &command.limits;
        let opened = Streams::open(&command.scratch, limits.output_bytes).await;
        let (streams, sinks) = opened.map_err(|source| EngineError::Path {
            what: "keep what a tool says".to_owned(),
            path: command.scratch.display().to_string(),
            source,
        })?;
        let mut hearing = Box::pin(self.hear(container, sinks).await?);
        let mut heard = None;
        let mut watching = Box::pin(run_within(run, container, &streams, began + limits.wall, cancel));
        let how = loop {
            tokio::select! {
                how = &mut watching => break how?,
                whole = &mut hearing, if heard.is_none() => heard = Some(whole),
            }
        };
        if heard.is_none() {
            heard = timeout(LAST_WORDS, &mut hearing).await.ok();
        }
        drop((watching, hearing));
        let flooded = streams.is_flooded() && matches!(how, How::Exited(_) | How::Signalled(_));
        let (mut stdout, mut stderr) = streams.finish(LAST_WORDS).await;
        if let Err(why) = heard.unwrap_or_else(|| Err("the engine did not come to its end".to_owned())) {
            stdout.breaks_off(&why);
            stderr.breaks_off(&why);
        }
        let state = *container.state().borrow();
        let memory_limit = match state {
            ContainerState::Exited(Exit { oom_killed: true, .. }) => MemoryLimit::Exceeded,
            _ => MemoryLimit::Kept,
        };
        let how = if flooded { How::Flooded } else { how };
        Ok(Ended { stdout, stderr, memory_limit, ..Ended::elsewhere(how, began) })
    }

    /// Resolves when the container says no more.
    async fn hear(
        &self,
        container: &Container,
        sinks: Sinks,
    ) -> Result<impl Future<Output = Result<(), String>> + Send + use<>, EngineError> {
        let options = AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
        let attaching = self.client().attach_container(container.id(), Some(options));
        Ok(keep(self.ask("listen to a container", SLOW, attaching).await?.output, sinks))
    }
}

/// Writes what is said to where it is kept, until no more is said. An error is why it broke off: what is kept is a part then.
async fn keep<E: Display>(
    mut output: impl Stream<Item = Result<LogOutput, E>> + Unpin,
    mut sinks: Sinks,
) -> Result<(), String> {
    while let Some(said) = output.next().await {
        let written = match said.map_err(|error| error.to_string())? {
            LogOutput::StdErr { message } => sinks.stderr.write_all(&message).await,
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                sinks.stdout.write_all(&message).await
            }
            LogOutput::StdIn { .. } => Ok(()),
        };
        // Who keeps it takes no more, and says why.
        if written.is_err() {
            break;
        }
    }
    Ok(())
}

/// Starts it, waits for whatever comes first, and ends it where that was not its own end.
async fn run_within(
    run: &ToolRun,
    container: &Container,
    streams: &Streams,
    deadline: Instant,
    cancel: &CancellationToken,
) -> Result<How, EngineError> {
    if cancel.is_cancelled() {
        return Ok(How::Cancelled);
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(How::Cancelled),
        launched = container.launch() => launched?,
    }
    let how = tokio::select! {
        biased;
        state = container.ended() => return Ok(how_it_ended(state)),
        () = cancel.cancelled() => How::Cancelled,
        () = streams.flooded() => How::Flooded,
        () = disk::filled(run.writable.clone(), run.disk_bytes) => How::Filled,
        () = sleep_until(deadline) => How::TimedOut,
    };
    // Killed and removed in the end, whatever comes of this.
    if container.kill("SIGTERM").await.is_ok() {
        drop(timeout(run.command.limits.grace, container.ended()).await);
    }
    Ok(how)
}

/// An exit code as a program's of this machine would be.
fn how_it_ended(state: ContainerState) -> How {
    match state {
        ContainerState::Exited(Exit { code, .. }) => {
            let signal = code - SIGNALLED;
            let number = |code: i64| i32::try_from(code).unwrap_or(i32::MAX);
            if SIGNALS.contains(&signal) { How::Signalled(number(signal)) } else { How::Exited(number(code)) }
        }
        // Somebody removed it before its end was seen: that was no end of its own.
        _ => How::Signalled(9),
    }
}

fn outside(owner: Owner) -> NetworkSpec {
    NetworkSpec { word: "tool".to_owned(), owner, reach: Reach::Outside }
}

fn spec(
    run: &ToolRun,
    image: &Image,
    network: Option<&Network>,
    rootless: bool,
) -> Result<ContainerSpec, EngineError> {
    let command = &run.command;
    let text = |word: &OsStr| {
        word.to_str().map(str::to_owned).ok_or_else(|| EngineError::Path {
            what: "make a container".to_owned(),
            path: word.to_string_lossy().into_owned(),
            source: std::io::Error::other("the engine takes Unicode only"),
        })
    };
    let limits = ContainerLimits {
        memory_bytes: command.limits.memory_bytes.unwrap_or(MEMORY_BYTES),
        cpu_milli: run.cpu_milli,
        pids: u32::try_from(command.limits.processes).unwrap_or(u32::MAX),
    };
    let mut spec = ContainerSpec::new("tool", Purpose::Tool, run.image.clone(), limits);
    spec.owner = run.owner;
    spec.entrypoint = Some(vec![text(command.program.as_os_str())?]);
    spec.command = Some(command.args.iter().map(|word| text(word)).collect::<Result<_, _>>()?);
    spec.env = command
        .env
        .iter()
        .map(|(name, value)| Ok((text(name)?, text(value)?)))
        .collect::<Result<_, EngineError>>()?;
    for name in ["HOME", "TMPDIR"] {
        spec.env.entry(name.to_owned()).or_insert_with(|| TMP.to_owned());
    }
    let cwd = command.cwd.as_deref().unwrap_or(Path::new(TMP));
    spec.workdir = Some(text(cwd.as_os_str())?);
    // The files it makes are the daemon's: in a rootless engine its root is the daemon's user already.
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    spec.user = Some(if rootless { "0:0".to_owned() } else { format!("{user}:{group}") });
    spec.read_only = true;
    spec.healthcheck = Some(HealthCheck::Off);
    spec.network =
        network.map(|network| Attachment { network: network.name().to_owned(), aliases: Vec::new() });
    let seen =
        run.readable.iter().map(|path| (path, false)).chain(run.writable.iter().map(|path| (path, true)));
    for (path, writable) in seen.filter(|(path, _)| path.exists()) {
        let target = text(path.as_os_str())?;
        spec.mounts.push(Mount::Bind { source: path.clone(), target, writable });
    }
    spec.mounts.push(Mount::Tmpfs { target: TMP.to_owned(), bytes: TMP_BYTES });
    // What the image wants to keep somewhere is memory, too: of a volume of the engine's nobody would know how much is in it.
    let volumes = image.volumes.iter().filter(|target| target.as_str() != TMP);
    spec.mounts.extend(volumes.map(|target| Mount::Tmpfs { target: target.clone(), bytes: TMP_BYTES }));
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::process::Spill;

    #[test]
    fn an_exit_code_says_what_it_would_say_here() {
        let ended = |code| how_it_ended(ContainerState::Exited(Exit { code, oom_killed: false }));
        assert_eq!((ended(0), ended(3), ended(127)), (How::Exited(0), How::Exited(3), How::Exited(127)));
        assert_eq!((ended(137), ended(139)), (How::Signalled(9), How::Signalled(11)));
        assert_eq!((ended(130), ended(255)), (How::Exited(130), How::Exited(255)));
        assert_eq!(how_it_ended(ContainerState::Gone), How::Signalled(9));
    }

    /// A report that lacks its last lines may look whole.
    #[tokio::test]
    async fn what_breaks_off_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let line = || Ok(LogOutput::StdOut { message: "one line\n".into() });
        for (last, is_whole) in [(line(), true), (Err("connection reset"), false)] {
            let (streams, sinks) = Streams::open(folder.path(), 1024).await.unwrap();
            let heard = keep(futures_util::stream::iter([line(), last]), sinks).await;
            let (mut stdout, _) = streams.finish(LAST_WORDS).await;
            assert!(stdout.head.starts_with(b"one line\n"));
            if let Err(why) = &heard {
                stdout.breaks_off(why);
            }
            assert_eq!(stdout.spill == Spill::Whole, is_whole, "{heard:?}");
        }
    }
}
