//! An address that survives a restart. A respawned actor is a new reference; whoever must outlive it holds a slot and
//! asks for the present one at every use.

use tokio::sync::watch;

use super::address::Address;
use super::message::Message;

/// The present address of a child, set by its start.
#[derive(Debug)]
pub struct Slot<M: Message> {
    present: watch::Sender<Option<Address<M>>>,
}

impl<M: Message> Slot<M> {
    pub fn new() -> Self {
        Self { present: watch::Sender::new(None) }
    }

    /// The actor of now; `None` before its first start, while it is down and while it drains.
    pub fn get(&self) -> Option<Address<M>> {
        self.present.borrow().as_ref().filter(|address| !address.is_closed()).cloned()
    }

    /// Waits until there is one.
    pub async fn ready(&self) -> Address<M> {
        let mut watched = self.present.subscribe();
        loop {
            if let Some(address) = self.get() {
                return address;
            }
            // Cannot fail: `self` holds the sender.
            drop(watched.changed().await);
        }
    }

    /// The latest actor, dead or alive.
    pub(crate) fn last(&self) -> Option<Address<M>> {
        self.present.borrow().clone()
    }

    pub(crate) fn set(&self, address: Address<M>) {
        self.present.send_replace(Some(address));
    }
}

impl<M: Message> Clone for Slot<M> {
    fn clone(&self) -> Self {
        Self { present: self.present.clone() }
    }
}

impl<M: Message> Default for Slot<M> {
    fn default() -> Self {
        Self::new()
    }
}
