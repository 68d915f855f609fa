//! Where sessions are started: under the gateway's dynamic supervisor, as temporary children.

use crate::actors::mailbox::Address;
use crate::actors::server::{self, StartError};
use crate::actors::session::{Session, SessionArguments, SessionMessage};

/// The door to the supervisor of sessions.
#[derive(Debug, Clone, Default)]
pub struct Sessions {}

impl Sessions {
    pub async fn start(&self, arguments: SessionArguments) -> Result<Address<SessionMessage>, StartError> {
        Ok(server::spawn::<Session>(arguments).await?.address)
    }
}
