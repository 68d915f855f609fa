//! The daemon's table of children: what [`super::root`] starts, in order, and what each is made of.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use tokio::time::Instant;

use super::breakers::{BreakersArguments, BreakersServer};
use super::data_dir::DataDir;
use super::egress::Resolver;
use super::gateway::sessions;
use super::gateway::settings::Settings;
use super::gateway::token::{Token, Tokens};
use super::gateway::token_list::TokenList;
use super::handles::{Deadlines, Handles, Source};
use super::host;
use super::installer::Installed;
use super::jobs::contain::Containers;
use super::jobs::execute::Workplace;
use super::jobs::job::Shop;
use super::jobs::looks::{Looks, LooksArguments};
use super::jobs::site::Sites;
use super::jobs::target::Roots;
use super::jobs::{Jobs, JobsArguments, RunningJobs, snapshot};
use super::notify::{Notify, NotifyArguments, Parts, ServiceManager};
use super::pressure::{Meter, Pressure, PressureActor, PressureArguments};
use super::session::convert;
use super::store::{Store, StoreArguments, StoreServer};
use super::supervise::{Backoff, ChildSpec, Intensity, Strategy, Supervisor, SupervisorSlot, SupervisorSpec};
use super::zap::Zap;
use crate::config::{self, Config};
use crate::domain::admission;
use crate::domain::breaker::{Dependency, Rules};
use crate::domain::container::Identity;
use crate::domain::pressure::{Level, Watermarks};
use crate::domain::rescue::Tries;
use crate::domain::scope::Lists;
use crate::domain::slots::Weight;
use crate::domain::supervision::Kind;
use crate::domain::tree::TreeNode;
use crate::telemetry;
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Manifest;

use super::root::Doors;

/// Give-up rule of the outermost supervisor: small, because those below multiply it.
const ROOT_INTENSITY: Intensity = Intensity { restarts: 3, period: Duration::from_secs(60) };
/// A manager that crashes comes back at once, then ever more slowly; ten minutes of peace forgive it.
const MANAGER_BACKOFF: Backoff = Backoff::MANAGER;
/// Seconds in a deadline a client may not exceed when the configuration's is out of range.
const DEADLINE_S_FALLBACK: u32 = 86_400;

/// All that the table is made from.
pub(super) struct Plan<'a> {
    pub config: &'a Config,
    pub roots: &'a [PathBuf],
    pub shim: PathBuf,
    pub manager: Option<ServiceManager>,
    pub meter: Option<Meter>,
    /// Outlives who measures.
    pub pressure: watch::Sender<Pressure>,
    pub data: &'a DataDir,
    /// Which directory's daemon this is, and which of its lives.
    pub identity: Identity,
    pub catalogue: Arc<Catalogue>,
    pub policy: snapshot::Policy,
    pub token: &'a Token,
    pub listener: Arc<TcpListener>,
    pub doors: &'a Doors,
    pub zap: Zap,
}

impl Plan<'_> {
    /// Start order; stopped in reverse.
    pub fn root(&self) -> SupervisorSpec {
        SupervisorSpec::new("root", Strategy::RestForOne)
            .intensity(ROOT_INTENSITY)
            .child(self.store())
            .child(self.services())
            .child(self.gateway())
            .child(self.notify())
    }
}

impl Plan<'_> {
    fn store(&self) -> ChildSpec {
        let mut arguments = StoreArguments::new(self.data.root().to_owned(), self.identity.boot);
        arguments.health = self.doors.health.clone();
        // Essential: a database that cannot be opened is nothing to serve without.
        ChildSpec::server_in::<StoreServer>("store", &self.doors.store, move || arguments.clone())
            .backoff(MANAGER_BACKOFF)
            .essential()
    }

    fn services(&self) -> ChildSpec {
        let watching = self.upkeep().into_iter().chain(self.pressure());
        let needed = [self.looks(), self.breakers(), self.docker(), self.apps(), self.zap()];
        let children: Vec<ChildSpec> = watching.chain(needed).chain([self.jobs()]).collect();
        ChildSpec::supervisor("services", &SupervisorSlot::new(), move || {
            let services = SupervisorSpec::new("services", Strategy::OneForOne);
            children.iter().cloned().fold(services, SupervisorSpec::child)
        })
    }

    fn breakers(&self) -> ChildSpec {
        let config = self.config.breakers;
        let rules = Rules {
            failures_max: config.failures_max,
            reset: config.reset,
            reset_max: config.reset_max.max(config.reset),
        };
        let arguments = BreakersArguments {
            rules,
            door: self.doors.breakers.clone(),
            journal: self.doors.journal.clone(),
        };
        ChildSpec::server_in::<BreakersServer>("breakers", self.doors.breakers.slot(), move || {
            arguments.clone()
        })
        .backoff(MANAGER_BACKOFF)
    }

    fn looks(&self) -> ChildSpec {
        let arguments = LooksArguments { policy: self.policy.clone(), limits: self.snapshot_limits() };
        ChildSpec::server_in::<Looks>("looks", &self.doors.looks, move || arguments.clone())
            .backoff(MANAGER_BACKOFF)
    }

    fn snapshot_limits(&self) -> snapshot::Limits {
        let limits = self.config.snapshot;
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        snapshot::Limits {
            file_bytes: count(limits.file_bytes_max),
            line_bytes: count(limits.line_bytes_max),
            depth: limits.depth_max,
            files: count(limits.files_max),
            total_bytes: limits.bytes_max,
            ..snapshot::Limits::default()
        }
    }

    fn pressure(&self) -> Option<ChildSpec> {
        let marks = &self.config.memory;
        let marks = Watermarks {
            jobs: marks.jobs_percent,
            connections: marks.connections_percent,
            shed: marks.shed_percent,
        };
        let arguments =
            PressureArguments { meter: self.meter.clone()?, marks, published: self.pressure.clone() };
        let child = ChildSpec::server::<PressureActor>("pressure", move || arguments.clone());
        Some(child.backoff(MANAGER_BACKOFF))
    }

    fn jobs(&self) -> ChildSpec {
        let limits = admission::Limits {
            running: self.config.jobs.running_max,
            queued_per_principal: self.config.jobs.queue_per_principal_max,
            queued: self.config.jobs.queue_max,
        };
        let capacity = host::capacity(&self.config.jobs);
        let running = RunningJobs::default();
        let arguments = JobsArguments {
            limits,
            lease: self.config.jobs.lease,
            tries: Tries {
                attempts_max: self.config.jobs.attempts_max,
                deaths_max: self.config.jobs.daemon_deaths_max,
            },
            capacity,
            shop: Arc::new(self.shop(capacity)),
            running: running.clone(),
            room: self.doors.room.clone(),
            pressure: self.pressure.subscribe(),
        };
        let slot = self.doors.jobs.clone();
        // one_for_all: jobs under way report to a manager that must know them.
        ChildSpec::supervisor("jobs", &SupervisorSlot::new(), move || {
            let arguments = arguments.clone();
            let manager = ChildSpec::server_in::<Jobs>("manager", &slot, move || arguments.clone());
            SupervisorSpec::new("jobs", Strategy::OneForAll)
                .child(running.row(limits.running))
                .child(manager.backoff(MANAGER_BACKOFF))
        })
    }

    fn shop(&self, capacity: Weight) -> Shop {
        Shop {
            catalogue: Arc::clone(&self.catalogue),
            workplace: Arc::new(Workplace {
                runs: self.data.runs(),
                tool_config: self.data.tool_config(),
                rules: self.data.rules(),
                tools: self.config.daemon.tools_dir.clone(),
                grace: self.config.process.grace,
                output_bytes: self.config.process.output_bytes_max,
                memory_bytes: u64::from(capacity.memory_mib) << 20,
                shim: self.shim.clone(),
                sandbox: self.config.process.sandbox,
                readable: self.config.process.sandbox_readable.clone(),
                containers: Containers {
                    docker: self.doors.docker.clone(),
                    images: self.config.docker.clone(),
                },
            }),
            store: self.told_store(),
            breakers: self.doors.breakers.clone(),
            sites: Sites {
                resolver: Resolver::system(),
                lists: Arc::new(self.lists()),
                apps: self.doors.apps.clone(),
                zap: self.zap.clone(),
            },
            snapshots: self.data.snapshots(),
            snapshot_limits: self.snapshot_limits(),
            policy: self.policy.clone(),
        }
    }

    fn lists(&self) -> Lists {
        let targets = &self.config.targets;
        Lists { hosts: targets.hosts.clone(), active: targets.active.clone() }
    }

    pub(super) fn tree(&self) -> Source<TreeNode> {
        let root = self.doors.root.clone();
        // Unknown in the instant before its own children start.
        Arc::new(move || {
            root.get().map_or_else(|| TreeNode::starting("root", Kind::Supervisor), Supervisor::tree)
        })
    }

    /// The store whose writes about jobs are told to the journal.
    fn told_store(&self) -> Store {
        Store::new(self.doors.store.clone()).telling(self.doors.journal.clone())
    }

    fn gateway(&self) -> ChildSpec {
        let tokens = Tokens::of_owner(self.token).and_list(TokenList::of(self.data.root()));
        let settings = Settings::new(&self.config.gateway, tokens, telemetry::metrics().cloned());
        let plan = sessions::Plan { listener: Arc::clone(&self.listener), settings, handles: self.handles() };
        sessions::child(plan, &self.doors.gateway)
    }

    fn notify(&self) -> ChildSpec {
        let parts = Parts {
            root: Arc::clone(&self.doors.root),
            store: self.told_store(),
            jobs: self.doors.jobs.clone(),
        };
        let arguments = NotifyArguments { manager: self.manager.clone(), parts };
        ChildSpec::server_in::<Notify>("notify", &self.doors.notify, move || arguments.clone())
    }

    fn handles(&self) -> Handles {
        #[cfg(feature = "fault-injection")]
        let kill = self.doors.root.clone();
        Handles {
            tree: self.tree(),
            tools: self.tools(),
            ready: self.ready(),
            pressure: self.pressure.subscribe(),
            jobs: self.doors.jobs.clone(),
            looks: self.doors.looks.clone(),
            store: Store::new(self.doors.store.clone()),
            targets: Arc::new(Roots::new(self.roots, self.data.root())),
            lists: Arc::new(self.lists()),
            apps: self.doors.apps.clone(),
            catalogue: Arc::clone(&self.catalogue),
            deadlines: deadlines(&self.config.jobs),
            exports: Arc::default(),
            journal: self.doors.journal.clone(),
            #[cfg(feature = "fault-injection")]
            kill: Arc::new(move |actor| kill.get().is_some_and(|root| root.kill_below(actor))),
        }
    }

    fn ready(&self) -> Source<Result<(), String>> {
        let (jobs, health) = (self.doors.jobs.clone(), self.doors.health.clone());
        let (room, pressure) = (self.doors.room.clone(), self.pressure.subscribe());
        Arc::new(move || {
            jobs.get().ok_or_else(|| "the job engine is starting".to_owned())?;
            if let Some(fault) = health.fault() {
                return Err(format!("{}: {fault}", fault.kind.word()));
            }
            room.check().map_err(|lack| format!("no_room: {lack}"))?;
            let pressure = *pressure.borrow();
            if pressure.level > Level::Calm { Err(format!("memory: {pressure}")) } else { Ok(()) }
        })
    }

    /// Whether a tool is installed is looked up each time: it may have come meanwhile.
    fn tools(&self) -> Source<convert::ToolsAnswer> {
        let (catalogue, tools_dir) = (Arc::clone(&self.catalogue), self.config.daemon.tools_dir.clone());
        let breakers = self.doors.breakers.clone();
        Arc::new(move || {
            let is_installed = |manifest: &Manifest| Installed::is_ready(manifest, &tools_dir);
            convert::tools_answer(&catalogue, is_installed, |manifest| {
                let down = breakers.down(&Dependency::Tool(manifest.name.clone()))?;
                Some(down.retry_in(Instant::now()))
            })
        })
    }
}

fn deadlines(jobs: &config::Jobs) -> Deadlines {
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(DEADLINE_S_FALLBACK);
    Deadlines { default_s: seconds(jobs.deadline), max_s: seconds(jobs.deadline_max) }
}
