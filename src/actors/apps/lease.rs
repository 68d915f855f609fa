//! What others hold: the door to the apps, and a lease on one of them.
//!
//! ```text
//! asked for ──▶ preparing ──▶ up ──▶ held ──dropped──▶ released       the last one: the app goes, after a while
//!                  └─▶ failed: told to all who wait
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::error::AppError;
use super::server::{AppsMessage, Wish};
use super::services::Services;
use crate::actors::docker::image::Progress;
use crate::actors::mailbox::{Address, Reply, Slot};
use crate::domain::scope::{Authority, Scope};
use crate::domain::target::AppSpec;

/// How long the manager may take to say what it knows.
const ASK: Duration = Duration::from_secs(10);
/// The same, where it has to read first what an app is made from: as much as an image may be built from.
const READ: Duration = Duration::from_secs(60);

/// How an app stands.
#[derive(Debug, Clone)]
pub enum AppState {
    /// With what is being done, for people.
    Preparing(String),
    Up(Endpoint),
    /// It never came up, or is up no more. Final.
    Ended(AppError),
}

/// Where an app that is up is spoken to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What it is called by all who look at it, in each of its lives: `NAME.app.internal:PORT`.
    pub authority: Authority,
    /// What it is reached by in this life, from this machine.
    pub address: SocketAddr,
    pub(super) services: Weak<Services>,
}

/// The door to the apps. Survives the manager's restart; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Apps {
    slot: Slot<AppsMessage>,
}

/// An app, for a list.
#[derive(Debug, Clone)]
pub struct AppView {
    pub spec: AppSpec,
    pub state: AppState,
    pub leases: usize,
}

/// What the manager answers: a lease that is counted from now on, on an app that may have to be started first.
#[derive(Debug)]
pub struct Wanted {
    pub(super) content: String,
    pub(super) state: watch::Receiver<AppState>,
    pub(super) count: Count,
}

/// One lease, as the manager counts it. Dropped, it is given back.
#[derive(Debug)]
pub(super) struct Count {
    pub manager: Address<AppsMessage>,
    pub app: u64,
}

impl Drop for Count {
    fn drop(&mut self) {
        // A manager that is gone counts no more, and its apps have gone with it.
        drop(self.manager.post(AppsMessage::Release { app: self.app }));
    }
}

impl Apps {
    /// Where the manager is put, by the table of children.
    pub const fn slot(&self) -> &Slot<AppsMessage> {
        &self.slot
    }

    /// An app that is up, started when it is not. Equal specs share one. How long that may take is bounded by the
    /// configuration (`apps.build_s`, `apps.start_s`, `docker.pull_s`); a caller in a hurry drops the future.
    pub async fn lease(&self, spec: &AppSpec, progress: Progress<'_>) -> Result<AppLease, AppError> {
        self.want(spec).await?.up(progress).await
    }

    /// The same, in two steps: what it is made from is known after the first.
    pub async fn want(&self, spec: &AppSpec) -> Result<Wanted, AppError> {
        self.wish(spec, Wish::Lease).await
    }

    /// What an app would be made from now, as a digest.
    pub async fn content(&self, spec: &AppSpec) -> Result<String, AppError> {
        self.wish(spec, Wish::Content).await
    }

    /// Keeps an app up for `apps.keep_s`, started when it is not, whoever else needs it meanwhile. Answered at once.
    pub async fn keep(&self, spec: &AppSpec) -> Result<(), AppError> {
        self.wish(spec, Wish::Keep).await
    }

    async fn wish<T: Send + 'static>(
        &self,
        spec: &AppSpec,
        wish: fn(Reply<Result<T, AppError>>) -> Wish,
    ) -> Result<T, AppError> {
        let request = |reply| AppsMessage::Ask { spec: spec.clone(), wish: wish(reply) };
        let granted = self.manager()?.call(request, READ).await;
        granted.map_err(|error| AppError::NotNow(error.to_string()))?
    }

    /// All apps that are up or being started.
    pub async fn list(&self) -> Result<Vec<AppView>, AppError> {
        let listed = self.manager()?.call(|reply| AppsMessage::List { reply }, ASK).await;
        listed.map_err(|error| AppError::NotNow(error.to_string()))
    }

    /// Ends an app whoever holds it; whether there was one.
    pub async fn stop(&self, spec: &AppSpec) -> Result<bool, AppError> {
        let request = |reply| AppsMessage::Stop { spec: spec.clone(), reply };
        let stopped = self.manager()?.call(request, ASK).await;
        stopped.map_err(|error| AppError::NotNow(error.to_string()))
    }

    fn manager(&self) -> Result<Address<AppsMessage>, AppError> {
        self.slot.get().ok_or_else(|| AppError::NotNow("their manager is starting".to_owned()))
    }
}

impl Wanted {
    /// What it is made from, as a digest.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Waits until it is up.
    pub async fn up(self, progress: Progress<'_>) -> Result<AppLease, AppError> {
        let Self { mut state, count, .. } = self;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                AppState::Preparing(step) => progress(&step),
                AppState::Up(endpoint) => return Ok(AppLease { endpoint, state, _count: Arc::new(count) }),
                AppState::Ended(error) => return Err(error),
            }
            // Its actor died without a word.
            state.changed().await.map_err(|_| AppError::Stopped)?;
        }
    }
}

/// Keeps an app up. Cheap to clone: the app may go when the last clone has been dropped.
#[derive(Debug, Clone)]
pub struct AppLease {
    endpoint: Endpoint,
    state: watch::Receiver<AppState>,
    _count: Arc<Count>,
}

impl AppLease {
    /// Where it is reached in this life, from this machine.
    pub const fn address(&self) -> SocketAddr {
        self.endpoint.address
    }

    /// What it is called in every life.
    pub const fn authority(&self) -> &Authority {
        &self.endpoint.authority
    }

    /// `http://NAME.app.internal:PORT/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.endpoint.authority)
    }

    /// The scope that holds it and nothing else.
    pub fn scope(&self) -> Scope {
        Scope::default().with(self.endpoint.authority.clone(), vec![self.endpoint.address])
    }

    /// Why it is up no more; `None` while it is.
    pub fn lost(&self) -> Option<AppError> {
        if self.state.has_changed().is_err() {
            return Some(self.ending());
        }
        match &*self.state.borrow() {
            AppState::Ended(error) => Some(error.clone()),
            AppState::Preparing(_) | AppState::Up(_) => None,
        }
    }

    /// Resolves when it is up no more, and says why.
    pub async fn ended(&self) -> AppError {
        let mut state = self.state.clone();
        // An error means that its actor is gone, and it with it.
        drop(state.wait_for(|state| matches!(state, AppState::Ended(_))).await);
        self.ending()
    }

    fn ending(&self) -> AppError {
        match &*self.state.borrow() {
            AppState::Ended(error) => error.clone(),
            AppState::Preparing(_) | AppState::Up(_) => AppError::Stopped,
        }
    }

    /// The end of what its services printed, for people. Empty when it is gone.
    pub async fn log_tail(&self) -> String {
        match self.endpoint.services.upgrade() {
            Some(services) => services.log_tail().await,
            None => self.lost().map(|error| error.log_tail().to_owned()).unwrap_or_default(),
        }
    }
}
