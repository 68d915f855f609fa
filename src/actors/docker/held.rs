//! Who holds what: the names of all objects that a guard of this life stands for, and how the containers among them are.
//!
//! A name is held before the engine hears of it and until its removal is asked for, so whatever is found in the engine with
//! our labels and a name that is not held here belongs to nobody (`domain/container/labels.rs`). Outlives the actor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::server::DockerMessage;
use crate::actors::mailbox::Slot;
use crate::domain::container::{ContainerState, Happening};

/// An object in the engine, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Container(String),
    Network(String),
    /// Held by its container, and gone with it: nobody has a guard for one.
    Volume(String),
}

impl Thing {
    pub fn name(&self) -> &str {
        match self {
            Self::Container(name) | Self::Network(name) | Self::Volume(name) => name,
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => write!(f, "the container {name}"),
            Self::Network(name) => write!(f, "the network {name}"),
            Self::Volume(name) => write!(f, "the volume {name}"),
        }
    }
}

/// The register. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Held {
    things: Arc<Mutex<BTreeMap<Thing, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    /// `None` until the engine has said it.
    id: Option<String>,
    state: watch::Sender<ContainerState>,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Thing, Entry>> {
        // Nothing panics while the lock is held.
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, thing: Thing) -> watch::Receiver<ContainerState> {
        let state = watch::Sender::new(ContainerState::Created);
        let watched = state.subscribe();
        self.lock().insert(thing, Entry { id: None, state });
        watched
    }

    pub(super) fn identify(&self, thing: &Thing, id: &str) {
        if let Some(entry) = self.lock().get_mut(thing) {
            entry.id = Some(id.to_owned());
        }
    }

    fn release(&self, thing: &Thing) {
        self.lock().remove(thing);
    }

    pub fn is_held(&self, thing: &Thing) -> bool {
        self.lock().contains_key(thing)
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of the containers among them that may still change.
    pub(super) fn living(&self) -> Vec<String> {
        let things = self.lock();
        let containers = things.iter().filter(|(thing, _)| matches!(thing, Thing::Container(_)));
        let living = containers.filter(|(_, entry)| !entry.state.borrow().is_over());
        living.filter_map(|(_, entry)| entry.id.clone()).collect()
    }

    /// Something was heard of the container with this id.
    pub(super) fn happened(&self, id: &str, happening: Happening) {
        self.change(id, |state| state.after(happening));
    }

    /// Somebody looked at the container with this id.
    pub(super) fn seen(&self, id: &str, seen: ContainerState) {
        self.change(id, |state| state.after_look(seen));
    }

    fn change(&self, id: &str, next: impl FnOnce(ContainerState) -> ContainerState) {
        let things = self.lock();
        let Some(entry) = things.values().find(|entry| entry.id.as_deref() == Some(id)) else { return };
        entry.state.send_if_modified(|state| {
            let new = next(*state);
            std::mem::replace(state, new) != new
        });
    }
}

/// Stands for one object: dropped, the object is removed, by the actor or by the next sweep.
#[derive(Debug)]
pub(super) struct Hold {
    thing: Thing,
    held: Held,
    slot: Slot<DockerMessage>,
    /// Whether the engine has been asked to make it.
    asked: bool,
}

impl Hold {
    pub fn new(
        thing: Thing,
        held: &Held,
        slot: &Slot<DockerMessage>,
    ) -> (Self, watch::Receiver<ContainerState>) {
        let state = held.hold(thing.clone());
        (Self { thing, held: held.clone(), slot: slot.clone(), asked: false }, state)
    }

    pub const fn thing(&self) -> &Thing {
        &self.thing
    }

    /// From now on there may be such an object.
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// The object is known to be gone.
    pub fn settle(mut self) {
        self.asked = false;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.release(&self.thing);
        if !self.asked {
            return;
        }
        if let Some(actor) = self.slot.get() {
            // An error means that the actor ends: what it leaves is swept by its successor, or by itself.
            drop(actor.post(DockerMessage::Remove { thing: self.thing.clone() }));
        }
    }
}
