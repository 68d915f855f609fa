//! Names to addresses, once per authority: what is learned here is judged, pinned and never asked again.

use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::domain::scope::{Authority, Lists, Permission, Place, Refused, Scope};

/// How long a name may take. A resolver that works answers in milliseconds; the system's own patience is half a minute.
const LOOKUP: Duration = Duration::from_secs(5);
/// Lookups at once, those included that nobody waits for any more: the system's resolver cannot be interrupted, and each
/// one holds a thread.
const LOOKUPS_MAX: usize = 16;

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String) -> Answer + Send + Sync>);

impl Resolver {
    /// As every program of this machine does: `/etc/hosts`, DNS, and whatever else is configured.
    pub fn system() -> Self {
        let places = Arc::new(Semaphore::new(LOOKUPS_MAX));
        Self::of(move |host| {
            let places = Arc::clone(&places);
            async move {
                let place = places.acquire_owned().await.map_err(io::Error::other)?;
                let looking = tokio::task::spawn_blocking(move || {
                    let found = (host.as_str(), 0).to_socket_addrs();
                    drop(place);
                    found.map(|found| found.map(|address| address.ip()).collect())
                });
                looking.await.map_err(io::Error::other)?
            }
        })
    }

    /// Answers by `lookup`.
    pub fn of<F>(lookup: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |host| Box::pin(lookup(host))))
    }

    /// All addresses of an authority's host. An address is its own.
    pub async fn resolve(&self, authority: &Authority) -> Result<Vec<IpAddr>, Refused> {
        if let Some(address) = authority.address() {
            return Ok(vec![address]);
        }
        let unresolved = |why: String| Refused::Unresolved { host: authority.host().to_owned(), why };
        match timeout(LOOKUP, (self.0)(authority.host().to_owned())).await {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(unresolved(error.to_string())),
            Err(_) => Err(unresolved(format!("no answer within {} s", LOOKUP.as_secs()))),
        }
    }

    /// Looks up, judges and pins all of `places`, or tells why one of them may not be touched.
    pub async fn pin(
        &self,
        places: impl IntoIterator<Item = &Place>,
        permission: Permission,
        lists: &Lists,
    ) -> Result<Scope, Refused> {
        let mut scope = Scope::default();
        for Place { authority, .. } in places {
            if scope.addresses(authority).is_some() {
                continue;
            }
            lists.consider(authority, permission)?;
            let addresses = self.resolve(authority).await?;
            scope = scope.with(authority.clone(), lists.judge(authority, &addresses, permission)?);
        }
        Ok(scope)
    }
}
