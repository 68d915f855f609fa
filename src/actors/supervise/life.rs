//! What a supervisor holds of a living child, whatever its kind: four verbs and a view.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ractor::ActorCell;
use tokio_util::sync::CancellationToken;

use super::handle::Supervisor;
use crate::actors::mailbox::{Address, Message};
use crate::domain::supervision::{Exit, StartError};
use crate::domain::tree::{ActorView, MailboxView, TreeNode};

/// A living child.
pub(crate) trait Life: Send + Sync {
    fn drain(&self);
    fn stop(&self);
    fn kill(&self);
    fn view(&self) -> ActorView;
    /// Those under it, if it is a supervisor.
    fn children(&self) -> Vec<TreeNode>;
    /// Kills the first actor of this name under it; false if there is none.
    #[cfg(feature = "fault-injection")]
    fn kill_below(&self, _id: &str) -> bool {
        false
    }
}

/// A child that has begun to live.
pub(crate) struct Begun {
    pub(crate) life: Arc<dyn Life>,
    /// Resolves when its task is gone, and with it everything it owned.
    pub(crate) ended: BoxFuture<'static, Exit>,
}

/// Under whom a child starts, and how its start is given up.
pub(crate) struct Parent {
    pub(crate) cell: ActorCell,
    pub(crate) cancel: CancellationToken,
}

/// Begins one life of a child; called again for every restart.
pub(crate) type Start = Arc<dyn Fn(Parent) -> BoxFuture<'static, Result<Begun, StartError>> + Send + Sync>;

impl<M: Message> Life for Address<M> {
    fn drain(&self) {
        Address::drain(self);
    }

    fn stop(&self) {
        Address::stop(self);
    }

    fn kill(&self) {
        Address::kill(self);
    }

    fn view(&self) -> ActorView {
        let vitals = self.vitals();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        ActorView {
            name: vitals.name().to_owned(),
            age_ms: millis(vitals.age()),
            handling_ms: vitals.handling_for().map(millis),
            stalled: vitals.is_stalled(),
            mailbox: MailboxView { depth: self.depth(), limit: self.limit(), refused: self.refused() },
        }
    }

    fn children(&self) -> Vec<TreeNode> {
        Vec::new()
    }
}

impl Life for Supervisor {
    /// A supervisor has nothing to drain but its children, and stopping it stops them by their own rules.
    fn drain(&self) {
        self.request_stop();
    }

    fn stop(&self) {
        self.request_stop();
    }

    fn kill(&self) {
        self.address().kill();
    }

    fn view(&self) -> ActorView {
        self.address().view()
    }

    fn children(&self) -> Vec<TreeNode> {
        self.tree().children
    }

    #[cfg(feature = "fault-injection")]
    fn kill_below(&self, id: &str) -> bool {
        Supervisor::kill_below(self, id)
    }
}
