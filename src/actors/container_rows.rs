//! The rows of what has to do with containers: the engine, the apps under test, ZAP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apps::{AppsArguments, AppsServer, RunningApps, Workshop};
use super::docker::{self, DockerArguments, DockerServer, Places};
use super::rows::Plan;
use super::supervise::{Backoff, ChildSpec, Shutdown, Strategy, SupervisorSlot, SupervisorSpec};
use super::zap::{ZapArguments, ZapServer};
use crate::domain::container::Policy;

impl Plan<'_> {
    /// Before all who have containers, so that it is stopped after them.
    pub(super) fn docker(&self) -> ChildSpec {
        let arguments = DockerArguments {
            door: self.doors.docker.clone(),
            identity: self.identity,
            policy: Policy { readable: self.readable(), writable: canonical(&[self.data.runs()]) },
            places: Places::of_process(&self.config.docker.host),
            journal: self.doors.journal.clone(),
        };
        ChildSpec::server_in::<DockerServer>("docker", self.doors.docker.slot(), move || arguments.clone())
            .backoff(Backoff::MANAGER)
            .shutdown(Shutdown::Stop(docker::STOP))
    }

    /// What may be examined, and what tools in images need of ours.
    fn readable(&self) -> Vec<PathBuf> {
        let ours = [self.data.snapshots(), self.data.tool_config(), self.data.rules()];
        [canonical(self.roots), canonical(&ours)].concat()
    }

    /// After the engine's actor, so that what its spares leave is still removed.
    pub(super) fn zap(&self) -> ChildSpec {
        let arguments = ZapArguments { door: self.zap.clone(), docker: self.doors.docker.clone() };
        ChildSpec::server_in::<ZapServer>("zap", self.zap.slot(), move || arguments.clone())
            .backoff(Backoff::MANAGER)
    }

    /// one_for_all: the manager must know all that are up.
    pub(super) fn apps(&self) -> ChildSpec {
        let running = RunningApps::default();
        let workshop = Workshop {
            docker: self.doors.docker.clone(),
            roots: canonical(self.roots),
            apps: self.config.apps,
            images: self.config.docker.clone(),
            making: Arc::default(),
        };
        let arguments = AppsArguments { workshop, running: running.clone() };
        let (slot, cap) = (self.doors.apps.slot().clone(), self.config.apps.running_max);
        ChildSpec::supervisor("apps", &SupervisorSlot::new(), move || {
            let arguments = arguments.clone();
            let manager = ChildSpec::server_in::<AppsServer>("leases", &slot, move || arguments.clone());
            SupervisorSpec::new("apps", Strategy::OneForAll)
                .child(running.row(cap))
                .child(manager.backoff(Backoff::MANAGER))
        })
    }
}

/// As the kernel sees them. What does not exist allows nothing.
fn canonical(paths: &[impl AsRef<Path>]) -> Vec<PathBuf> {
    paths.iter().filter_map(|path| path.as_ref().canonicalize().ok()).collect()
}
