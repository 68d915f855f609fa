//! Who is inside: connections and sessions counted by address and by principal, and each principal's share of work.
//! Permits give back what they took when they are dropped.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::domain::ids::Principal;
use crate::protocol::errors::{HttpRefusal, WireError};
use crate::protocol::limits::{HTTP_CONNECTIONS_EXTRA, HTTP_CONNECTIONS_EXTRA_PER_ADDRESS, Limits};

/// What a caller is told to wait when every place for work is taken: a short call's length.
const OVERLOAD_RETRY_AFTER: Duration = Duration::from_millis(500);

/// The book of who is inside.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    book: Mutex<Book>,
    in_flight: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Book {
    connections: Counter<IpAddr>,
    addresses: Counter<IpAddr>,
    principals: Counter<Principal>,
    /// One per principal ever seen; there are as many as tokens.
    shares: HashMap<Principal, Arc<Share>>,
    /// Sessions, oldest first.
    present: BTreeMap<u64, Presence>,
    opened: u64,
}

/// What is known of one session.
#[derive(Debug, Clone, Default)]
struct Presence {
    /// Cloned into each of its calls: who holds it besides the book and the permit is a call under way.
    calls: Arc<()>,
    /// Cancelled when it is to leave.
    sent_away: CancellationToken,
}

impl Presence {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.calls) <= 2
    }
}

/// What is counted by whom, and in all. A key with nothing left is forgotten.
#[derive(Debug)]
struct Counter<K> {
    total: usize,
    each: HashMap<K, usize>,
}

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self { total: 0, each: HashMap::new() }
    }
}

impl<K: Hash + Eq + Clone> Counter<K> {
    fn of(&self, key: &K) -> usize {
        self.each.get(key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: &K) {
        self.total += 1;
        *self.each.entry(key.clone()).or_default() += 1;
    }

    fn remove(&mut self, key: &K) {
        self.total -= 1;
        if let Some(count) = self.each.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.each.remove(key);
            }
        }
    }
}

impl Admission {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            book: Mutex::new(Book::default()),
            in_flight: Arc::new(Semaphore::new(limits.in_flight)),
        })
    }

    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sessions now.
    pub fn sessions(&self) -> usize {
        self.lock().principals.total
    }

    /// Resolves when no call runs.
    pub async fn settled(&self) {
        let all = u32::try_from(self.limits.in_flight).unwrap_or(u32::MAX);
        // Never closed, so this is no error; the places are given back at once.
        drop(self.in_flight.acquire_many(all).await);
    }

    /// A place for one TCP connection, whatever it wants; `None` when even a refusal would cost too much.
    pub fn connect(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        let address = network_of(address);
        let mut book = self.lock();
        let full = book.connections.total >= self.limits.sessions + HTTP_CONNECTIONS_EXTRA;
        let most = self.limits.sessions_per_address + HTTP_CONNECTIONS_EXTRA_PER_ADDRESS;
        if full || book.connections.of(&address) >= most {
            return None;
        }
        book.connections.add(&address);
        Some(ConnectionPermit { admission: Arc::clone(self), address })
    }

    /// A place for one session.
    pub fn open(
        self: &Arc<Self>,
        address: IpAddr,
        principal: &Principal,
    ) -> Result<SessionPermit, HttpRefusal> {
        let address = network_of(address);
        let mut book = self.lock();
        let share = book.share_of(principal, &self.limits);
        if let Err(wait) = share.pace() {
            return Err(HttpRefusal::RateLimited(wait));
        }
        if book.principals.total >= self.limits.sessions {
            return Err(HttpRefusal::Full);
        }
        if book.addresses.of(&address) >= self.limits.sessions_per_address {
            return Err(HttpRefusal::TooMany("address"));
        }
        if book.principals.of(principal) >= self.limits.sessions_per_principal {
            return Err(HttpRefusal::TooMany("principal"));
        }
        book.addresses.add(&address);
        book.principals.add(principal);
        let (number, presence) = book.enter();
        let admission = Arc::clone(self);
        Ok(SessionPermit { admission, number, presence, address, principal: principal.clone(), share })
    }

    /// Sends away the newest sessions of which no call runs, `most` of them; how many that were.
    pub fn shed(&self, most: usize) -> usize {
        let book = self.lock();
        let staying = book.present.values().rev().filter(|one| !one.sent_away.is_cancelled());
        staying.filter(|one| one.is_idle()).take(most).map(|one| one.sent_away.cancel()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Nothing panics while the lock is held, so a poisoned book is still right.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn enter(&mut self) -> (u64, Presence) {
        let (number, presence) = (self.opened, Presence::default());
        self.opened += 1;
        self.present.insert(number, presence.clone());
        (number, presence)
    }

    fn share_of(&mut self, principal: &Principal, limits: &Limits) -> Arc<Share> {
        let made = || Arc::new(Share::new(limits));
        Arc::clone(self.shares.entry(principal.clone()).or_insert_with(made))
    }
}

/// One TCP connection's place.
#[derive(Debug)]
pub struct ConnectionPermit {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.admission.lock().connections.remove(&self.address);
    }
}

/// One session's place, and its way to its principal's share.
#[derive(Debug)]
pub struct SessionPermit {
    admission: Arc<Admission>,
    number: u64,
    presence: Presence,
    address: IpAddr,
    principal: Principal,
    share: Arc<Share>,
}

impl SessionPermit {
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn limits(&self) -> &Limits {
        &self.admission.limits
    }

    /// Counts one request against the principal's rate.
    pub fn pace(&self) -> Result<(), WireError> {
        self.share.pace().map_err(|retry_after| WireError::RateLimited {
            per_second: self.admission.limits.rate_per_second,
            retry_after,
        })
    }

    /// A place for one call among the principal's and among all.
    pub fn start_call(&self) -> Result<CallPermit, WireError> {
        let taken = |what| WireError::Overloaded { what, retry_after: OVERLOAD_RETRY_AFTER };
        let own = Arc::clone(&self.share.in_flight).try_acquire_owned();
        let own = own.map_err(|_| taken("as many calls of this principal run as may"))?;
        let all = Arc::clone(&self.admission.in_flight).try_acquire_owned();
        let all = all.map_err(|_| taken("as many calls run as the daemon allows"))?;
        Ok(CallPermit { _own: own, _all: all, _session: Arc::clone(&self.presence.calls) })
    }

    /// Resolves when the session is to leave: memory is short.
    pub async fn sent_away(&self) {
        self.presence.sent_away.cancelled().await;
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        let mut book = self.admission.lock();
        book.addresses.remove(&self.address);
        book.principals.remove(&self.principal);
        book.present.remove(&self.number);
    }
}

/// One call's place.
#[derive(Debug)]
pub struct CallPermit {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
    _session: Arc<()>,
}

/// What one principal may use, over all its sessions.
#[derive(Debug)]
struct Share {
    rate: DefaultDirectRateLimiter,
    in_flight: Arc<Semaphore>,
}

impl Share {
    fn new(limits: &Limits) -> Self {
        let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::per_second(positive(limits.rate_per_second)).allow_burst(positive(limits.rate_burst));
        Self {
            rate: RateLimiter::direct(quota),
            in_flight: Arc::new(Semaphore::new(limits.in_flight_per_principal)),
        }
    }

    fn pace(&self) -> Result<(), Duration> {
        self.rate.check().map_err(|early| early.wait_time_from(DefaultClock::default().now()))
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one host is given.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
