//! A running target that was judged: its URL, its scope, and what is to be done to it. Made once per job, shared by its runs.
//!
//! ```text
//! URL, plan ─prepare─▶ Site ─probe─▶ answers: tools may start
//!               └─▶ Refused      └─▶ Unreachable
//! ```
//! It owns nothing that moves. An app under test is kept up by its lease, which the job holds beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::fetch::{Ask, FetchError, Fetcher, Limits};
use super::resolve::Resolver;
use super::tls::Tls;
use crate::domain::scope::{Authority, Bounds, Lists, Permission, Place, Refused, Scope};
use crate::domain::target::{GivenDocument, Login, WebPlan};

/// Other URLs that a plan may name; each may cost a lookup.
const PLACES_MAX: usize = 64;
/// How long a target has until it must answer: one that is being restarted comes back in that time.
const PROBE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Site {
    pub place: Place,
    pub scope: Arc<Scope>,
    pub plan: Arc<WebPlan>,
}

/// Nothing answers HTTP at the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url} gave no answer within {} s ({tries} tries); the last: {last}", PROBE.as_secs())]
pub struct Unreachable {
    pub url: String,
    pub tries: u32,
    pub last: FetchError,
}

impl Site {
    /// Judges a target and all that its plan names, and pins their addresses.
    pub async fn prepare(
        url: &str,
        plan: WebPlan,
        permission: Permission,
        lists: &Lists,
        resolver: &Resolver,
    ) -> Result<Self, Refused> {
        let place = Place::parse(url)?;
        let mut places = vec![place.clone()];
        for text in named(&plan).take(PLACES_MAX) {
            places.push(place.join(text)?);
        }
        let bounds = bounds(&place, &plan)?;
        let scope = resolver.pin(&places, permission, lists).await?;
        Ok(Self { place, scope: Arc::new(scope.within(bounds)), plan: Arc::new(plan) })
    }

    /// An app that we started ourselves, under a name of ours. Its plan may name nothing but the app.
    pub fn of_app(authority: Authority, address: SocketAddr, plan: WebPlan) -> Result<Self, Refused> {
        let place = Place::parse(&format!("http://{authority}/"))?;
        for text in named(&plan) {
            let other = place.join(text)?.authority;
            if other != authority {
                return Err(Refused::NotTheApp { other });
            }
        }
        let bounds = bounds(&place, &plan)?;
        let scope = Scope::default().with(authority, vec![address]).within(bounds);
        Ok(Self { place, scope: Arc::new(scope), plan: Arc::new(plan) })
    }

    pub const fn url(&self) -> &Url {
        &self.place.url
    }

    /// A path as the target has it: below its folder.
    pub fn below(&self, path: &str) -> Result<Place, Refused> {
        self.place.join(&format!("./{}", path.trim_start_matches('/')))
    }

    /// Where connections to the target go: for tools that know no proxy.
    pub fn address(&self) -> SocketAddr {
        let pinned = self.scope.addresses(&self.place.authority);
        *pinned
            .and_then(<[SocketAddr]>::first)
            .expect("a site's scope has its own authority, at one address or more")
    }

    /// A client for this site.
    pub async fn fetcher(&self, limits: Limits) -> Fetcher {
        Fetcher::new(Arc::clone(&self.scope), Tls::of_this_machine().await, limits)
    }

    /// Asks until there is an answer. Any will do: a 500 is alive.
    pub async fn probe(&self) -> Result<(), Unreachable> {
        let fetcher = self.fetcher(Limits { body_bytes: 1024, ..Limits::default() }).await;
        let until = Instant::now() + PROBE;
        let (mut tries, mut last) = (0, FetchError::TimedOut { what: "answer", after: PROBE });
        loop {
            tries += 1;
            match timeout_at(until, fetcher.fetch(Ask::get(self.place.clone()))).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => last = error,
                Err(_) => break,
            }
            if Instant::now() + PROBE_PAUSE >= until {
                break;
            }
            sleep(PROBE_PAUSE).await;
        }
        Err(Unreachable { url: self.place.url.to_string(), tries, last })
    }
}

/// What may be asked for on a target: also what its plan names outside of the folder.
fn bounds(target: &Place, plan: &WebPlan) -> Result<Bounds, Refused> {
    let expected = plan.expect.iter().map(|expected| expected.path.as_str());
    let named: Vec<Place> = named(plan).chain(expected).filter_map(|text| target.join(text).ok()).collect();
    Bounds::new(target, &named, &plan.exclude)
}

/// The URLs and paths in a plan.
fn named(plan: &WebPlan) -> impl Iterator<Item = &str> {
    let login = plan.login.as_ref().and_then(|login| match login {
        Login::Form { url, .. } => Some(url.as_str()),
        Login::Header { .. } => None,
    });
    let document = plan.seeds.document().and_then(|document| match document {
        GivenDocument::At(place) => Some(place),
        GivenDocument::Itself(_) => None,
    });
    plan.seeds.urls.iter().map(String::as_str).chain(document).chain(login)
}
