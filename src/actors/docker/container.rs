//! Containers of our own.
//!
//! ```text
//! held ──create──▶ made ──files──▶ filled ──start──▶ running ──▶ ended ──remove, or dropped──▶ gone
//!   └── refused by the policy     └────── any step fails: removed by the guard ──────┘
//! ```
//! How it stands is in [`Container::state`], fed by the engine's events and, where one was missed, by a look every half minute.

use std::net::IpAddr;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptionsBuilder, KillContainerOptionsBuilder, LogsOptions,
    LogsOptionsBuilder, StatsOptionsBuilder, StopContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::engine::{Engine, QUICK, SLOW};
use super::error::EngineError;
use super::held::{Hold, Thing};
use super::{body, context, sweep};
use crate::domain::container::{Attachment, ContainerSpec, ContainerState, FileIn, Mount};

/// What a tail of a log holds at most.
const TAIL_BYTES_MAX: usize = 64 << 10;
/// Lines asked for, for a tail.
const TAIL_LINES: &str = "200";
/// What is held of a log at once.
const LOG_BYTES_MAX: usize = 4 << 20;
/// Added to the time that a container is given to end by itself, for the engine's answer.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// A container. Dropped, it is killed and removed.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    id: String,
    address: Option<IpAddr>,
    state: watch::Receiver<ContainerState>,
    hold: Hold,
}

impl Engine {
    /// Makes a container, puts its files into it and starts it. The image must be there: see [`Engine::image`].
    pub async fn start(&self, spec: &ContainerSpec) -> Result<Container, EngineError> {
        let mut container = self.create(spec).await?;
        container.launch().await?;
        let seen = self.inspect(&container.id).await?;
        // The event of its start does not say whether it has a health check.
        self.held().seen(&container.id, sweep::state_of(&seen));
        container.address = container.find_address(&seen, spec.network.as_ref()).await?;
        Ok(container)
    }

    /// Makes a container and puts its files into it.
    pub(super) async fn create(&self, spec: &ContainerSpec) -> Result<Container, EngineError> {
        let spec = self.judged(spec.clone()).await?;
        let is_closed = match &spec.network {
            Some(attachment) => self.is_closed(attachment).await?,
            None => true,
        };
        let name = Self::name(&spec.word);
        let thing = Thing::Container(name.clone());
        let (mut hold, state) = self.hold(thing.clone());
        hold.ask();
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let body = body::create(&spec, self.identity(), is_closed);
        let made = self.ask("make a container", SLOW, self.client().create_container(Some(options), body));
        let id = made.await.map_err(|error| missing_image(error, &spec))?.id;
        self.held().identify(&thing, &id);
        let container = Container { engine: self.clone(), id, address: None, state, hold };
        if !spec.files.is_empty() {
            container.put(&spec.files).await?;
        }
        Ok(container)
    }

    /// The spec with its paths followed to where they really lead, if it may be made.
    async fn judged(&self, mut spec: ContainerSpec) -> Result<ContainerSpec, EngineError> {
        for mount in &mut spec.mounts {
            if let Mount::Bind { source, .. } = mount {
                let wanted = source.clone();
                let real = tokio::task::spawn_blocking(move || std::fs::canonicalize(wanted)).await;
                let real = real.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
                *source = real.map_err(|error| EngineError::Path {
                    what: "make a container".to_owned(),
                    path: source.display().to_string(),
                    source: error,
                })?;
            }
        }
        self.policy().judge(&spec).map_err(EngineError::Refused)?;
        Ok(spec)
    }

    async fn is_closed(&self, attachment: &Attachment) -> Result<bool, EngineError> {
        let looked = self.client().inspect_network(&attachment.network, None);
        let network = self.ask("look at a network", QUICK, looked).await?;
        Ok(network.internal.unwrap_or_default())
    }

    pub(super) async fn inspect(&self, id: &str) -> Result<ContainerInspectResponse, EngineError> {
        self.look_at("look at a container", QUICK, || self.client().inspect_container(id, None)).await
    }
}

fn missing_image(error: EngineError, spec: &ContainerSpec) -> EngineError {
    match error {
        EngineError::Rejected { status: 404, message, .. } if message.to_lowercase().contains("image") => {
            let advice = "pull or build it first".to_owned();
            EngineError::ImageMissing { image: spec.image.clone(), why: message, advice }
        }
        other => other,
    }
}

impl Container {
    /// The engine's id of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn name(&self) -> &str {
        self.hold.thing().name()
    }

    /// On its network, reachable from this machine; `None` when it has no network, or had ended well before it was looked at.
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Starts what was made.
    pub(super) async fn launch(&self) -> Result<(), EngineError> {
        let starting = self.engine.client().start_container(&self.id, None);
        self.engine.ask("start a container", SLOW, starting).await
    }

    /// How it stands, to be looked at and waited on.
    pub fn state(&self) -> watch::Receiver<ContainerState> {
        self.state.clone()
    }

    /// Waits for its end, however long that takes.
    pub async fn ended(&self) -> ContainerState {
        let mut state = self.state.clone();
        // The sender lives in the register for as long as this guard does.
        state.wait_for(|state| state.is_over()).await.map_or(ContainerState::Gone, |state| *state)
    }

    async fn find_address(
        &self,
        seen: &ContainerInspectResponse,
        attachment: Option<&Attachment>,
    ) -> Result<Option<IpAddr>, EngineError> {
        let Some(Attachment { network, .. }) = attachment else { return Ok(None) };
        let networks = seen.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let endpoint = networks.and_then(|networks| networks.get(network));
        let address = endpoint.and_then(|endpoint| endpoint.ip_address.as_deref()?.parse().ok());
        if address.is_some() {
            return Ok(address);
        }
        let name = self.name().to_owned();
        match sweep::state_of(seen) {
            // It has done its work already.
            ContainerState::Exited(exit) if exit.code == 0 => Ok(None),
            ContainerState::Exited(exit) => {
                let tail = self.log_tail().await.unwrap_or_default();
                Err(EngineError::EndedAtOnce { name, code: exit.code, oom_killed: exit.oom_killed, tail })
            }
            _ => Err(EngineError::NoAddress { name, network: network.clone() }),
        }
    }

    /// The end of what it printed, for people: at most 200 lines and 64 KiB.
    pub async fn log_tail(&self) -> Result<String, EngineError> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(TAIL_LINES).build();
        let mut end = Vec::new();
        let hold = |piece: &[u8]| {
            end.extend_from_slice(piece);
            end.drain(..end.len().saturating_sub(LOG_BYTES_MAX));
        };
        self.read_log(options, QUICK, hold).await?;
        let text = String::from_utf8_lossy(&end);
        let cut = text.len().saturating_sub(TAIL_BYTES_MAX);
        Ok(text[text.ceil_char_boundary(cut)..].to_owned())
    }

    /// All that the engine keeps of what it printed, both streams in the order they came, piece by piece.
    pub async fn log(&self, take: impl FnMut(&[u8])) -> Result<(), EngineError> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
        self.read_log(options, SLOW, take).await
    }

    async fn read_log(
        &self,
        options: LogsOptions,
        patience: Duration,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), EngineError> {
        let reading = async {
            let mut stream = Box::pin(self.engine.client().logs(&self.id, Some(options)));
            while let Some(piece) = stream.next().await {
                take(&piece.map(LogOutput::into_bytes)?);
            }
            Ok(())
        };
        self.engine.ask("read a container's log", patience, reading).await
    }

    /// Bytes that it has written to its own layer of the disk; mounts are not counted. The engine adds them up: not for
    /// every second.
    pub async fn disk_bytes(&self) -> Result<u64, EngineError> {
        let options = InspectContainerOptionsBuilder::default().size(true).build();
        let looked = || self.engine.client().inspect_container(&self.id, Some(options.clone()));
        let seen = self.engine.look_at("measure a container", SLOW, looked).await?;
        Ok(seen.size_rw.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
    }

    /// Bytes of memory that it has now, and may have. What the kernel keeps of files and would drop at once is not counted.
    pub async fn memory_bytes(&self) -> Result<(u64, u64), EngineError> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let mut stats = Box::pin(self.engine.client().stats(&self.id, Some(options)));
        let seen = self.engine.ask("measure a container", QUICK, stats.try_next()).await?;
        let memory = seen.and_then(|seen| seen.memory_stats).unwrap_or_default();
        // Their names in cgroups v1 and v2.
        let kept = ["total_inactive_file", "inactive_file"];
        let parts = memory.stats.unwrap_or_default();
        let kept = kept.iter().find_map(|name| parts.get(*name)).copied().unwrap_or_default();
        Ok((memory.usage.unwrap_or_default().saturating_sub(kept), memory.limit.unwrap_or_default()))
    }

    /// Unpacks a tar archive in a directory that is there.
    pub async fn copy_in(&self, directory: &str, tar: Vec<u8>) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::default().path(directory).build();
        let body = bollard::body_full(tar.into());
        let copying = self.engine.client().upload_to_container(&self.id, Some(options), body);
        self.engine.ask("put files into a container", SLOW, copying).await
    }

    async fn put(&self, files: &[FileIn]) -> Result<(), EngineError> {
        let tar = context::archive_of(files).map_err(|source| EngineError::Path {
            what: "put files into a container".to_owned(),
            path: files.first().map(|file| file.path.clone()).unwrap_or_default(),
            source,
        })?;
        self.copy_in("/", tar).await
    }

    /// Asks it to end, kills it after `grace`, and waits until it has ended. One that has ended is no error.
    pub async fn stop(&self, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        let stopping = self.engine.client().stop_container(&self.id, Some(options));
        settled(self.engine.ask("stop a container", grace + STOP_MARGIN, stopping).await)?;
        // What the engine has answered is heard as an event a moment later, or seen by the next look.
        drop(timeout(STOP_MARGIN, self.ended()).await);
        Ok(())
    }

    /// Sends a signal to its first process; one that has ended is no error.
    pub async fn kill(&self, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let killing = self.engine.client().kill_container(&self.id, Some(options));
        settled(self.engine.ask("signal a container", QUICK, killing).await)
    }

    /// Kills and removes it now, with its volumes. Whatever comes of that, the sweep sees to the rest.
    pub async fn remove(self) -> Result<(), EngineError> {
        let Self { engine, hold, .. } = self;
        engine.remove(hold.thing()).await?;
        hold.settle();
        Ok(())
    }
}

/// 304, 404 and 409: it does not run any more.
fn settled(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(EngineError::Rejected { status: 304 | 404 | 409, .. }) => Ok(()),
        other => other,
    }
}
