//! The accept loop: one port, one task, which owns a task per connection.

use std::net::{Shutdown, SocketAddr, TcpListener as Bound};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::admission::Admission;
use super::connection;
use super::phase::{Phase, reached};
use super::sessions::Sessions;
use super::settings::Settings;
use crate::actors::handles::Handles;
use crate::actors::session::table::Table;
use crate::domain::pressure::Level;
use crate::protocol::limits::SEND_BUFFER_BYTES;

/// Connections the kernel may hold for us: a burst of all sessions at once.
const BACKLOG: u32 = 1_024;
/// Pause after a failed accept: out of file descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Sessions sent away per reading: the next one, a second later, shows whether that was enough.
const SHED_MAX: usize = 16;
/// How often histograms are thinned; without it they grow until somebody asks for `/metrics`.
const UPKEEP: Duration = Duration::from_secs(5);

/// What all connections share.
pub struct Shared {
    pub settings: Settings,
    pub admission: Arc<Admission>,
    pub handles: Handles,
    pub table: Arc<Table>,
    pub sessions: Sessions,
    pub phase: watch::Receiver<Phase>,
}

impl Shared {
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }
}

/// Takes the port. Done once, before the tree starts: a gateway that is restarted goes on with the same port, and
/// clients that connect meanwhile wait instead of being refused. Called inside of a runtime.
pub fn bind(address: SocketAddr) -> std::io::Result<Bound> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Inherited by accepted sockets: small, so that a peer that does not read is felt early.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Shuts the port for whoever holds it: clients are refused at once instead of waiting for nobody. For good.
pub fn shut(bound: &Bound) {
    let shut = bound
        .try_clone()
        .and_then(|socket| std::net::TcpStream::from(OwnedFd::from(socket)).shutdown(Shutdown::Both));
    if let Err(error) = shut {
        tracing::warn!(%error, "cannot shut the port");
    }
}

/// Accepts until the gateway closes, then waits for the connections to end: each does so by itself, within its
/// deadlines.
pub async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let phase = shared.watch_phase();
    let mut upkeep = interval(UPKEEP);
    let mut pressure = shared.handles.pressure.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => admit(&mut connections, &shared, socket, address),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            _ = upkeep.tick() => {
                if let Some(metrics) = &shared.settings.metrics {
                    metrics.run_upkeep();
                }
            }
            // Once per reading; an error means that nobody measures.
            Ok(()) = pressure.changed() => shed(&shared.admission, pressure.borrow_and_update().level),
            () = reached(&phase, Phase::Closing) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The newest have the least to lose, and the idle lose nothing: they may come back.
fn shed(admission: &Admission, level: Level) {
    if level < Level::Shedding {
        return;
    }
    let sent_away = admission.shed(SHED_MAX);
    metrics::counter!("proctor_sessions_shed_total").increment(sent_away.try_into().unwrap_or(u64::MAX));
    if sent_away > 0 {
        tracing::warn!(sessions = sent_away, "memory is short; the newest idle sessions are sent away");
    }
}

fn admit(connections: &mut JoinSet<()>, shared: &Arc<Shared>, socket: TcpStream, address: SocketAddr) {
    let Some(permit) = shared.admission.connect(address.ip()) else {
        metrics::counter!("proctor_connections_dropped_total").increment(1);
        return;
    };
    let shared = Arc::clone(shared);
    connections.spawn(async move {
        connection::serve(shared, socket, address).await;
        drop(permit);
    });
}
