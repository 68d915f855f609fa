//! One ZAP: a container of its own on a network of its own, from which nothing leads out.
//!
//! ```text
//! image ─▶ network ─▶ container ─▶ asked for its version ─answered─▶ ready ─▶ used once ─▶ dropped
//!                                     ├─ it ended ──────────────▶ zap_unready
//!                                     ├─ its time is over ──────▶ zap_unready
//!                                     └─ it hangs up, again and again ▶ zap_refused
//! ```
//! Owns the container and the network by their guards: dropped, both are removed. Ready is what answers with our key to our
//! address, never what an exit code or a health check says.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::client::{ApiKey, Client, ZapError};
use super::settings::Settings;
use crate::actors::docker::{Container, Engine, EngineError, Network};
use crate::actors::random;
use crate::domain::container::{
    Attachment, ContainerSpec, ContainerState, HealthCheck, NetworkSpec, Owner, Purpose, Reach,
};
use crate::domain::outcome::FailureReason;
use crate::domain::zap::log::{self, LogReader, LogReading, Refusal};
use crate::domain::zap::trouble::Trouble;

/// Where ZAP listens in its container.
const PORT: u16 = 8080;
/// Between two questions whether it is up.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long it may hang up on us before that is its last word, when its log does not say why. While it starts it may take a
/// connection too early.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// For the end of its log, when the engine may be gone, too.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Java's own code when [`JAVA_OPTIONS`] ended it.
const EXIT_OUT_OF_MEMORY: i64 = 3;
/// Without this a ZAP out of memory goes on answering, with dead scanners.
const JAVA_OPTIONS: (&str, &str) = ("JAVA_TOOL_OPTIONS", "-XX:+ExitOnOutOfMemoryError");

/// A ZAP that answers. Dropped, it is gone.
#[derive(Debug)]
pub struct Instance {
    // Before the network, which it is on.
    container: Container,
    network: Network,
    client: Client,
    version: String,
    /// What its log may hold and nobody is shown.
    secrets: Vec<String>,
}

/// For whom a ZAP is started.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub owner: Owner,
    /// A header of each request to the hosts whose name holds the first text: its name, its value.
    pub header: Option<(String, String, String)>,
}

impl Instance {
    /// Starts a ZAP and waits until it answers.
    pub async fn start(engine: &Engine, settings: &Settings, wish: &Wish) -> Result<Self, Trouble> {
        engine
            .image(&settings.image, settings.pull, &|line| tracing::info!("{line}"))
            .await
            .map_err(engine_trouble)?;
        let spec = NetworkSpec { word: "zap".to_owned(), owner: wish.owner, reach: Reach::Internal };
        let network = engine.network(&spec).await.map_err(engine_trouble)?;
        let key = ApiKey::from_random(random::bytes());
        let spec = spec_of(settings, wish, &network, &key);
        let header = wish.header.iter().map(|(_, _, value)| value.clone());
        let secrets: Vec<String> = header.chain([key.reveal().to_owned()]).collect();
        let container = engine.start(&spec).await.map_err(|error| not_started(error, &secrets))?;
        let address = container.address().ok_or_else(|| unready("its container has no address"))?;
        let client = Client::new(SocketAddr::new(address, PORT), key);
        let mut instance = Self { container, network, client, version: String::new(), secrets };
        match instance.ready(settings.ready).await {
            Ok(version) => instance.version = version,
            Err(trouble) => return Err(trouble.leaving(instance.last_words().await)),
        }
        Ok(instance)
    }

    async fn ready(&self, patience: Duration) -> Result<String, Trouble> {
        let deadline = Instant::now() + patience;
        tokio::select! {
            biased;
            state = self.container.ended() => Err(self.ended_early(state).await),
            answered = timeout_at(deadline, self.first_answer()) => match answered {
                Ok(answered) => answered,
                Err(_) => {
                    let detail = format!("it did not answer within {} s of its start", patience.as_secs());
                    Err(unready(detail).advise("see its log; a slow machine needs more (`zap.ready_s`)"))
                }
            },
        }
    }

    async fn first_answer(&self) -> Result<String, Trouble> {
        let mut refused_since = None;
        loop {
            match self.client.version().await {
                Ok(version) => return Ok(version),
                Err(ZapError::Refused { .. }) => {
                    let since = *refused_since.get_or_insert_with(Instant::now);
                    if let Some(refused) = self.refusal().await {
                        return Err(refused);
                    }
                    if since.elapsed() >= REFUSED_FOR {
                        return Err(refused("ZAP hangs up on us without a word"));
                    }
                }
                Err(error) if error.is_of_the_wire() => refused_since = None,
                // It speaks, and not as ZAP does.
                Err(error) => return Err(unready(error.to_string())),
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// What hanging up means, if ZAP's own log says so.
    pub async fn refusal(&self) -> Option<Trouble> {
        Some(refused(match self.log().await.refusal? {
            Refusal::Key => "ZAP does not take our API key",
            Refusal::Address => "ZAP does not permit our address",
        }))
    }

    async fn ended_early(&self, state: ContainerState) -> Trouble {
        let trouble = self.died(state).await;
        match trouble.reason {
            FailureReason::ZapDied => unready(format!("it ended before it answered: {}", trouble.detail)),
            _ => trouble,
        }
    }

    /// What its end means.
    pub async fn died(&self, state: ContainerState) -> Trouble {
        let memory = |detail: String| {
            Trouble::new(FailureReason::MemoryExceeded, detail).advise("give it more (`zap.memory_mib`)")
        };
        match state {
            ContainerState::Exited(exit) if exit.oom_killed => {
                memory("the kernel ended ZAP at its memory limit".to_owned())
            }
            ContainerState::Exited(exit)
                if exit.code == EXIT_OUT_OF_MEMORY && self.log().await.permits_no_memory() =>
            {
                memory("ZAP ran out of memory within its heap".to_owned())
            }
            ContainerState::Exited(exit) => {
                Trouble::new(FailureReason::ZapDied, format!("its container ended with code {}", exit.code))
            }
            ContainerState::Gone => Trouble::new(FailureReason::ZapDied, "its container was removed"),
            other => Trouble::new(FailureReason::ZapDied, format!("its container is {other:?}")),
        }
    }

    /// What its log says; what could not be read of it is said, too.
    pub async fn log(&self) -> LogReading {
        let mut reader = LogReader::default();
        let read = self.container.log(|piece| reader.take(piece)).await;
        reader.finish(read.err().map(|error| error.to_string()))
    }

    /// The end of its log, as it may be shown. Empty when it cannot be had.
    pub async fn last_words(&self) -> String {
        let text = timeout(LAST_WORDS, self.container.log_tail()).await;
        log::tail(&text.ok().and_then(Result::ok).unwrap_or_default(), &self.secrets)
    }

    pub const fn client(&self) -> &Client {
        &self.client
    }

    pub const fn container(&self) -> &Container {
        &self.container
    }

    /// Where to listen for it.
    pub const fn gateway(&self) -> IpAddr {
        self.network.gateway()
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it is still there.
    pub fn is_alive(&self) -> bool {
        !self.container.state().borrow().is_over()
    }

    /// Removes it now, so that whoever waits for the end of a scan finds nothing left.
    pub async fn remove(self) {
        let Self { container, network, .. } = self;
        for removed in [container.remove().await, network.remove().await] {
            if let Err(error) = removed {
                tracing::warn!(%error, "what is left of a ZAP is removed later");
            }
        }
    }
}

fn refused(why: &str) -> Trouble {
    Trouble::new(FailureReason::ZapRefused, why)
        .advise("see `zap.options`: is `api.key` or `api.addrs` set there?")
}

fn unready(detail: impl Into<String>) -> Trouble {
    Trouble::new(FailureReason::ZapUnready, detail)
}

/// What a container says that ended at once is ZAP's log, and may hold what nobody is shown.
fn not_started(error: EngineError, secrets: &[String]) -> Trouble {
    let EngineError::EndedAtOnce { code, tail, .. } = &error else { return engine_trouble(error) };
    let (detail, tail) = (format!("its container ended at once, with {code}"), log::tail(tail, secrets));
    Trouble { detail, ..engine_trouble(error) }.leaving(tail)
}

/// What a failure of the engine means for whoever needs a ZAP.
pub(super) fn engine_trouble(error: EngineError) -> Trouble {
    let detail = error.to_string();
    let reason = match error {
        // Also one that answers and starts nothing, as while it is stopped.
        _ if error.is_passing() => FailureReason::EngineUnavailable,
        EngineError::ImageMissing { .. } => FailureReason::ImageMissing,
        EngineError::EndedAtOnce { oom_killed: true, .. } => FailureReason::MemoryExceeded,
        _ => FailureReason::ZapUnready,
    };
    Trouble::new(reason, detail)
}

fn spec_of(settings: &Settings, wish: &Wish, network: &Network, key: &ApiKey) -> ContainerSpec {
    let mut spec =
        ContainerSpec::new("zap", Purpose::Scanner, settings.image.clone(), settings.container_limits());
    spec.owner = wish.owner;
    spec.command = Some(command(settings, network.gateway(), key));
    spec.network = Some(Attachment { network: network.name().to_owned(), aliases: Vec::new() });
    // The official image's asks on a fixed port every few seconds; we ask ourselves.
    spec.healthcheck = Some(HealthCheck::Off);
    spec.env.insert(JAVA_OPTIONS.0.to_owned(), JAVA_OPTIONS.1.to_owned());
    if let Some((site, name, value)) = &wish.header {
        let variables =
            [("ZAP_AUTH_HEADER_SITE", site), ("ZAP_AUTH_HEADER", name), ("ZAP_AUTH_HEADER_VALUE", value)];
        spec.env.extend(variables.map(|(key, value)| (key.to_owned(), value.clone())));
    }
    spec
}

/// ZAP takes its settings from left to right: those of the configuration come last, and win.
fn command(settings: &Settings, gateway: IpAddr, key: &ApiKey) -> Vec<String> {
    let mut words: Vec<String> =
        ["zap.sh", "-daemon", "-silent", "-host", "0.0.0.0", "-port"].map(str::to_owned).into();
    words.extend([PORT.to_string(), format!("-Xmx{}m", settings.heap_mib())]);
    let ours = [
        format!("api.key={}", key.reveal()),
        // Both must be permitted: who calls, and the name it calls ZAP by.
        format!("api.addrs.addr(0).name={gateway}"),
        "api.addrs.addr(1).name=zap".to_owned(),
        // For a crash of ZAP; ours is never started again, and the log is a second copy of all it sends.
        "database.recoverylog=false".to_owned(),
    ];
    for option in ours.iter().chain(&settings.options) {
        words.extend(["-config".to_owned(), option.clone()]);
    }
    words
}
