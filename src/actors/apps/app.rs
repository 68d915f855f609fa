//! One app under test, from its files to its end.
//!
//! ```text
//! preparing: planned ─▶ images ─▶ services in order ─▶ answers ──▶ up ──▶ a service ends: ended(lost)
//!      └────────────── any step fails: ended(why) ────────┘       └─ stopped: by the manager, when nobody holds it
//! ```
//! Owns: the app's containers and network, by their guards, inside of the one task that goes through these steps. Who speaks
//! to it: nobody but its own task; how it stands is read from a watch. Its death, however it comes, drops the task and so
//! the guards.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{RwLock, watch};
use tokio::time::Instant;

use super::error::AppError;
use super::health::{self, Question};
use super::images::{self, Bounds, Made};
use super::lease::{AppState, Endpoint};
use super::plan::{self, Planned};
use super::services::{Services, Stage};
use crate::actors::docker::{Docker, Engine};
use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::config::{self, BuildNetwork};
use crate::domain::app::{self, ServicePlan};
use crate::domain::container::{ContainerLimits, Reach};
use crate::domain::scope::Authority;
use crate::domain::target::AppSpec;

/// It hears of its own task only.
const MAILBOX_LIMIT: usize = 1;
/// Under which all apps are named: nobody's name on any network.
const DOMAIN: &str = "app.internal";

/// What every app is started with.
#[derive(Debug, Clone)]
pub struct Workshop {
    pub docker: Docker,
    /// Canonical: what may be read for an app lies under one of them.
    pub roots: Vec<PathBuf>,
    pub apps: config::Apps,
    pub images: config::Docker,
    /// Read by an app from the build of its images until containers are made from them; written by who removes images.
    /// Without it an image would go as superfluous between the two.
    pub making: Arc<RwLock<()>>,
}

pub(super) struct AppArguments {
    pub spec: AppSpec,
    pub workshop: Workshop,
    pub state: watch::Sender<AppState>,
}

pub(super) enum AppMessage {
    /// Its task has come to its end, and said why.
    Ended,
}

impl Message for AppMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

pub(super) struct App;

impl Server for App {
    const NAME: &'static str = "app";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = AppMessage;
    type Arguments = AppArguments;

    async fn init(arguments: AppArguments, context: &Context<AppMessage>) -> Result<Self, StartError> {
        let address = context.address().clone();
        context.spawn(async move {
            let AppArguments { spec, workshop, state } = arguments;
            let error = live(&spec, &workshop, &state).await;
            tracing::info!(app = %spec, "an app under test ended: {error}");
            state.send_replace(AppState::Ended(error));
            drop(address.post(AppMessage::Ended));
        });
        Ok(Self)
    }

    async fn handle(&mut self, message: AppMessage, _: &Context<AppMessage>) -> Result<(), Stop> {
        match message {
            AppMessage::Ended => Err(Stop::Normal),
        }
    }
}

/// Goes through all steps; returns when the app is up no more, or never came up.
async fn live(spec: &AppSpec, workshop: &Workshop, state: &watch::Sender<AppState>) -> AppError {
    let progress = |step: &str| {
        state.send_replace(AppState::Preparing(step.to_owned()));
    };
    let (services, entry) = match start(spec, workshop, &progress).await {
        Ok(Started { services, endpoint, entry }) => {
            state.send_replace(AppState::Up(endpoint));
            (services, entry)
        }
        Err(error) => return error,
    };
    let error = tokio::select! {
        lost = services.lost(&entry) => lost,
        full = services.filled(workshop.apps.disk_mib) => full,
    };
    // Said before it is cleared away: who looks at it should not wait for that.
    state.send_replace(AppState::Ended(error.clone()));
    // A reader of its log may hold it for a moment: then the guards remove it.
    if let Some(services) = Arc::into_inner(services) {
        services.remove().await;
    }
    error
}

struct Started {
    services: Arc<Services>,
    endpoint: Endpoint,
    entry: String,
}

async fn start(
    spec: &AppSpec,
    workshop: &Workshop,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Started, AppError> {
    let engine = workshop.docker.engine().await?;
    engine.reaches_containers().map_err(|error| AppError::of_engine("app", error))?;
    let (wanted, roots) = (spec.clone(), workshop.roots.clone());
    let reading = tokio::task::spawn_blocking(move || plan::read(&wanted, &roots)).await;
    let planned = reading.map_err(|panic| AppError::NotNow(panic.to_string()))??;
    let making = workshop.making.read().await;
    let made = make_all(&engine, &planned, workshop, progress).await?;
    let entry = planned.plan.entry.clone();
    let (exposed, ports) = made.iter().find(|(service, _)| service.name == entry).map_or_else(
        || (Vec::new(), Vec::new()),
        |(service, made)| (made.image.ports.clone(), service.ports.clone()),
    );
    let port = app::port(spec.port, &ports, &exposed, &spec.to_string())?;
    let now = Instant::now();
    let stage = Stage {
        engine: &engine,
        home: &planned.home,
        roots: &workshop.roots,
        limits: limits(&workshop.apps),
        reach: if workshop.apps.outside { Reach::Outside } else { Reach::Internal },
        deadline: now + workshop.apps.start,
        started: now,
    };
    let services = Services::start(&stage, &made, progress).await?;
    drop(making);
    let address = match services.get(&entry).and_then(|container| container.address()) {
        Some(address) => SocketAddr::new(address, port),
        None => return Err(unaddressed(&services, &entry).await),
    };
    let authority = Authority::new(&format!("{}.{DOMAIN}", planned.name), port)
        .map_err(|refused| AppError::NotNow(refused.to_string()))?;
    progress("waiting for an answer");
    let path = spec.health.as_deref();
    let question = Question { entry: &entry, authority: &authority, address, path };
    tokio::select! {
        answered = health::wait(&services, &question, &stage) => answered?,
        full = services.filled(workshop.apps.disk_mib) => return Err(full),
    }
    let endpoint = Endpoint { authority, address, services: Arc::downgrade(&services) };
    Ok(Started { services, endpoint, entry })
}

/// What is looked at has no address: most likely it has ended.
async fn unaddressed(services: &Services, entry: &str) -> AppError {
    match services.casualty(entry) {
        Some((service, exit)) => {
            let tail = service.container.log_tail().await.unwrap_or_default();
            AppError::Died { service: service.name.clone(), exit, tail }
        }
        None => AppError::Engine { service: entry.to_owned(), why: "it has no address".to_owned() },
    }
}

async fn make_all(
    engine: &Engine,
    planned: &Planned,
    workshop: &Workshop,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Vec<(ServicePlan, Made)>, AppError> {
    let config::Apps { build, build_network, context_bytes_max, .. } = workshop.apps;
    let bounds = Bounds {
        pull: (&workshop.images).into(),
        build,
        network: build_network == BuildNetwork::Default,
        context_bytes: context_bytes_max,
        limits: limits(&workshop.apps),
    };
    let mut made = Vec::new();
    for service in &planned.plan.services {
        let told = |line: &str| progress(&format!("{}: {line}", service.name));
        let image = images::make(engine, service, &planned.home, &workshop.roots, bounds, &told).await?;
        made.push((service.clone(), image));
    }
    Ok(made)
}

fn limits(apps: &config::Apps) -> ContainerLimits {
    ContainerLimits {
        memory_bytes: apps.memory_mib << 20,
        cpu_milli: apps.cpu_percent.saturating_mul(10),
        pids: apps.pids_max,
    }
}

/// How long the guards of an app that is stopped may take before it is killed: they only post.
pub(super) const STOP: Duration = Duration::from_secs(5);
