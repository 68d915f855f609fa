//! Which names we answer to and whose pages may call us: the defence against DNS rebinding. Pure.
//!
//! A page in a browser can reach a daemon on loopback by pointing its own name there. It cannot choose the `Host` and
//! `Origin` headers, so names we do not know are refused.

use crate::protocol::errors::HttpRefusal;

/// The allow-lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doors {
    /// Host names without port, lower case; IPv6 without brackets.
    pub hosts: Vec<String>,
    /// Whole origins (`https://proctor.example`), beside our own.
    pub origins: Vec<String>,
}

impl Default for Doors {
    /// Loopback, by its usual names; no foreign origin.
    fn default() -> Self {
        Self { hosts: ["127.0.0.1", "localhost", "::1"].map(str::to_owned).to_vec(), origins: Vec::new() }
    }
}

impl Doors {
    /// Whether a request to `host` from a page of `origin` (absent outside browsers) is let through.
    pub fn check(&self, host: Option<&str>, origin: Option<&str>) -> Result<(), HttpRefusal> {
        let host = host.unwrap_or_default();
        let known =
            name_of(host).is_some_and(|name| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name)));
        if !known {
            return Err(HttpRefusal::HostNotAllowed(shortened(host)));
        }
        let Some(origin) = origin else { return Ok(()) };
        // Our own origin: the page was served under the very name and port that the request names.
        let own = origin.strip_prefix("http://").is_some_and(|from| from.eq_ignore_ascii_case(host));
        if own || self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return Ok(());
        }
        Err(HttpRefusal::OriginNotAllowed(shortened(origin)))
    }
}

/// The name in a `Host` header, without port and brackets. The port is not looked at: a forwarded one is another.
fn name_of(host: &str) -> Option<&str> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        return is_port(rest).then_some(address);
    }
    match host.split_once(':') {
        None => (!host.is_empty()).then_some(host),
        Some((name, port)) => (!name.is_empty() && is_digits(port)).then_some(name),
    }
}

fn is_port(rest: &str) -> bool {
    rest.is_empty() || rest.strip_prefix(':').is_some_and(is_digits)
}

fn is_digits(port: &str) -> bool {
    !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn shortened(word: &str) -> String {
    word.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors() -> Doors {
        Doors { origins: vec!["https://proctor.example".to_owned()], ..Doors::default() }
    }

    #[test]
    fn own_names_are_let_through_with_any_port() {
        for host in ["127.0.0.1", "127.0.0.1:7878", "localhost:9000", "LOCALHOST", "[::1]:7878", "[::1]"] {
            assert_eq!(doors().check(Some(host), None), Ok(()), "{host}");
        }
    }

    #[test]
    fn foreign_and_malformed_names_are_not() {
        let hosts = [
            "",
            "evil.example",
            "evil.example:7878",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "localhost:",
            "localhost:80a",
            ":7878",
            "[::1",
            "[::1]x",
            "127.0.0.2",
            "localhost:7878:1",
            "2130706433",
        ];
        for host in hosts {
            assert!(matches!(doors().check(Some(host), None), Err(HttpRefusal::HostNotAllowed(_))), "{host}");
        }
        assert!(doors().check(None, None).is_err());
    }

    #[test]
    fn own_and_listed_origins_are_let_through() {
        for origin in ["http://127.0.0.1:7878", "https://proctor.example"] {
            assert_eq!(doors().check(Some("127.0.0.1:7878"), Some(origin)), Ok(()), "{origin}");
        }
    }

    #[test]
    fn other_origins_are_not() {
        let origins = [
            "null",
            "",
            "http://evil.example",
            "https://127.0.0.1:7878",
            "http://127.0.0.1:1",
            "http://localhost:7878",
            "https://proctor.example.evil.example",
            "http://127.0.0.1:7878@evil.example",
            "file://",
        ];
        for origin in origins {
            let refused = doors().check(Some("127.0.0.1:7878"), Some(origin));
            assert!(matches!(refused, Err(HttpRefusal::OriginNotAllowed(_))), "{origin}");
        }
    }
}
