//! Connections to pinned addresses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one address may take to accept: three tries of TCP's first packet.
pub const CONNECT: Duration = Duration::from_secs(5);

/// Nothing accepts a connection there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no connection to {address}: {why}")]
pub struct Unconnected {
    /// The last that was tried.
    pub address: SocketAddr,
    pub why: String,
    /// Whether it was silent, rather than refusing.
    pub is_silent: bool,
}

/// Connects to the first of `addresses` that accepts.
pub async fn connect(addresses: &[SocketAddr], patience: Duration) -> Result<TcpStream, Unconnected> {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut last = Unconnected { address: nowhere, why: "there is no address".into(), is_silent: false };
    for &address in addresses {
        let error = match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests leave at once; an error means that the peer has left already.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        let is_silent = error.kind() == io::ErrorKind::TimedOut;
        last = Unconnected { address, why: error.to_string(), is_silent };
    }
    Err(last)
}
