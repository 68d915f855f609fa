//! Looks at what is in the engine under our labels: removes what nobody holds, tells those who hold what they missed.

use std::collections::HashMap;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};

use super::engine::{Engine, QUICK, SLOW};
use super::error::EngineError;
use super::held::Thing;
use crate::domain::container::state::Exit;
use crate::domain::container::{ContainerState, Health};

/// What came of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Swept {
    pub removed: u32,
    /// Left for the next sweep.
    pub failed: u32,
}

impl Engine {
    /// Removes one object, running or not, with its volumes. One that is not there is no error.
    pub(super) async fn remove(&self, thing: &Thing) -> Result<(), EngineError> {
        let removed = match thing {
            Thing::Container(name) => {
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                let removing = self.client().remove_container(name, Some(options));
                self.ask("remove a container", SLOW, removing).await
            }
            Thing::Network(name) => {
                self.ask("remove a network", SLOW, self.client().remove_network(name)).await
            }
        };
        match removed {
            Err(error) if error.is_absence() => Ok(()),
            // Somebody is removing it already.
            Err(EngineError::Rejected { status: 409, message, .. }) if message.contains("in progress") => {
                Ok(())
            }
            other => other,
        }
    }

    /// Removes what is ours and held by nobody.
    pub(super) async fn sweep(&self) -> Result<Swept, EngineError> {
        let mut swept = Swept::default();
        for thing in self.orphans().await? {
            match self.remove(&thing).await {
                Ok(()) => {
                    swept.removed += 1;
                    tracing::info!("removed {thing}, which nobody held");
                }
                Err(error) => {
                    swept.failed += 1;
                    tracing::warn!("{thing} is held by nobody and still there: {error}");
                }
            }
        }
        Ok(swept)
    }

    /// Containers first: a network goes when nobody is on it.
    async fn orphans(&self) -> Result<Vec<Thing>, EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![self.identity().filter()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let listed = self.ask("list containers", QUICK, self.client().list_containers(Some(options))).await?;
        let containers = listed.into_iter().filter_map(|one| {
            let name = one.names?.first()?.trim_start_matches('/').to_owned();
            Some((Thing::Container(name), one.labels.unwrap_or_default()))
        });
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let listed = self.ask("list networks", QUICK, self.client().list_networks(Some(options))).await?;
        let networks = listed
            .into_iter()
            .filter_map(|one| Some((Thing::Network(one.name?), one.labels.unwrap_or_default())));
        let (identity, held) = (self.identity(), self.held());
        let orphans = containers
            .chain(networks)
            .filter(|(thing, labels)| identity.is_orphan(labels, held.is_held(thing)));
        Ok(orphans.map(|(thing, _)| thing).collect())
    }

    /// Looks at every container that is held and may still change.
    pub(super) async fn reconcile(&self) -> Result<(), EngineError> {
        for id in self.held().living() {
            self.look(&id).await?;
        }
        Ok(())
    }

    /// Looks at one, and tells who holds it.
    pub(super) async fn look(&self, id: &str) -> Result<(), EngineError> {
        match self.ask("look at a container", QUICK, self.client().inspect_container(id, None)).await {
            Ok(seen) => self.held().seen(id, state_of(&seen)),
            Err(error) if error.is_absence() => self.held().seen(id, ContainerState::Gone),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What an inspection says.
pub(super) fn state_of(seen: &ContainerInspectResponse) -> ContainerState {
    use ContainerStateStatusEnum::{CREATED, DEAD, EXITED, PAUSED, REMOVING, RESTARTING, RUNNING};
    let Some(state) = &seen.state else { return ContainerState::Created };
    let health = state.health.as_ref().and_then(|health| health.status);
    match state.status {
        Some(CREATED) => ContainerState::Created,
        Some(RUNNING | RESTARTING) => ContainerState::Running(health_of(health)),
        Some(PAUSED) => ContainerState::Paused,
        Some(EXITED | DEAD | REMOVING) => ContainerState::Exited(Exit {
            code: state.exit_code.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
        }),
        _ => ContainerState::Created,
    }
}

const fn health_of(status: Option<HealthStatusEnum>) -> Health {
    match status {
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => Health::Unasked,
    }
}
