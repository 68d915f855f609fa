//! The allow-lists of the configuration, read: names, names under a name, addresses, networks, each with a port or without.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use url::Host;

use super::{Authority, Class, class};

/// The widest networks that can be listed, as prefix lengths: a rule that holds the whole internet is a slip of the pen.
const WIDEST: (u8, u8) = (8, 16);

/// What may be touched. Empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    rules: Vec<Rule>,
}

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule:?} {why}")]
pub struct BadRule {
    pub rule: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    what: What,
    /// `None`: any.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// This name.
    Name(String),
    /// Every name under this one, itself not.
    Under(String),
    Network(Network),
}

/// An address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    bits: u8,
}

impl AllowList {
    /// Reads all rules; every one that cannot be read is told.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, Vec<BadRule>> {
        let (mut rules, mut bad) = (Vec::new(), Vec::new());
        for text in texts.iter().map(AsRef::as_ref) {
            match text.parse() {
                Ok(rule) => rules.push(rule),
                Err(why) => bad.push(BadRule { rule: text.to_owned(), why }),
            }
        }
        if bad.is_empty() { Ok(Self { rules }) } else { Err(bad) }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn of_port(&self, port: u16) -> impl Iterator<Item = &What> {
        self.rules.iter().filter(move |rule| rule.port.is_none_or(|own| own == port)).map(|rule| &rule.what)
    }

    /// Whether the host is listed by its name.
    pub(super) fn names(&self, authority: &Authority) -> bool {
        let host = authority.host();
        self.of_port(authority.port()).any(|what| match what {
            What::Name(name) => name == host,
            What::Under(name) => host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
            What::Network(_) => false,
        })
    }

    /// Whether any address is listed for this port.
    pub(super) fn has_networks(&self, port: u16) -> bool {
        self.of_port(port).any(|what| matches!(what, What::Network(_)))
    }

    /// Whether this address, in its canonical form, is listed for the authority that it belongs to.
    pub(super) fn covers(&self, authority: &Authority, address: IpAddr) -> bool {
        let class = class(address);
        self.of_port(authority.port()).any(|what| match what {
            What::Name(name) => {
                name == "localhost" && authority.host() == "localhost" && class == Class::Loopback
            }
            What::Under(_) => false,
            What::Network(network) => network.covers(address, class),
        })
    }
}

impl Network {
    fn covers(self, address: IpAddr, class: Class) -> bool {
        let meant = class.may_be_listed_by_network() || (class.may_be_listed() && self.is_one_address());
        meant && self.contains(address)
    }

    fn is_one_address(self) -> bool {
        self.bits == width(self.base)
    }

    fn contains(self, address: IpAddr) -> bool {
        width(self.base) == width(address) && masked(address, self.bits) == masked(self.base, self.bits)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The first `bits` of an address, the others zero.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let zeros = u32::from(width(address) - bits);
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(zeros).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(zeros).unwrap_or(0)).into()),
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("//") || text.contains('@') {
            return Err("is a URL; give its host alone, or host:port".to_owned());
        }
        let (what, port) = split(text)?;
        let port = port.map(read_port).transpose()?;
        Ok(Self { what: read_what(what)?, port })
    }
}

/// What comes before the port, without brackets, and the port.
fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    let bare_v6 = text.split('/').next().is_some_and(|head| head.parse::<Ipv6Addr>().is_ok());
    if bare_v6 {
        return Ok((text, None));
    }
    if let Some((inside, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = after.strip_prefix(':');
        let is_v6 = inside.contains(':');
        return match is_v6 && (after.is_empty() || port.is_some()) {
            true => Ok((inside, port)),
            false => Err("has brackets; these are for IPv6, as in [fd00::1]:8080".to_owned()),
        };
    }
    Ok(text.rsplit_once(':').map_or((text, None), |(what, port)| (what, Some(port))))
}

fn read_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse::<u16>().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| format!("has {text:?} where a port from 1 to 65535 belongs"))
}

fn read_what(text: &str) -> Result<What, String> {
    if let Some((base, bits)) = text.split_once('/') {
        return read_network(base, bits).map(What::Network);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let (base, class) = (address.to_canonical(), class(address));
        let network = What::Network(Network { base, bits: width(base) });
        let useful = class.may_be_listed().then_some(network);
        return useful.ok_or_else(|| format!("is {class}; no target has such an address"));
    }
    match text.strip_prefix("*.") {
        Some(name) => read_name(name).map(What::Under),
        None => read_name(text).map(What::Name),
    }
}

fn read_network(base: &str, bits: &str) -> Result<Network, String> {
    let base: IpAddr = base.parse().map_err(|_| format!("is no network: {base:?} is no address"))?;
    let bits = bits.parse::<u8>().ok().filter(|bits| *bits <= width(base));
    let bits = bits.ok_or_else(|| format!("is no network: its prefix goes from 0 to {}", width(base)))?;
    let widest = if base.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
    if bits < widest {
        return Err(format!("is too wide: /{widest} is the widest network that can be listed"));
    }
    match masked(base, bits) {
        start if start == base => Ok(Network { base, bits }),
        start => Err(format!("is no network: it has bits after the prefix; do you mean {start}/{bits}?")),
    }
}

/// A name in the one spelling that is compared.
fn read_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['*', '%', '[', ']', '/']) {
        return Err("is neither a name, `*.name`, an address nor a network".to_owned());
    }
    match Host::parse(text) {
        Ok(Host::Domain(_)) => match Authority::new(text, 1) {
            Ok(authority) => Ok(authority.host().to_owned()),
            Err(refused) => Err(format!("is no host name: {refused}")),
        },
        Ok(address) => Err(format!("is an odd spelling of {address}; write that")),
        Err(error) => Err(format!("is no host name: {error}")),
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{rule}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = match (&self.what, self.port) {
            (What::Network(network), Some(_)) if network.base.is_ipv6() => ("[", "]"),
            _ => ("", ""),
        };
        f.write_str(open)?;
        match &self.what {
            What::Name(name) => f.write_str(name)?,
            What::Under(name) => write!(f, "*.{name}")?,
            What::Network(network) if network.is_one_address() => write!(f, "{}", network.base)?,
            What::Network(network) => write!(f, "{}/{}", network.base, network.bits)?,
        }
        f.write_str(close)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
