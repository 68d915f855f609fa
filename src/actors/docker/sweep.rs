//! Looks at what is in the engine under our labels: removes what nobody holds, tells those who hold what they missed.

use std::collections::HashMap;
use std::pin::pin;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
};

use futures_util::{StreamExt as _, stream};

use super::engine::{Engine, QUICK, SLOW};
use super::error::EngineError;
use super::held::Thing;
use crate::domain::container::state::Exit;
use crate::domain::container::{ContainerState, Health};

/// Removals at once: an engine's disk does not get faster by more.
const REMOVALS_AT_ONCE: usize = 4;

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
            Thing::Volume(name) => {
                let unforced = RemoveVolumeOptionsBuilder::default().force(false).build();
                self.ask("remove a volume", SLOW, self.client().remove_volume(name, Some(unforced))).await
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
        let (identity, held) = (self.identity(), self.held());
        let found = self.found().await?;
        // A volume of this life may be that of a container that is being made.
        let is_held = |thing: &Thing| matches!(thing, Thing::Volume(_)) || held.is_held(thing);
        let orphans = found.into_iter().filter(|(thing, labels)| identity.is_orphan(labels, is_held(thing)));
        Ok(self.remove_all(orphans.map(|(thing, _)| thing).collect()).await)
    }

    /// Removes all that is ours, whoever holds it.
    pub(super) async fn clear(&self) -> Result<Swept, EngineError> {
        let found = self.found().await?;
        Ok(self.remove_all(found.into_iter().map(|(thing, _)| thing).collect()).await)
    }

    /// Containers first: a network or a volume goes when nobody is on it.
    async fn remove_all(&self, things: Vec<Thing>) -> Swept {
        let (containers, others): (Vec<Thing>, Vec<Thing>) =
            things.into_iter().partition(|thing| matches!(thing, Thing::Container(_)));
        let mut swept = Swept::default();
        for things in [containers, others] {
            let removals = stream::iter(things).map(|thing| {
                let engine = self.clone();
                async move {
                    let removed = engine.remove(&thing).await;
                    (thing, removed)
                }
            });
            let mut removals = pin!(removals.buffer_unordered(REMOVALS_AT_ONCE));
            while let Some((thing, removed)) = removals.next().await {
                match removed {
                    Ok(()) => {
                        swept.removed += 1;
                        tracing::info!("removed {thing}, which nobody needs any more");
                    }
                    Err(error) => {
                        swept.failed += 1;
                        tracing::warn!("{thing} is needed by nobody and still there: {error}");
                    }
                }
            }
        }
        swept
    }

    /// All that carries the label of this daemon, whatever the life.
    async fn found(&self) -> Result<Vec<(Thing, HashMap<String, String>)>, EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![self.identity().filter()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let list = || self.client().list_containers(Some(options.clone()));
        let listed = self.look_at("list containers", QUICK, list).await?;
        let containers = listed.into_iter().filter_map(|one| {
            let name = one.names?.first()?.trim_start_matches('/').to_owned();
            Some((Thing::Container(name), one.labels.unwrap_or_default()))
        });
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let listed = self.ask("list networks", QUICK, self.client().list_networks(Some(options))).await?;
        let networks = listed
            .into_iter()
            .filter_map(|one| Some((Thing::Network(one.name?), one.labels.unwrap_or_default())));
        let volumes = self.unused_volumes(filters).await?;
        Ok(containers.chain(networks).chain(volumes).collect())
    }

    /// Those whose container somebody removed without them.
    async fn unused_volumes(
        &self,
        mut filters: HashMap<String, Vec<String>>,
    ) -> Result<impl Iterator<Item = (Thing, HashMap<String, String>)> + use<>, EngineError> {
        filters.insert("dangling".to_owned(), vec!["true".to_owned()]);
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let listed = self.ask("list volumes", QUICK, self.client().list_volumes(Some(options))).await?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        Ok(volumes.map(|one| (Thing::Volume(one.name), one.labels)))
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
        match self.inspect(id).await {
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
