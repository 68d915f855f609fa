//! What `proctor scan` works with: a connection to the running daemon, or to one of its own when none runs. Either way
//! it speaks MCP over WebSocket, so that there is one way for a scan to go.

use std::time::Duration;

use super::client::{Client, ClientError};
use super::daemon::{self, ReachError};
use super::link::Link;
use super::run::CommandError;
use super::serve;
use super::target::Named;
use super::terminal::Terminal;
use crate::actors::root::Daemon;
use crate::config::Config;
use crate::domain::scope::{AllowList, Place, class};
use crate::shutdown::Shutdown;

/// A connection, and the daemon behind it if it is ours.
pub struct Session {
    pub link: Link,
    own: Option<Daemon>,
    /// How long jobs that others brought to our daemon may keep it.
    patience: Duration,
}

impl Session {
    /// Connects. A daemon of our own may examine `target` unless the configuration names roots or hosts: who types a command
    /// is the operator of that daemon.
    pub async fn open(config: &Config, target: &Named, active: bool) -> Result<Self, CommandError> {
        let patience = config.jobs.deadline_max;
        match Link::to_running(config.daemon.data_dir.clone()).await {
            Ok(link) => Ok(Self { link, own: None, patience }),
            // Nobody there, or a daemon that died and whose number another process has now.
            Err(ReachError::NotRunning { .. } | ReachError::Client(ClientError::Unreachable { .. })) => {
                let (client, daemon) = embed(config, target, active).await?;
                Ok(Self { link: Link::to_own(client), own: Some(daemon), patience })
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Says goodbye. A daemon of our own ends with us, after the jobs that others brought to it meanwhile.
    pub async fn close(self, shutdown: &mut Shutdown, terminal: Terminal) {
        self.link.client.close().await;
        let Some(daemon) = self.own else { return };
        if let Err(error) = serve::drain(&daemon, self.patience, shutdown).await {
            terminal.complain(&format!("proctor: the embedded daemon was left before its end: {error}"));
        }
    }
}

async fn embed(config: &Config, target: &Named, active: bool) -> Result<(Client, Daemon), CommandError> {
    let mut config = config.clone();
    // Any free port: the usual one may be another daemon's, on another data directory.
    config.gateway.listen = ([127, 0, 0, 1], 0).into();
    if let Named::Url(url) = target {
        allow(&mut config, url, active);
    }
    let daemon = serve::start(&config, target.root().into_iter().collect(), None, None).await?;
    let token = daemon::read_token(&daemon.token_file())?;
    let client = Client::connect(daemon.address(), &token).await?;
    Ok((client, daemon))
}

/// Lets a daemon of our own touch what was typed, where the configuration names no host itself. What only an exact entry may
/// open (link-local neighbours, where a cloud hands out its credentials) stays shut: an address that somebody pasted, or
/// that a model made up, is not an operator's word. So does a private address behind a public name.
fn allow(config: &mut Config, url: &str, active: bool) {
    let targets = &mut config.targets;
    // What is no URL is refused with its reason by the daemon.
    let Ok(place) = Place::parse(url) else { return };
    let needs_an_entry =
        place.authority.address().is_some_and(|address| !class(address).may_be_listed_by_network());
    if needs_an_entry || !targets.hosts.is_empty() || !targets.active.is_empty() {
        return;
    }
    let typed = AllowList::parse(&[place.authority.to_string()]).unwrap_or_default();
    match active {
        true => targets.active = typed,
        false => targets.hosts = typed,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::scope::{Lists, Permission};

    #[test]
    fn what_was_typed_may_be_touched_unless_it_takes_an_operators_word() {
        for (url, active, allowed) in [
            ("http://localhost:5000/", false, Some(Permission::Look)),
            ("http://127.0.0.1:5000/x", true, Some(Permission::Attack)),
            ("https://shop.example/", false, Some(Permission::Look)),
            ("http://169.254.169.254/", false, None),
            ("http://[fe80::1]/", true, None),
            ("http://[::ffff:169.254.169.254]/", true, None),
            ("http://2852039166/", true, None),
        ] {
            let mut config = Config::with_data_dir(Path::new("/nonexistent")).unwrap();
            allow(&mut config, url, active);
            let lists = Lists { hosts: config.targets.hosts, active: config.targets.active };
            let authority = Place::parse(url).unwrap().authority;
            let may = |permission| lists.consider(&authority, permission).is_ok();
            assert_eq!(may(Permission::Look), allowed.is_some(), "{url}");
            assert_eq!(may(Permission::Attack), allowed == Some(Permission::Attack), "{url}");
        }
    }
}
