//! Networks of our own: one for whoever must reach each other, and nobody else.
//!
//! ```text
//! held ──create──▶ there ──remove, or dropped──▶ gone
//! ```

use std::net::IpAddr;

use bollard::models::{NetworkCreateRequest, NetworkInspect};

use super::engine::{Engine, QUICK, SLOW};
use super::error::EngineError;
use super::held::{Hold, Thing};
use crate::domain::container::{NetworkSpec, Reach, policy};

/// A network. Dropped, it is removed, after the containers on it.
#[derive(Debug)]
pub struct Network {
    engine: Engine,
    gateway: IpAddr,
    reach: Reach,
    hold: Hold,
}

impl Network {
    /// What containers attach to.
    pub fn name(&self) -> &str {
        self.hold.thing().name()
    }

    /// This machine, as containers on it see it: where to listen for them. Reachable from the network only (and from this
    /// machine).
    pub const fn gateway(&self) -> IpAddr {
        self.gateway
    }

    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// Removes it now. Whatever comes of that, the sweep sees to the rest.
    pub async fn remove(self) -> Result<(), EngineError> {
        let Self { engine, hold, .. } = self;
        engine.remove(hold.thing()).await?;
        hold.settle();
        Ok(())
    }
}

impl Engine {
    /// Makes a network. One that leads nowhere is there to be reached from this machine, which not every engine can give.
    pub async fn network(&self, spec: &NetworkSpec) -> Result<Network, EngineError> {
        if spec.reach == Reach::Internal {
            self.reaches_containers()?;
        }
        policy::word(&spec.word).map_err(|refusal| EngineError::Refused(vec![refusal]))?;
        let name = Self::name(&spec.word);
        let (mut hold, _) = self.hold(Thing::Network(name.clone()));
        hold.ask();
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            internal: Some(spec.reach == Reach::Internal),
            labels: Some(self.identity().labels(spec.owner, &spec.word).into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        self.ask("make a network", SLOW, self.client().create_network(request)).await.map_err(exhausted)?;
        let seen = self.ask("look at a network", QUICK, self.client().inspect_network(&name, None)).await?;
        let gateway = gateway(&seen).ok_or_else(|| EngineError::Rejected {
            what: format!("use the network {name}"),
            status: 200,
            message: "it has no gateway address".to_owned(),
        })?;
        Ok(Network { engine: self.clone(), gateway, reach: spec.reach, hold })
    }
}

/// The one failure that a person can mend, said so.
fn exhausted(error: EngineError) -> EngineError {
    match error {
        EngineError::Rejected { what, status, message } if message.contains("address pool") => {
            let advice = "remove networks that nobody uses (`docker network prune`), or give the engine more \
                          (`default-address-pools`)";
            EngineError::Rejected { what, status, message: format!("{message}; {advice}") }
        }
        other => other,
    }
}

fn gateway(network: &NetworkInspect) -> Option<IpAddr> {
    let configs = network.ipam.as_ref()?.config.as_ref()?;
    let said = configs.iter().filter_map(|config| config.gateway.as_deref());
    // Written with the length of the network by some engines.
    let mut parsed = said.filter_map(|text| text.split('/').next()?.parse().ok());
    parsed.next().or_else(|| configs.iter().find_map(|config| first_host(config.subnet.as_deref()?)))
}

/// Where an engine that does not say it puts the gateway.
fn first_host(subnet: &str) -> Option<IpAddr> {
    match subnet.split('/').next()?.parse().ok()? {
        IpAddr::V4(base) => Some(IpAddr::V4(u32::from(base).checked_add(1)?.into())),
        IpAddr::V6(base) => Some(IpAddr::V6(u128::from(base).checked_add(1)?.into())),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{Ipam, IpamConfig};

    use super::*;

    fn network(gateway: Option<&str>, subnet: Option<&str>) -> NetworkInspect {
        let config = IpamConfig {
            gateway: gateway.map(str::to_owned),
            subnet: subnet.map(str::to_owned),
            ..IpamConfig::default()
        };
        let ipam = Ipam { config: Some(vec![config]), ..Ipam::default() };
        NetworkInspect { ipam: Some(ipam), ..NetworkInspect::default() }
    }

    #[test]
    fn the_gateway_is_read_or_follows_from_the_subnet() {
        let of = |gateway_, subnet| gateway(&network(gateway_, subnet)).map(|address| address.to_string());
        assert_eq!(of(Some("172.18.0.1"), None).as_deref(), Some("172.18.0.1"));
        assert_eq!(of(Some("172.18.0.1/16"), None).as_deref(), Some("172.18.0.1"));
        assert_eq!(of(None, Some("172.18.0.0/16")).as_deref(), Some("172.18.0.1"));
        assert_eq!(of(None, None), None);
    }
}
