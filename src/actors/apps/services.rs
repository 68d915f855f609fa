//! The containers of an app, on one network of their own, started in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout_at};

use super::error::AppError;
use super::images::Made;
use super::plan::inside;
use crate::actors::docker::image::Progress;
use crate::actors::docker::{Container, Engine, Network};
use crate::domain::app::{After, Condition, MountPlan, ServicePlan, name_of};
use crate::domain::container::state::Exit;
use crate::domain::container::{
    Attachment, ContainerLimits, ContainerSpec, ContainerState, Health, Mount, NetworkSpec, Owner, Purpose,
    Reach,
};

/// Between two looks at what the containers have written: the engine adds up all files of their own layers for one.
const DISK_EVERY: Duration = Duration::from_secs(10);
/// Memory that a tmpfs of a service may take; it counts against the service's limit anyway.
const TMPFS_BYTES: u64 = 256 << 20;

/// All that runs of an app. Dropped, it is removed: the containers, then their network.
#[derive(Debug)]
pub struct Services {
    running: Vec<Service>,
    _network: Network,
}

#[derive(Debug)]
pub(super) struct Service {
    pub name: String,
    /// By which the others know it.
    names: Vec<String>,
    pub container: Container,
}

/// Where and how they are started.
pub(super) struct Stage<'a> {
    pub engine: &'a Engine,
    /// Where relative paths begin.
    pub home: &'a Path,
    pub roots: &'a [PathBuf],
    pub limits: ContainerLimits,
    pub reach: Reach,
    /// By when all of them run.
    pub deadline: Instant,
    pub started: Instant,
}

impl Services {
    pub fn get(&self, name: &str) -> Option<&Container> {
        self.running.iter().find(|service| service.name == name).map(|service| &service.container)
    }

    /// Starts each service when what it waits for is so.
    pub(super) async fn start(
        stage: &Stage<'_>,
        plans: &[(ServicePlan, Made)],
        progress: Progress<'_>,
    ) -> Result<Arc<Self>, AppError> {
        let spec = NetworkSpec { word: "app".to_owned(), owner: Owner::default(), reach: stage.reach };
        let network =
            stage.engine.network(&spec).await.map_err(|error| AppError::of_engine("network", error))?;
        let mut this = Self { running: Vec::new(), _network: network };
        for (plan, made) in plans {
            for after in &plan.after {
                progress(&format!("{} waits for {}", plan.name, after.service));
                this.wait_for(stage, after).await?;
            }
            progress(&format!("starting {}", plan.name));
            let spec = ContainerSpec { hosts: this.hosts(), ..stage.spec(plan, made, this._network.name())? };
            let container = stage.engine.start(&spec).await;
            let container = container.map_err(|error| AppError::of_engine(&plan.name, error))?;
            let mut names = vec![plan.name.clone()];
            names.extend(plan.aliases.iter().cloned());
            this.running.push(Service { name: plan.name.clone(), names, container });
        }
        Ok(Arc::new(this))
    }

    /// Where those are that run. Not every engine's resolver tells it to a container whose network leads nowhere.
    fn hosts(&self) -> BTreeMap<String, IpAddr> {
        let known = self.running.iter().filter_map(|service| Some((service, service.container.address()?)));
        known
            .flat_map(|(service, address)| service.names.iter().map(move |name| (name.clone(), address)))
            .collect()
    }

    async fn wait_for(&self, stage: &Stage<'_>, after: &After) -> Result<(), AppError> {
        // Ordered by the plan: it has been started.
        let Some(container) = self.get(&after.service) else { return Ok(()) };
        let is_so = |state: ContainerState| match after.until {
            Condition::Started => true,
            Condition::Healthy => matches!(state, ContainerState::Running(Health::Healthy)),
            Condition::Completed => matches!(state, ContainerState::Exited(Exit { code: 0, .. })),
        };
        let mut states = container.state();
        let decided = states.wait_for(|state| {
            is_so(*state) || state.is_over() || *state == ContainerState::Running(Health::Unhealthy)
        });
        let state = timeout_at(stage.deadline, decided).await.map(|state| state.map(|state| *state));
        let tail = async || container.log_tail().await.unwrap_or_default();
        let service = after.service.clone();
        match state {
            Ok(Ok(state)) if is_so(state) => Ok(()),
            Ok(Ok(ContainerState::Running(Health::Unhealthy))) => {
                Err(AppError::Unhealthy { service, tail: tail().await })
            }
            Ok(Ok(ContainerState::Exited(exit))) => Err(AppError::Died { service, exit, tail: tail().await }),
            Ok(_) => Err(AppError::Engine { service, why: "its container was removed".to_owned() }),
            Err(_elapsed) => Err(AppError::NotReady {
                seconds: stage.started.elapsed().as_secs(),
                last: format!("{service} is not as others need it"),
                tail: tail().await,
            }),
        }
    }

    /// One that has ended and should not have; those that end well besides the one that is looked at have done their work.
    pub(super) fn casualty(&self, entry: &str) -> Option<(&Service, Exit)> {
        self.running.iter().find_map(|service| {
            let state = *service.container.state().borrow();
            fatal(state, service.name == entry).map(|exit| (service, exit))
        })
    }

    /// Waits for the end of any that should not end.
    pub(super) async fn lost(&self, entry: &str) -> AppError {
        let ends =
            self.running.iter().map(|service| async move { (service, service.container.ended().await) });
        let mut ends: FuturesUnordered<_> = ends.collect();
        while let Some((service, state)) = ends.next().await {
            if let Some(exit) = fatal(state, service.name == entry) {
                let tail = service.container.log_tail().await.unwrap_or_default();
                return AppError::Lost { service: service.name.clone(), exit, tail };
            }
        }
        AppError::Stopped
    }

    /// Waits for one that has written more than it may.
    pub(super) async fn filled(&self, limit_mib: u64) -> AppError {
        loop {
            sleep(DISK_EVERY).await;
            for Service { name, container, .. } in &self.running {
                // What cannot be measured now is measured the next time.
                let bytes = container.disk_bytes().await.unwrap_or_default();
                if bytes > limit_mib << 20 {
                    return AppError::DiskFull { service: name.clone(), limit_mib };
                }
            }
        }
    }

    /// The end of what each printed.
    pub(super) async fn log_tail(&self) -> String {
        let mut text = String::new();
        for Service { name, container, .. } in &self.running {
            let tail = container.log_tail().await.unwrap_or_default();
            if self.running.len() > 1 {
                text.push_str(&format!("== {name}\n"));
            }
            text.push_str(&tail);
        }
        text
    }

    /// Removes them now. What cannot be is left to the guards.
    pub(super) async fn remove(self) {
        let Self { running, _network } = self;
        let removals = running.into_iter().map(|service| service.container.remove());
        for removed in futures_util::future::join_all(removals).await {
            drop(
                removed.inspect_err(|error| {
                    tracing::debug!("a container of an app is left to the sweep: {error}")
                }),
            );
        }
        drop(
            _network
                .remove()
                .await
                .inspect_err(|error| tracing::debug!("a network of an app is left to the sweep: {error}")),
        );
    }
}

/// How it ended, if that is the end of the app. One that was removed by somebody says nothing more.
fn fatal(state: ContainerState, is_entry: bool) -> Option<Exit> {
    match state {
        ContainerState::Exited(exit) if is_entry || exit.code != 0 => Some(exit),
        ContainerState::Gone => Some(Exit { code: -1, oom_killed: false }),
        _ => None,
    }
}

impl Stage<'_> {
    fn spec(&self, plan: &ServicePlan, made: &Made, network: &str) -> Result<ContainerSpec, AppError> {
        let word = name_of(&plan.name);
        let mut spec = ContainerSpec::new(&word, Purpose::App, made.name.clone(), self.limits);
        let mut aliases = vec![plan.name.clone()];
        aliases.extend(plan.aliases.iter().cloned());
        spec.network = Some(Attachment { network: network.to_owned(), aliases });
        spec.capabilities = Purpose::App.grantable().to_vec();
        spec.entrypoint.clone_from(&plan.entrypoint);
        spec.command.clone_from(&plan.command);
        spec.env.clone_from(&plan.env);
        spec.user.clone_from(&plan.user);
        spec.workdir.clone_from(&plan.workdir);
        spec.read_only = plan.read_only;
        spec.healthcheck.clone_from(&plan.health);
        spec.demands.clone_from(&plan.demands);
        spec.mounts = plan.mounts.iter().map(|mount| self.mount(mount)).collect::<Result<_, _>>()?;
        Ok(spec)
    }

    /// What is named relative to the plan is found there; the policy says whether it may be mounted.
    fn mount(&self, mount: &MountPlan) -> Result<Mount, AppError> {
        Ok(match mount {
            MountPlan::Volume { target } => Mount::Volume { target: target.clone() },
            MountPlan::Tmpfs { target } => Mount::Tmpfs { target: target.clone(), bytes: TMPFS_BYTES },
            MountPlan::Bind { source, target, writable } => {
                let source = self.home.join(source);
                // The engine's socket is refused by the policy, with its own words.
                let real = inside(&source, self.roots);
                let source = if source.ends_with("docker.sock") { source } else { real? };
                Mount::Bind { source, target: target.clone(), writable: *writable }
            }
        })
    }

    /// Until the deadline, for messages.
    pub fn waited(&self) -> Duration {
        self.started.elapsed()
    }
}
