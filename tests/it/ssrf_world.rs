//! An internet of a test's own: a network namespace in which every address of both families is this machine, so that a
//! connection to anywhere is accepted, recorded by the address it was for, and goes nowhere. The kernel counts what was
//! sent besides: a connection that nobody listened for, a question to a name server.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proctor::actors::egress::{Resolver, Site};
use proctor::domain::scope::{AllowList, Lists, Permission, Refused};
use proctor::domain::target::WebPlan;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::egress_world::{Reply, read_message};
use crate::process_world::alone_after;

/// Makes every address local, in a namespace that has nothing else.
const OWN_INTERNET: &str = "set -- unshare -rn /bin/sh -c '\
    ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo && exec \"$@\"' sh \"$@\"";

/// Where the names that may be looked at are: an address of the internet.
pub const PUBLIC: &str = "93.184.215.14";

/// Runs `test`, of this name, in an internet of its own.
pub fn in_own_internet<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    if alone_after(OWN_INTERNET, name) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(120), test()).await.expect("every case ends");
        });
    }
}

/// Everybody, at port 80 of every address.
pub struct Internet {
    seen: Arc<Mutex<Vec<IpAddr>>>,
    _tasks: JoinSet<()>,
}

impl Internet {
    /// `answer` is what a server says to a request; which address it has, it does not know.
    pub async fn open(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("[::]:80").await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, shared) = (Arc::new(answer), Arc::clone(&seen));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().push(socket.local_addr().unwrap().ip().to_canonical());
                let answer = Arc::clone(&answer);
                connections.spawn(async move {
                    let mut buffer = Vec::new();
                    while let Some(request) = read_message(&mut socket, &mut buffer).await {
                        if let Reply::Raw(bytes) = answer(&request) {
                            socket.write_all(&bytes).await.ok();
                        }
                    }
                });
            }
        });
        Self { seen, _tasks: tasks }
    }

    /// The addresses that were connected to since the last call, in order. A connection is recorded as soon as the
    /// listener's task runs; one that is answered has been.
    pub async fn seen(&self) -> Vec<IpAddr> {
        // Lets the listener take what the kernel has for it.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// What the kernel sent in this namespace: connections begun, and datagrams.
pub fn sent() -> (u64, u64) {
    let snmp = fs::read_to_string("/proc/self/net/snmp").unwrap();
    let snmp6 = fs::read_to_string("/proc/self/net/snmp6").unwrap();
    let column = |protocol: &str, name: &str| -> u64 {
        let mut lines = snmp.lines().filter(|line| line.starts_with(&format!("{protocol}:")));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let at = names.split(' ').position(|own| own == name).unwrap();
        values.split(' ').nth(at).unwrap().parse().unwrap()
    };
    let six = snmp6.lines().find(|line| line.starts_with("Udp6OutDatagrams")).unwrap();
    let six: u64 = six.split_whitespace().nth(1).unwrap().parse().unwrap();
    (column("Tcp", "ActiveOpens"), column("Udp", "OutDatagrams") + six)
}

/// What an operator listed: names on the internet, and nothing private.
pub fn lists() -> Lists {
    let hosts = AllowList::parse(&["shop.example", "*.shop.example", "rebound.example"]).unwrap();
    Lists { hosts, active: AllowList::default() }
}

/// Answers that every name is at `addresses`.
pub fn everyone_at(addresses: &[&str]) -> Resolver {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Resolver::of(move |_| std::future::ready(Ok(addresses.clone())))
}

pub async fn prepare(url: &str, resolver: &Resolver) -> Result<Site, Refused> {
    Site::prepare(url, WebPlan::default(), Permission::Look, &lists(), resolver).await
}

pub fn set(addresses: &[&str]) -> BTreeSet<IpAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

/// `address:80`.
pub fn web(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 80)
}
