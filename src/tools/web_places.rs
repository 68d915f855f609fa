//! A running target as its tools are told of it: the values of the web placeholders, checked once.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::place::Place;

/// What the values are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRun {
    /// Canonical and absolute, as the target was given.
    pub url: Url,
    /// What its name stood for when the job began.
    pub address: SocketAddr,
    /// Where the run's egress gate listens; `None` for a manifest that does not ask for it
    /// ([`super::manifest::Manifest::names`]).
    pub proxy: Option<SocketAddr>,
    pub duration_s: u32,
    pub concurrency: u32,
    /// Time the run may take.
    pub wall: Duration,
}

/// The values of the web placeholders of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebPlaces {
    run: WebRun,
    host: String,
    authority: String,
    pinned_url: String,
}

/// A target that no command line may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no URL that tools can be given: {why}")]
pub struct BadUrl {
    pub url: String,
    pub why: &'static str,
}

impl WebPlaces {
    /// # Errors
    /// The URL is not `http` or `https`, names nobody, somebody's password or a place in a page, or its host looks like
    /// a flag.
    pub fn new(run: WebRun) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl { url: run.url.to_string(), why };
        let url = &run.url;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("its scheme is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it holds a user or a password"));
        }
        if url.fragment().is_some() {
            return Err(bad("it names a place inside of a page"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("it has no host"))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-[]:".contains(c);
        if host.starts_with('-') || !host.chars().all(is_plain) {
            return Err(bad("its host is no name that tools can be given"));
        }
        let mut pinned = url.clone();
        pinned.set_ip_host(run.address.ip()).map_err(|()| bad("its host cannot be an address"))?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { host: host.to_owned(), authority, pinned_url: pinned.into(), run })
    }

    /// The target's URL.
    pub const fn url(&self) -> &Url {
        &self.run.url
    }

    /// Where it answered when the job began.
    pub const fn address(&self) -> SocketAddr {
        self.run.address
    }

    /// Time the run may take.
    pub const fn wall(&self) -> Duration {
        self.run.wall
    }

    /// The value of a web placeholder; `None` for another one, and for a proxy that is not there.
    pub(super) fn value(&self, place: Place) -> Option<String> {
        let run = &self.run;
        let value = match place {
            Place::Url => run.url.to_string(),
            Place::Origin => run.url.origin().ascii_serialization(),
            Place::Authority => self.authority.clone(),
            Place::Host => self.host.clone(),
            Place::Port => run.address.port().to_string(),
            Place::Address => run.address.ip().to_string(),
            Place::PinnedUrl => self.pinned_url.clone(),
            Place::Proxy => format!("http://{}", run.proxy?),
            Place::DurationS => run.duration_s.to_string(),
            Place::Concurrency => run.concurrency.to_string(),
            Place::WallS => run.wall.as_secs().to_string(),
            Place::Target
            | Place::Work
            | Place::Config
            | Place::Rules
            | Place::Install
            | Place::Report
            | Place::File => return None,
        };
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(url: &str) -> WebRun {
        WebRun {
            url: Url::parse(url).unwrap(),
            address: "[::1]:8080".parse().unwrap(),
            proxy: Some("127.0.0.1:40123".parse().unwrap()),
            duration_s: 10,
            concurrency: 4,
            wall: Duration::from_millis(90_900),
        }
    }

    #[test]
    fn every_place_of_a_running_target_has_its_value() {
        let places = WebPlaces::new(run("http://Shop.test:8080/a b?c='d'")).unwrap();
        let values: Vec<_> = Place::ALL.into_iter().filter_map(|place| places.value(place)).collect();
        let expected = [
            "http://shop.test:8080/a%20b?c=%27d%27",
            "http://shop.test:8080",
            "shop.test:8080",
            "shop.test",
            "8080",
            "::1",
            "http://[::1]:8080/a%20b?c=%27d%27",
            "http://127.0.0.1:40123",
            "10",
            "4",
            "90",
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn a_schemes_own_port_stands_in_no_header() {
        let places = WebPlaces::new(run("https://[::2]:443/")).unwrap();
        assert_eq!(places.value(Place::Authority).as_deref(), Some("[::2]"));
        assert_eq!(places.value(Place::Origin).as_deref(), Some("https://[::2]"));
    }

    #[test]
    fn a_url_that_could_be_more_than_a_url_is_refused() {
        let refused = [
            "ftp://a/",
            "http://u@a/",
            "http://u:p@a/",
            "http://a/#b",
            "http://-oX/",
            "http://a'b/",
            "http://a,b/",
            "data:x",
        ];
        for url in refused {
            assert!(WebPlaces::new(run(url)).is_err(), "{url}");
        }
    }
}
