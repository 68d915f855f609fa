//! What a job may touch on a network: a few authorities, each with the addresses it had when the job began.
//!
//! ```text
//! text ─Place::parse─▶ URL, authority ─the resolver, once─▶ addresses ─judge─▶ Scope        (any step may refuse)
//! ```
//! The rule: the URL's host is listed by its name, or all of its addresses are listed; and EVERY address is a public one
//! or is itself listed. So a name that somebody else controls leads nowhere but to the internet. `localhost` as a name
//! stands for the loopback of the name `localhost` and of no other. Where a cloud answers with its credentials, and other
//! neighbours on the link, only the exact address will do.
//!
//! Whoever connects asks the [`Scope`], and connects to the addresses it gives, never to what a name means by then.

mod authority;
mod bounds;
mod class;
mod refused;
mod rules;

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

pub use authority::{Authority, Place, URL_BYTES_MAX};
pub use bounds::{Bounds, Outside, folder};
pub use class::{Class, class};
pub use refused::Refused;
pub use rules::{AllowList, BadRule};

/// Addresses kept of one name, in the resolver's order. A name with more is served by any of these.
pub const ADDRESSES_MAX: usize = 16;

/// What a job needs leave for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Ask for what any visitor gets.
    Look,
    /// Send what may change it, break it or exhaust it.
    Attack,
}

impl Permission {
    /// The key of the configuration that allows it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Look => "targets.hosts",
            Self::Attack => "targets.active",
        }
    }
}

/// What the configuration allows. What may be attacked may be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// `targets.hosts`
    pub hosts: AllowList,
    /// `targets.active`
    pub active: AllowList,
}

impl Lists {
    fn that_allow(&self, permission: Permission) -> Vec<&AllowList> {
        match permission {
            Permission::Look => vec![&self.hosts, &self.active],
            Permission::Attack => vec![&self.active],
        }
    }

    /// Whether it can make a difference what addresses this authority has. Where not, its name is not even looked up:
    /// a lookup tells a stranger's name server that somebody asked.
    pub fn consider(&self, authority: &Authority, permission: Permission) -> Result<(), Refused> {
        let lists = self.that_allow(permission);
        let possible = lists.iter().any(|list| list.names(authority) || list.has_networks(authority.port()));
        possible.then_some(()).ok_or_else(|| Refused::not_listed(authority, permission))
    }

    /// Decides where connections for this authority may go: all of `addresses`, or nowhere.
    pub fn judge(
        &self,
        authority: &Authority,
        addresses: &[IpAddr],
        permission: Permission,
    ) -> Result<Vec<SocketAddr>, Refused> {
        let lists = self.that_allow(permission);
        let named = lists.iter().any(|list| list.names(authority));
        let covered = |address: IpAddr| lists.iter().any(|list| list.covers(authority, address));
        let mut pinned: Vec<SocketAddr> = Vec::new();
        for address in addresses.iter().map(IpAddr::to_canonical) {
            if !covered(address) {
                let class = class(address);
                if class != Class::Public {
                    return Err(Refused::address(authority, address, permission));
                }
                if !named {
                    return Err(Refused::not_listed(authority, permission));
                }
            }
            let address = SocketAddr::new(address, authority.port());
            if !pinned.contains(&address) {
                pinned.push(address);
            }
        }
        pinned.truncate(ADDRESSES_MAX);
        if pinned.is_empty() {
            return Err(Refused::NoAddress { host: authority.host().to_owned() });
        }
        Ok(pinned)
    }
}

/// The authorities a job may touch, each with its addresses, and the bounds of what may be asked for there. Never changes:
/// what a name means later is nobody's business.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pinned: BTreeMap<Authority, Vec<SocketAddr>>,
    bounds: Bounds,
}

impl Scope {
    /// Adds an authority with addresses that were judged, or that are our own (an app under test).
    #[must_use]
    pub fn with(mut self, authority: Authority, addresses: Vec<SocketAddr>) -> Self {
        self.pinned.insert(authority, addresses);
        self
    }

    /// The same scope, of which only what is in these bounds may be asked for.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Whether a place may be asked for.
    pub fn is_inside(&self, place: &Place) -> bool {
        let path = place.url.path();
        self.addresses(&place.authority).is_some() && self.bounds.outside(&place.url, path).is_none()
    }

    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Where a connection for this host and port goes; `None`: nowhere. `host` as it stands in a request: in any case,
    /// with or without brackets and a trailing dot.
    pub fn permits(&self, host: &str, port: u16) -> Option<&[SocketAddr]> {
        self.addresses(&Authority::new(host, port).ok()?)
    }

    /// The same for an authority that was read already.
    pub fn addresses(&self, authority: &Authority) -> Option<&[SocketAddr]> {
        self.pinned.get(authority).map(Vec::as_slice)
    }

    pub fn authorities(&self) -> impl Iterator<Item = (&Authority, &[SocketAddr])> {
        self.pinned.iter().map(|(authority, addresses)| (authority, addresses.as_slice()))
    }
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
