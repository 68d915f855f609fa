//! The manager of the apps: who wants which, and for how long they are kept.
//!
//! ```text
//! absent ──wanted──▶ held(n) ──the last lease is given back──▶ lingering ──time──▶ ended
//!                      ▲  └─ its actor ends: forgotten,          │
//!                      │     leases learn it from its state      │
//!                      └──────────────wanted again───────────────┘
//! ```
//! An app is what its spec names and what that was made from when it was wanted: edited, it is another.
//! Owns: the list of apps, their leases. Who speaks to it: whoever wants an app, through [`super::Apps`]; leases that are
//! dropped. Its death: the apps die with it (one_for_all), and their leases say so. What a daemon that died had left running
//! is removed by the docker actor's sweep, never taken over: nobody knows any more what state it is in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{RwLock, Semaphore, watch};

use super::app::{App, AppArguments, AppMessage, STOP, Workshop};
use super::content;
use super::error::AppError;
use super::lease::{AppState, AppView, Count, Wanted};
use crate::actors::docker::Docker;
use crate::actors::mailbox::{Lane, Message, Reply, Slot};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::supervise::{ChildSpec, Restart, Shutdown, Strategy, SupervisorSlot, SupervisorSpec};
use crate::domain::target::AppSpec;

/// Requests that may wait: one per job that may run, many times over.
const REQUESTS_LIMIT: usize = 64;

/// Apps whose files are read at once: reading is bound by one core and one disk.
const READINGS_MAX: usize = 2;

/// Tries to remove images that a container is still made from, and the pause between them.
const PRUNE_TRIES: u32 = 20;
const PRUNE_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub enum AppsMessage {
    /// Somebody wishes something of an app. What it is made from now is read first.
    Ask { spec: AppSpec, wish: Wish },
    /// What it is made from.
    Read { spec: AppSpec, content: Result<String, AppError>, wish: Wish },
    /// An app has been kept up for long enough.
    Unkeep { app: u64 },
    /// A lease was dropped.
    Release { app: u64 },
    /// An app nobody holds has been kept for long enough, unless it was wanted meanwhile.
    Expire { app: u64, releases: u64 },
    /// An app's actor has started, or could not be.
    Started { app: u64, failed: Option<String> },
    /// An app's actor is gone.
    Gone { app: u64 },
    /// What is up.
    List { reply: Reply<Vec<AppView>> },
    /// End an app, whoever holds it; whether there was one.
    Stop { spec: AppSpec, reply: Reply<bool> },
}

/// What is wished of an app.
#[derive(Debug)]
pub enum Wish {
    /// That it is up, until the lease is dropped. Whether it comes up is read from its state.
    Lease(Reply<Result<Wanted, AppError>>),
    /// That it is kept up for a while, whoever else needs it.
    Keep(Reply<Result<(), AppError>>),
    /// To know what it is made from.
    Content(Reply<Result<String, AppError>>),
}

impl Message for AppsMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Ask { .. } | Self::List { .. } => Lane::Data,
            Self::Read { .. }
            | Self::Unkeep { .. }
            | Self::Release { .. }
            | Self::Expire { .. }
            | Self::Started { .. }
            | Self::Gone { .. }
            | Self::Stop { .. } => Lane::Control,
        }
    }
}

/// Starts and ends apps under the supervisor of all of them.
#[derive(Clone, Default)]
pub struct RunningApps {
    slot: SupervisorSlot,
}

impl RunningApps {
    /// The supervisor's row. `cap` apps may be there at once, with those that are being removed.
    pub fn row(&self, cap: usize) -> ChildSpec {
        ChildSpec::supervisor("up", &self.slot, move || {
            SupervisorSpec::new("up", Strategy::Dynamic { cap: cap * 2 })
        })
    }
}

/// What the manager needs to know, complete.
#[derive(Clone)]
pub struct AppsArguments {
    pub workshop: Workshop,
    pub running: RunningApps,
}

pub struct AppsServer {
    arguments: AppsArguments,
    apps: BTreeMap<u64, Entry>,
    next: u64,
    readings: Arc<Semaphore>,
}

struct Entry {
    spec: AppSpec,
    /// What it is made from.
    content: String,
    state: watch::Receiver<AppState>,
    leases: usize,
    /// Leases given back so far: what a timer was set for.
    releases: u64,
    /// Whether one of the leases is ours, for somebody who asked to keep it.
    kept: bool,
}

impl Entry {
    fn is_over(&self) -> bool {
        self.state.has_changed().is_err() || matches!(&*self.state.borrow(), AppState::Ended(_))
    }
}

impl Server for AppsServer {
    const NAME: &'static str = "apps";
    const MAILBOX_LIMIT: usize = REQUESTS_LIMIT;
    type Message = AppsMessage;
    type Arguments = AppsArguments;

    async fn init(arguments: AppsArguments, _: &Context<AppsMessage>) -> Result<Self, StartError> {
        let readings = Arc::new(Semaphore::new(READINGS_MAX));
        Ok(Self { arguments, apps: BTreeMap::new(), next: 0, readings })
    }

    async fn handle(&mut self, message: AppsMessage, context: &Context<AppsMessage>) -> Result<(), Stop> {
        match message {
            AppsMessage::Ask { spec, wish } => self.read(spec, wish, context),
            AppsMessage::Read { spec, content, wish } => self.grant(spec, content, wish, context),
            AppsMessage::Unkeep { app } => self.unkeep(app, context),
            AppsMessage::Release { app } => self.release(app, context),
            AppsMessage::Expire { app, releases } => self.expire(app, releases, context),
            AppsMessage::Started { app, failed } => self.started(app, failed, context),
            AppsMessage::Gone { app } => self.gone(app, context),
            AppsMessage::List { reply } => reply.send(self.list()),
            AppsMessage::Stop { spec, reply } => reply.send(self.stop(&spec, context)),
        }
        Ok(())
    }
}

impl AppsServer {
    fn read(&self, spec: AppSpec, wish: Wish, context: &Context<AppsMessage>) {
        let (workshop, readings) = (self.arguments.workshop.clone(), Arc::clone(&self.readings));
        let address = context.address().clone();
        context.spawn(async move {
            let _turn = readings.acquire().await;
            let content = content::digest(&spec, &workshop).await;
            drop(address.post(AppsMessage::Read { spec, content, wish }));
        });
    }

    fn grant(
        &mut self,
        spec: AppSpec,
        content: Result<String, AppError>,
        wish: Wish,
        context: &Context<AppsMessage>,
    ) {
        match wish {
            Wish::Lease(reply) => {
                reply.send(content.and_then(|content| self.lease(spec, content, context)));
            }
            Wish::Keep(reply) => reply.send(content.and_then(|content| self.keep(spec, content, context))),
            Wish::Content(reply) => reply.send(content),
        }
    }

    /// A lease of our own, which a timer gives back. Asked for again, it is the same one: so nothing piles up.
    fn keep(
        &mut self,
        spec: AppSpec,
        content: String,
        context: &Context<AppsMessage>,
    ) -> Result<(), AppError> {
        let app = self.wanted(spec, content, context)?;
        self.keep_up(app, context);
        Ok(())
    }

    fn keep_up(&mut self, app: u64, context: &Context<AppsMessage>) {
        if let Some(entry) = self.apps.get_mut(&app)
            && !std::mem::replace(&mut entry.kept, true)
        {
            entry.leases += 1;
            context.send_after(self.arguments.workshop.apps.keep, AppsMessage::Unkeep { app });
        }
    }

    fn unkeep(&mut self, app: u64, context: &Context<AppsMessage>) {
        if let Some(entry) = self.apps.get_mut(&app) {
            entry.kept = false;
            self.release(app, context);
        }
    }

    fn wanted(
        &mut self,
        spec: AppSpec,
        content: String,
        context: &Context<AppsMessage>,
    ) -> Result<u64, AppError> {
        let was_kept = self.clear_outdated(&spec, &content, context);
        let is_it = |entry: &Entry| entry.spec == spec && entry.content == content && !entry.is_over();
        let there = self.apps.iter().find(|(_, entry)| is_it(entry)).map(|(app, _)| *app);
        let app = match there {
            Some(app) => app,
            None => self.begin(spec, content, context)?,
        };
        if was_kept {
            self.keep_up(app, context);
        }
        Ok(app)
    }

    /// Ends what was made from something else and is held by nobody but us; whether one of them was to be kept up. One that
    /// somebody looks at goes when he has done.
    fn clear_outdated(&mut self, spec: &AppSpec, content: &str, context: &Context<AppsMessage>) -> bool {
        let outdated = |entry: &Entry| {
            entry.spec == *spec && entry.content != content && entry.leases == usize::from(entry.kept)
        };
        let outdated: Vec<(u64, bool)> = self
            .apps
            .iter()
            .filter(|(_, entry)| outdated(entry))
            .map(|(app, entry)| (*app, entry.kept))
            .collect();
        for (app, _) in &outdated {
            self.end(*app, context);
        }
        outdated.iter().any(|(_, kept)| *kept)
    }

    fn lease(
        &mut self,
        spec: AppSpec,
        content: String,
        context: &Context<AppsMessage>,
    ) -> Result<Wanted, AppError> {
        let app = self.wanted(spec, content.clone(), context)?;
        let entry = self.apps.get_mut(&app).ok_or(AppError::Stopped)?;
        entry.leases += 1;
        let count = Count { manager: context.address().clone(), app };
        Ok(Wanted { content, state: entry.state.clone(), count })
    }

    fn begin(
        &mut self,
        spec: AppSpec,
        content: String,
        context: &Context<AppsMessage>,
    ) -> Result<u64, AppError> {
        let limit = self.arguments.workshop.apps.running_max;
        if self.apps.values().filter(|entry| !entry.is_over()).count() >= limit {
            return Err(AppError::Full { limit });
        }
        let app = self.next;
        self.next += 1;
        let state = watch::Sender::new(AppState::Preparing("starting".to_owned()));
        let watched = state.subscribe();
        let workshop = self.arguments.workshop.clone();
        self.start_actor(app, AppArguments { spec: spec.clone(), workshop, state }, context);
        let entry = Entry { spec, content, state: watched, leases: 0, releases: 0, kept: false };
        self.apps.insert(app, entry);
        Ok(app)
    }

    fn start_actor(&self, app: u64, arguments: AppArguments, context: &Context<AppsMessage>) {
        let (supervisor, address) = (self.arguments.running.slot.get(), context.address().clone());
        context.spawn(async move {
            let slot: Slot<AppMessage> = Slot::new();
            let child = ChildSpec::once::<App>(child_id(app), &slot, arguments);
            let child = child.restart(Restart::Temporary).shutdown(Shutdown::Stop(STOP));
            let failed = match supervisor {
                Some(supervisor) => supervisor.start_child(child).await.err().map(|error| error.to_string()),
                None => Some("the supervisor of apps is starting".to_owned()),
            };
            drop(address.post(AppsMessage::Started { app, failed }));
            if let Some(actor) = slot.last() {
                actor.closed().await;
            }
            drop(address.post(AppsMessage::Gone { app }));
        });
    }

    fn started(&mut self, app: u64, failed: Option<String>, context: &Context<AppsMessage>) {
        match failed {
            Some(why) => {
                // Its state's sender went with its arguments: who waits for it learns that.
                tracing::error!(app, "the actor of an app could not be started: {why}");
                self.apps.remove(&app);
            }
            // It was ended before there was anything to end.
            None if !self.apps.contains_key(&app) => self.end(app, context),
            None => {}
        }
    }

    fn release(&mut self, app: u64, context: &Context<AppsMessage>) {
        let Some(entry) = self.apps.get_mut(&app) else { return };
        entry.leases = entry.leases.saturating_sub(1);
        entry.releases += 1;
        if entry.leases > 0 {
            return;
        }
        let is_up = matches!(&*entry.state.borrow(), AppState::Up(_));
        // What nobody waits for any more is not made.
        let linger = if is_up { self.arguments.workshop.apps.linger } else { Duration::ZERO };
        context.send_after(linger, AppsMessage::Expire { app, releases: entry.releases });
    }

    fn expire(&mut self, app: u64, releases: u64, context: &Context<AppsMessage>) {
        let unwanted = |entry: &Entry| entry.leases == 0 && entry.releases == releases;
        if self.apps.get(&app).is_some_and(unwanted) {
            self.end(app, context);
        }
    }

    fn stop(&mut self, spec: &AppSpec, context: &Context<AppsMessage>) -> bool {
        let there = self.apps.iter().filter(|(_, entry)| entry.spec == *spec && !entry.is_over());
        let there: Vec<u64> = there.map(|(app, _)| *app).collect();
        for app in &there {
            self.end(*app, context);
        }
        !there.is_empty()
    }

    /// Forgets it at once, so that whoever wants it next gets a new one; its actor is ended beside.
    fn end(&mut self, app: u64, context: &Context<AppsMessage>) {
        self.apps.remove(&app);
        let Some(supervisor) = self.arguments.running.slot.get() else { return };
        context.spawn(async move {
            // An error means that it is gone already.
            drop(supervisor.terminate_child(&child_id(app).as_str().into()).await);
        });
    }

    /// The images of apps are kept for the next time, up to a number.
    fn gone(&mut self, app: u64, context: &Context<AppsMessage>) {
        self.apps.remove(&app);
        let Workshop { docker, apps, making, .. } = self.arguments.workshop.clone();
        context.spawn(async move {
            for _ in 0..PRUNE_TRIES {
                if is_pruned(&docker, apps.images_kept, &making).await {
                    return;
                }
                tokio::time::sleep(PRUNE_PAUSE).await;
            }
        });
    }

    fn list(&self) -> Vec<AppView> {
        let view = |entry: &Entry| AppView {
            spec: entry.spec.clone(),
            state: entry.state.borrow().clone(),
            leases: entry.leases,
        };
        self.apps.values().map(view).collect()
    }
}

/// `false`: try again in a moment. An image is being made then, or the container of the app that has ended is still being
/// removed, or the engine is busy. What stays after all tries is looked at again when the next app ends.
async fn is_pruned(docker: &Docker, kept: usize, making: &RwLock<()>) -> bool {
    let Ok(_nobody_makes_one) = making.try_write() else { return false };
    let Ok(engine) = docker.engine().await else { return false };
    engine.prune_images(kept).await.is_ok_and(|left| left == 0)
}

fn child_id(app: u64) -> String {
    format!("app-{app}")
}
