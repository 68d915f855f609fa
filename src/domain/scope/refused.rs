//! Why a target may not be touched, and what to do about it.

use core::net::IpAddr;

use super::{Authority, Class, Permission, class};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{text:?} cannot be read as a URL: {why}")]
    Unreadable { text: String, why: String },
    #[error("the scheme {scheme:?} is not examined, only http and https")]
    Scheme { scheme: String },
    #[error("the URL has a user name or a password in it; use the plan's login instead")]
    Userinfo,
    #[error("nothing listens on port 0")]
    PortZero,
    #[error("{authority} is not listed in {key}; if you may {verb} it, add {host:?} there")]
    NotListed { authority: Authority, host: String, key: &'static str, verb: &'static str },
    #[error("{authority} is at {address}, which is {class}: {advice}")]
    Address { authority: Authority, address: IpAddr, class: Class, advice: String },
    #[error("{other} is not the app under test; its plan may name paths of the app only")]
    NotTheApp { other: Authority },
    #[error("the target cannot be examined with these exclusions: {why}")]
    Exclusions { why: String },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("{host} cannot be looked up: {why}")]
    Unresolved { host: String, why: String },
}

impl Refused {
    pub(super) fn not_listed(authority: &Authority, permission: Permission) -> Self {
        let verb = match permission {
            Permission::Look => "look at",
            Permission::Attack => "attack",
        };
        let (key, host) = (permission.key(), authority.host().to_owned());
        Self::NotListed { authority: authority.clone(), host, key, verb }
    }

    pub(super) fn address(authority: &Authority, address: IpAddr, permission: Permission) -> Self {
        let (class, key) = (class(address), permission.key());
        let advice = if !class.may_be_listed() {
            "no target has such an address".to_owned()
        } else if class == Class::Loopback && authority.host() == "localhost" {
            format!("if you mean it, add \"localhost\" to {key}")
        } else if class.may_be_listed_by_network() {
            format!("if you mean it, add this address or its network to {key}")
        } else {
            format!("if you mean it, add exactly this address to {key}; a name or a network is not enough")
        };
        Self::Address { authority: authority.clone(), address, class, advice }
    }

    /// Whether the configuration is what refuses, rather than the URL or the network.
    pub const fn is_by_policy(&self) -> bool {
        matches!(self, Self::NotListed { .. } | Self::Address { .. })
    }
}
