//! What kind of place an address is (IANA's special-purpose registries, and where clouds keep their credentials).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ascending by what it may cost to connect there: an address that carries another is as bad as the worse of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The internet.
    Public,
    /// Between a provider and its customers (100.64.0.0/10).
    Shared,
    Private,
    /// For documents, benchmarks, protocols and the future.
    Reserved,
    Loopback,
    /// Neighbours on the same wire.
    LinkLocal,
    /// Where a cloud tells a machine its secrets.
    Metadata,
    /// No host's address: `0.0.0.0` reaches this very machine on Linux.
    Unspecified,
    /// Many hosts at once.
    Multicast,
    Broadcast,
}

impl Class {
    /// Whether a network in an allow-list may stand for it; else only the exact address does.
    pub const fn may_be_listed_by_network(self) -> bool {
        !matches!(self, Self::LinkLocal | Self::Metadata) && self.may_be_listed()
    }

    /// Whether anything can allow it.
    pub const fn may_be_listed(self) -> bool {
        !matches!(self, Self::Unspecified | Self::Multicast | Self::Broadcast)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Shared => "shared between a provider and its customers",
            Self::Private => "private",
            Self::Reserved => "reserved",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "a cloud's metadata service",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
        })
    }
}

/// Metadata services outside of 169.254.0.0/16 and within: AWS and most others, ECS, EKS, Alibaba, Azure, Oracle.
const METADATA_V4: [[u8; 4]; 6] = [
    [169, 254, 169, 254],
    [169, 254, 170, 2],
    [169, 254, 170, 23],
    [100, 100, 100, 200],
    [168, 63, 129, 16],
    [192, 0, 0, 192],
];
/// AWS, EKS, Google.
const METADATA_V6: [[u16; 8]; 3] = [
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23],
    [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254],
];

pub fn class(address: IpAddr) -> Class {
    match address.to_canonical() {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    let octets = address.octets();
    match octets {
        _ if METADATA_V4.contains(&octets) => Class::Metadata,
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [169, 254, ..] => Class::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        [255, 255, 255, 255] => Class::Broadcast,
        [224..=239, ..] => Class::Multicast,
        // Protocols, documents (three), benchmarks, the relay of 6to4, the future.
        [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18 | 19, ..]
        | [192, 88, 99, _]
        | [240..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    let segments = address.segments();
    if METADATA_V6.contains(&segments) {
        return Class::Metadata;
    }
    let own = match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Class::Private,
        [0xff00..=0xffff, ..] => Class::Multicast,
        // A translator of the site's own, to wherever it likes.
        [0x64, 0xff9b, 1, ..] => Class::Private,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Class::Public,
        // Documents, and what protocols took of 2001::/23 but for Teredo.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2001, 1..=0x1ff, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Reserved,
    };
    carried(segments).into_iter().flatten().map(class_v4).fold(own, Class::max)
}

/// The IPv4 addresses to which a router or a relay may pass on what is sent to this one.
fn carried(segments: [u16; 8]) -> [Option<Ipv4Addr>; 2] {
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match segments {
        // Compatible with IPv4, but for `::` and `::1`, which are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        [0, 0, 0, 0, 0, 0, high, low] => [v4(high, low), None],
        [0x64, 0xff9b, _, _, _, _, high, low] => [v4(high, low), None],
        [0x2002, high, low, ..] => [v4(high, low), None],
        // Teredo: the server, and the client with its bits turned.
        [0x2001, 0, high, low, _, _, not_high, not_low] => [v4(high, low), v4(!not_high, !not_low)],
        _ => [None, None],
    }
}
