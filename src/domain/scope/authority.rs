//! Who a URL speaks to: a host and a port, in the one spelling that is compared.
//!
//! URLs are read as browsers read them (the WHATWG standard, by the `url` crate): so `0x7f.1`, `2130706433` and full-width
//! digits are `127.0.0.1` here before anybody judges them, and a tool is handed the spelling that was judged.

use core::fmt;
use core::net::IpAddr;

use url::{Host, Url};

use super::Refused;

/// Longest URL that is read, in bytes: longer than any that a person gives, shorter than what servers refuse.
pub const URL_BYTES_MAX: usize = 2048;
/// Longest host name of the DNS, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// A host and a port. Names are in lower case, in their ASCII form, without a trailing dot; addresses without brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    host: String,
    port: u16,
}

/// A URL that may be asked about, with its authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// http or https, without a fragment, its host spelled as in `authority`.
    pub url: Url,
    pub authority: Authority,
}

impl Authority {
    /// From a host as it stands in a URL or a request, and a port.
    pub fn new(host: &str, port: u16) -> Result<Self, Refused> {
        let refused = |why: String| Refused::Unreadable { text: shown(host), why };
        if port == 0 {
            return Err(Refused::PortZero);
        }
        // `Host::parse` takes brackets for IPv6 only, and percent signs for encoded text: neither is for a bare host.
        let bare_v6 = host.parse().map(Host::<String>::Ipv6);
        let read = bare_v6.or_else(|_| match host.contains(['%', '\\', '@']) {
            true => Err(url::ParseError::InvalidDomainCharacter),
            false => Host::parse(host),
        });
        Self::of_host(&read.map_err(|error| refused(error.to_string()))?, port).map_err(refused)
    }

    fn of_host(host: &Host<String>, port: u16) -> Result<Self, String> {
        let host = match host {
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().to_string(),
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                if name.is_empty() || name.len() > HOST_BYTES_MAX || name.split('.').any(str::is_empty) {
                    return Err(format!("{} is no host name", shown(name)));
                }
                name.to_owned()
            }
        };
        Ok(Self { host, port })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, if the host is one and no name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The host as it stands in a URL.
    fn in_url(&self) -> String {
        match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        }
    }
}

/// `host:port`, with brackets around IPv6.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.in_url(), self.port)
    }
}

impl Place {
    /// Reads an absolute URL.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        check(text)?;
        let unreadable =
            |error: url::ParseError| Refused::Unreadable { text: shown(text), why: error.to_string() };
        Self::of(Url::parse(text).map_err(unreadable)?)
    }

    /// Reads a URL as a page of this one would mean it: absolute, or a path.
    pub fn join(&self, text: &str) -> Result<Self, Refused> {
        check(text)?;
        let unreadable =
            |error: url::ParseError| Refused::Unreadable { text: shown(text), why: error.to_string() };
        Self::of(self.url.join(text).map_err(unreadable)?)
    }

    /// Takes a URL that was read already, such as one that was joined to another.
    pub fn of(mut url: Url) -> Result<Self, Refused> {
        let refused = |why: String| Refused::Unreadable { text: shown(url.as_str()), why };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme { scheme: shown(url.scheme()) });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Userinfo);
        }
        let host = url.host().map(|host| host.to_owned()).ok_or_else(|| refused("it has no host".into()))?;
        let port = url.port_or_known_default().ok_or_else(|| refused("it has no port".into()))?;
        if port == 0 {
            return Err(Refused::PortZero);
        }
        let authority = Authority::of_host(&host, port).map_err(refused)?;
        url.set_fragment(None);
        let spelled = url.set_host(Some(&authority.in_url()));
        spelled.expect("a host that was read from a URL can be written to one");
        Ok(Self { url, authority })
    }
}

/// What only somebody writes who wants two readers to disagree is refused before it is read.
fn check(text: &str) -> Result<(), Refused> {
    let refused = |why: &str| Err(Refused::Unreadable { text: shown(text), why: why.to_owned() });
    if text.len() > URL_BYTES_MAX {
        return refused("it is longer than 2048 bytes");
    }
    if text.chars().any(|character| character == '\\' || character <= ' ' || character.is_control()) {
        return refused("it has a backslash, a space or a control character");
    }
    if authority_of(text).contains('@') {
        return Err(Refused::Userinfo);
    }
    Ok(())
}

/// Where a URL's host would stand, by any reading: an empty user name before it is gone once it is read.
fn authority_of(text: &str) -> &str {
    let after_scheme = match text.split_once(':') {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => rest,
        _ if text.starts_with("//") => text,
        _ => return "",
    };
    let authority = after_scheme.trim_start_matches('/');
    authority.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Text of a stranger, for an error message: short, and without what moves a terminal's cursor.
fn shown(text: &str) -> String {
    crate::domain::finding::clean_text(text, 100)
}
