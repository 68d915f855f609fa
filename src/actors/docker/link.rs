//! One connection's life: found, asked for its versions, followed, watched and swept, until it does not answer.
//!
//! ```text
//! look ──there is none──▶ Unavailable
//!   └──answers──▶ followed: events │ a ping every 15 s │ a sweep every 30 s ──no answer──▶ Unavailable
//!                    └─ the stream of events ends: it is opened again where it ended, and every container looked at
//! ```
//! Streams never time out by themselves (the client's bound covers the head of an answer only): the pings are what notices
//! an engine that hangs.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemVersion;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use super::engine::{Engine, EngineInfo, House};
use super::error::{Unavailable, deepest};
use super::events::{Seen, Told};
use super::places::{self, Places};
use crate::domain::container::Happening;
use crate::domain::container::floor::{self, Standing};

/// How long the first questions may take: an engine that starts answers late.
const LOOK: Duration = Duration::from_secs(10);
/// The client's own bound on the head of an answer, above every bound of ours.
const CLIENT_S: u64 = 3_600;
/// How often it is asked whether it is there, and how long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING: Duration = Duration::from_secs(5);
/// Pings without an answer after which it is taken for gone: a busy machine may miss one.
const PINGS_MISSED_MAX: u32 = 2;
/// How often orphans are looked for, and those who hold containers are told what they may have missed.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Before a stream of events that ended is opened again.
const REOPEN: Duration = Duration::from_millis(200);
/// How far back the first stream begins: what happens between the first look and the first event is not lost, also when
/// the engine's clock is a little behind.
const LOOK_BACK_S: i64 = 5;
/// How long a look at a container that died may take before its end is told without.
const LAST_LOOK: Duration = Duration::from_secs(3);
/// Containers whose lack of memory is remembered until their end is heard of.
const SHORT_OF_MEMORY_MAX: usize = 256;

/// What somebody is told who wants TLS.
const NO_TLS: &str = "unix:///path and tcp://address:port are spoken, without TLS or ssh: forward the engine's socket to this machine \
     (`ssh -L /path/docker.sock:/var/run/docker.sock HOST`) and name that (docker.host = \"unix:///path/docker.sock\")";
const REFUSED: io::ErrorKind = io::ErrorKind::ConnectionRefused;
const NOT_FOUND: io::ErrorKind = io::ErrorKind::NotFound;
const DENIED: io::ErrorKind = io::ErrorKind::PermissionDenied;

/// Why one place gave no engine.
struct Miss {
    unavailable: Unavailable,
    /// Nobody listens there, or not to us: another place may be meant.
    is_closed: bool,
}

impl From<Unavailable> for Miss {
    fn from(unavailable: Unavailable) -> Self {
        Self { unavailable, is_closed: false }
    }
}

/// Finds an engine and shakes hands. A socket that somebody left behind does not hide the engine behind the next.
pub(super) async fn connect(places: &Places, house: House) -> Result<Engine, Unavailable> {
    let mut first = None;
    for host in places.present() {
        match greet(host, places, house.clone()).await {
            Ok(engine) => return Ok(engine),
            Err(Miss { unavailable, is_closed: false }) => return Err(unavailable),
            Err(Miss { unavailable, .. }) => drop(first.get_or_insert(unavailable)),
        }
    }
    Err(first.unwrap_or_else(|| {
        let why = format!("no engine's socket is there, of {} ({})", places.listed(), places.chosen_by);
        Unavailable::new(why, "start Docker or Podman, or say where it is (docker.host)")
    }))
}

async fn greet(host: &str, places: &Places, house: House) -> Result<Engine, Miss> {
    if let Some(variable) = places.tls {
        let why = format!("{host} ({}) is to be asked over TLS ({variable})", places.chosen_by);
        return Err(Unavailable::new(why, NO_TLS).into());
    }
    let failed = |error: Error| Miss {
        is_closed: matches!(kind(&error), Some(REFUSED | NOT_FOUND | DENIED)),
        unavailable: unanswered(host, places, &error),
    };
    let slow = |_| {
        let why = format!("{host} ({}) did not answer within {} s", places.chosen_by, LOOK.as_secs());
        Miss::from(Unavailable::new(why, "look at the engine's own log; proctor tries again by itself"))
    };
    let client = open(host).map_err(failed)?;
    let client = timeout(LOOK, client.negotiate_version()).await.map_err(slow)?.map_err(failed)?;
    let api = client.client_version().to_string();
    if let Standing::Below(floor) = floor::api(&api) {
        let why = format!("{host} ({}) speaks API {api}, and {floor} is needed", places.chosen_by);
        let advice = "update the engine: Docker 20.10 or later, Podman 3 or later";
        return Err(Unavailable::new(why, advice).into());
    }
    let version = timeout(LOOK, client.version()).await.map_err(slow)?.map_err(failed)?;
    let system = timeout(LOOK, client.info()).await.map_err(slow)?.map_err(failed)?;
    let options = system.security_options.unwrap_or_default();
    let rootless = options.iter().any(|option| option == "name=rootless") || places::is_somebodys(host);
    let info = EngineInfo { rootless, api, ..described(host, version) };
    Ok(Engine::new(client, info, house))
}

fn open(host: &str) -> Result<bollard::Docker, Error> {
    match host.split_once("://") {
        Some(("unix", _)) => bollard::Docker::connect_with_unix(host, CLIENT_S, bollard::API_DEFAULT_VERSION),
        Some(("tcp" | "http", _)) => {
            bollard::Docker::connect_with_http(host, CLIENT_S, bollard::API_DEFAULT_VERSION)
        }
        _ => Err(Error::UnsupportedURISchemeError { uri: host.to_owned() }),
    }
}

fn unanswered(host: &str, places: &Places, error: &Error) -> Unavailable {
    let why = format!("{host} ({}): {}", places.chosen_by, deepest(error));
    let advice = match (error, kind(error)) {
        (Error::UnsupportedURISchemeError { .. }, _) => NO_TLS,
        // What a port that speaks TLS says to who does not.
        (Error::DockerResponseServerError { status_code: 400, message }, _) if message.contains("HTTPS") => {
            NO_TLS
        }
        (_, Some(DENIED)) => {
            "whoever may use this socket is root; let proctor's user use it (group `docker`), or run a rootless engine"
        }
        (_, Some(REFUSED | NOT_FOUND)) => "the engine is not running: start it",
        _ => "look at the engine's own log; proctor tries again by itself",
    };
    Unavailable::new(why, advice)
}

/// What the operating system said, if that was it.
fn kind(error: &Error) -> Option<io::ErrorKind> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

fn described(host: &str, version: SystemVersion) -> EngineInfo {
    let components = version.components.unwrap_or_default();
    let of = |names: &[&str]| {
        let mut found = components.iter().filter(|one| names.iter().any(|name| one.name.contains(name)));
        found.next().map(|one| one.version.lines().next().unwrap_or_default().to_owned())
    };
    let podman = components.iter().any(|one| one.name.contains("Podman"));
    EngineInfo {
        host: host.to_owned(),
        product: if podman { "Podman" } else { "Docker" }.to_owned(),
        version: version.version.unwrap_or_else(|| "unknown".to_owned()),
        api: version.api_version.unwrap_or_default(),
        runc: of(&["runc", "crun", "OCI Runtime"]),
        rootless: false,
    }
}

/// Follows an engine until it does not answer; says why that is.
pub(super) async fn keep(engine: &Engine) -> Unavailable {
    let why = tokio::select! {
        why = follow(engine) => why,
        why = watch(engine) => why,
        never = sweep(engine) => match never {},
    };
    Unavailable::new(
        format!("{} answers no more: {why}", engine.info().host),
        "proctor goes on by itself when it is back",
    )
}

/// Hears the events; ends when the engine is not there when it should begin again.
async fn follow(engine: &Engine) -> String {
    let mut seen = Seen::since(jiff::Timestamp::now().as_second() - LOOK_BACK_S);
    let mut short_of_memory = BTreeSet::new();
    loop {
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![engine.identity().filter()]),
        ]);
        let options = EventsOptionsBuilder::default().since(&seen.resume()).filters(&filters).build();
        let mut events = Box::pin(engine.client().events(Some(options)));
        while let Some(Ok(event)) = events.next().await {
            if let Some(told) = seen.take(&event) {
                tell(engine, told, &mut short_of_memory).await;
            }
        }
        drop(events);
        metrics::counter!("proctor_engine_streams_ended_total").increment(1);
        sleep(REOPEN).await;
        if let Err(why) = ping(engine).await {
            return why;
        }
        // What was missed is seen.
        if let Err(error) = engine.reconcile().await {
            tracing::debug!(%error, "the containers could not be looked at");
        }
    }
}

async fn tell(engine: &Engine, told: Told, short_of_memory: &mut BTreeSet<String>) {
    let Told { container, happening } = told;
    match happening {
        Happening::OutOfMemory if short_of_memory.len() < SHORT_OF_MEMORY_MAX => {
            short_of_memory.insert(container.clone());
        }
        Happening::Unpaused => {
            engine.held().happened(&container, happening);
            // It may have had a word on its health before.
            drop(timeout(LAST_LOOK, engine.look(&container)).await);
            return;
        }
        Happening::Died { .. } => {
            // Its last words say whether memory was the cause; the event does not.
            drop(timeout(LAST_LOOK, engine.look(&container)).await);
            if short_of_memory.remove(&container) {
                engine.held().happened(&container, happening);
                engine.held().happened(&container, Happening::OutOfMemory);
                return;
            }
        }
        _ => {}
    }
    engine.held().happened(&container, happening);
}

/// Asks whether the engine is there; ends when it is not.
async fn watch(engine: &Engine) -> String {
    let mut missed = 0;
    loop {
        sleep(PING_EVERY).await;
        match ping(engine).await {
            Ok(()) => missed = 0,
            Err(why) => {
                missed += 1;
                tracing::warn!(missed, "the Docker engine did not answer a ping: {why}");
                if missed >= PINGS_MISSED_MAX {
                    return why;
                }
            }
        }
    }
}

async fn ping(engine: &Engine) -> Result<(), String> {
    match timeout(PING, engine.client().ping()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(deepest(&error)),
        Err(_elapsed) => Err(format!("no answer to a ping within {} s", PING.as_secs())),
    }
}

/// Removes what nobody holds, now and then.
async fn sweep(engine: &Engine) -> std::convert::Infallible {
    let mut clock = interval_at(Instant::now(), SWEEP_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let swept = engine.sweep().await.map(|swept| {
            metrics::counter!("proctor_engine_orphans_removed_total").increment(swept.removed.into());
        });
        if let Err(error) = swept.and(engine.reconcile().await) {
            // Whether it is there at all is found out by the pings.
            tracing::warn!("the engine could not be swept: {error}");
        }
    }
}
