//! The service manager's side of `sd_notify(3)`: one datagram of `NAME=value` lines to a Unix socket. Ours, because it is
//! forty lines and the environment is read once, at the door of the process: nobody below inherits it (a tool's
//! environment is an allow-list).

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::timeout;

/// Longest wait for a place in the service manager's queue: it reads at once unless it is in trouble itself.
const SEND_PATIENCE: Duration = Duration::from_secs(1);

/// A service manager that wants to hear from us.
#[derive(Debug, Clone)]
pub struct ServiceManager {
    address: SocketAddr,
    watchdog: Option<Duration>,
}

/// The service manager said something that we do not understand.
#[derive(Debug, thiserror::Error)]
pub enum BadEnvironment {
    #[error("NOTIFY_SOCKET={value:?} is no address of a Unix socket: {source}")]
    Socket { value: OsString, source: io::Error },
    #[error("{name}={value:?} is not a positive number")]
    Number { name: &'static str, value: OsString },
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The gateway serves.
    Ready,
    /// The drain has begun.
    Stopping,
    /// Every part answers.
    Alive,
    /// Within this time it hears of us again, or we are gone: starting and stopping may take longer than it was told.
    Within(Duration),
    /// For people, in `systemctl status`. One line.
    Status(String),
}

impl Notice {
    fn line(&self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Alive => "WATCHDOG=1".to_owned(),
            Self::Within(time) => format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()),
            Self::Status(text) => format!("STATUS={}", text.replace('\n', " ")),
        }
    }
}

impl ServiceManager {
    /// As `variable` describes it; `None` when nobody wants to hear (no `NOTIFY_SOCKET`).
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, BadEnvironment> {
        let Some(value) = variable("NOTIFY_SOCKET").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let address = address(value.as_bytes()).map_err(|source| BadEnvironment::Socket { value, source })?;
        // A watchdog that is meant for another process (our parent, a wrapper) is none of ours.
        let meant = match number(&variable, "WATCHDOG_PID")? {
            Some(pid) => pid == u64::from(std::process::id()),
            None => true,
        };
        let watchdog = number(&variable, "WATCHDOG_USEC")?.filter(|_| meant).map(Duration::from_micros);
        Ok(Some(Self { address, watchdog }))
    }

    /// How long it bears silence before it ends us; `None` when it does not watch.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends the notices in one datagram.
    pub async fn tell(&self, notices: &[Notice]) -> io::Result<()> {
        let text: Vec<String> = notices.iter().map(Notice::line).collect();
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&self.address)?;
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixDatagram::from_std(socket)?;
        let text = text.join("\n");
        match timeout(SEND_PATIENCE, socket.send(text.as_bytes())).await {
            Ok(sent) => sent.map(drop),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// A path, or `@name` in the abstract namespace.
fn address(value: &[u8]) -> io::Result<SocketAddr> {
    match value.split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name),
        Some((b'/', _)) => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(value)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither an absolute path nor @name")),
    }
}

fn number(
    variable: &impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<u64>, BadEnvironment> {
    let Some(value) = variable(name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0) {
        Some(number) => Ok(Some(number)),
        None => Err(BadEnvironment::Number { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(variables: &[(&str, &str)]) -> Result<Option<ServiceManager>, BadEnvironment> {
        ServiceManager::from_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn without_a_socket_nobody_is_told() {
        assert!(manager(&[("WATCHDOG_USEC", "1")]).unwrap().is_none());
        assert!(manager(&[("NOTIFY_SOCKET", "")]).unwrap().is_none());
    }

    #[test]
    fn a_watchdog_is_ours_unless_it_names_another_process() {
        let watchdog = |pid: &str| {
            let variables = [("NOTIFY_SOCKET", "@x"), ("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", pid)];
            manager(&variables).unwrap().unwrap().watchdog()
        };
        assert_eq!(watchdog(&std::process::id().to_string()), Some(Duration::from_secs(30)));
        assert_eq!(watchdog("1"), None);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for bad in [&[("NOTIFY_SOCKET", "vsock:2:1")][..], &[("NOTIFY_SOCKET", "@x"), ("WATCHDOG_USEC", "0")]]
        {
            assert!(manager(bad).is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn notices_are_lines_of_one_datagram_to_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("@proctor-test-{}", std::process::id());
        let here = UnixDatagram::bind(&path).unwrap();
        let abstracted = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let there = UnixDatagram::bind_addr(&abstracted).unwrap();
        for (address, socket) in [(path.to_str().unwrap(), here), (name.as_str(), there)] {
            let manager = manager(&[("NOTIFY_SOCKET", address)]).unwrap().unwrap();
            let status = Notice::Status("two\nlines".to_owned());
            manager.tell(&[Notice::Ready, Notice::Within(Duration::from_secs(2)), status]).await.unwrap();
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).unwrap();
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            assert_eq!(text, "READY=1\nEXTEND_TIMEOUT_USEC=2000000\nSTATUS=two lines");
        }
    }
}
