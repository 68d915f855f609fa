//! The gate: a forward proxy of one run, for tools that speak HTTP themselves. What they send comes out at the addresses of
//! the run's scope or nowhere: it looks up no name, and what is not in the scope is refused with a 403, counted and named.
//!
//! ```text
//! open(scope, ip) ──▶ accepting ──a connection──▶ a task each: requests in a row (http), or one tunnel (CONNECT)
//!                        └─ the guard is dropped: the port is shut, all connections are cut
//! ```
//! Owned by whoever holds the [`Gate`], which is the run that its tool works for: its tasks live in the guard's `JoinSet` and
//! end with it, however the run dies. What passed is counted outside of the tasks, so that the count outlives them.

mod forward;
mod line;
mod traffic;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::domain::scope::Scope;
use traffic::Counts;
pub use traffic::Traffic;

/// Connections of a tool at once: what the busiest load test opens. Those over it wait in the kernel.
const CONNECTIONS_MAX: usize = 512;
/// Pause after a failed accept: out of file descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open gate. Dropped, it is shut, and everything that came through it is cut.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    counts: Arc<Counts>,
    tasks: JoinSet<()>,
}

impl Gate {
    /// Opens a gate to `scope` on a free port of `ip`: of the loopback, or of a network on which only the tool is.
    pub async fn open(scope: Arc<Scope>, ip: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, scope, Arc::clone(&counts)));
        Ok(Self { address, counts, tasks })
    }

    /// Where tools find their proxy.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has passed so far.
    pub fn traffic(&self) -> Traffic {
        self.counts.read()
    }

    /// Shuts it, and says what has passed in all.
    pub async fn close(mut self) -> Traffic {
        self.tasks.shutdown().await;
        self.counts.read()
    }
}

async fn accept(listener: TcpListener, scope: Arc<Scope>, counts: Arc<Counts>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((socket, _)) => {
                // Small answers leave at once; an error means that the tool has left already.
                drop(socket.set_nodelay(true));
                let (scope, counts) = (Arc::clone(&scope), Arc::clone(&counts));
                connections.spawn(async move {
                    forward::serve(socket, scope, counts).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the gate cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}
