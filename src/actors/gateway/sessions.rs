//! The gateway's part of the tree, and where its sessions are started.
//!
//! ```text
//! gateway             rest_for_one
//! ├─ sessions         dynamic; a temporary child per session: its client connects again
//! └─ listener         the port; first stopped, so that nobody comes in while sessions end
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::actor::{Gateway, GatewayArguments, GatewayMessage};
use super::settings::Settings;
use crate::actors::handles::Handles;
use crate::actors::mailbox::{Address, Slot};
use crate::actors::session::{Session, SessionArguments, SessionMessage};
use crate::actors::supervise::{ChildError, ChildSpec, StartError, Strategy, SupervisorSlot, SupervisorSpec};

/// What the gateway needs for as long as the daemon lives.
#[derive(Clone)]
pub struct Plan {
    /// The port, taken with [`super::listener::bind`].
    pub listener: Arc<std::net::TcpListener>,
    pub settings: Settings,
    pub handles: Handles,
}

/// Sessions that have given their place back and are not yet forgotten by their supervisor.
const ENDING_MAX: usize = 64;

/// The gateway as a child of the root. `slot` is where the root finds it to drain and to close it.
pub fn child(plan: Plan, slot: &Slot<GatewayMessage>) -> ChildSpec {
    let slot = slot.clone();
    let spec = move || {
        let sessions = SupervisorSlot::new();
        let cap = plan.settings.limits.sessions + ENDING_MAX;
        let children = ChildSpec::supervisor("sessions", &sessions, move || {
            SupervisorSpec::new("sessions", Strategy::Dynamic { cap })
        });
        let (plan, sessions) = (plan.clone(), Sessions::new(sessions));
        let listener = ChildSpec::server_in::<Gateway>("listener", &slot, move || GatewayArguments {
            plan: plan.clone(),
            sessions: sessions.clone(),
        });
        SupervisorSpec::new("gateway", Strategy::RestForOne).child(children).child(listener)
    };
    ChildSpec::supervisor("gateway", &SupervisorSlot::new(), spec)
}

/// The door to the supervisor of sessions.
#[derive(Clone)]
pub struct Sessions {
    supervisor: SupervisorSlot,
    started: Arc<AtomicU64>,
}

impl Sessions {
    fn new(supervisor: SupervisorSlot) -> Self {
        Self { supervisor, started: Arc::new(AtomicU64::new(0)) }
    }

    pub async fn start(&self, arguments: SessionArguments) -> Result<Address<SessionMessage>, ChildError> {
        let gone =
            || ChildError::NotStarted(StartError::Transient("the supervisor of sessions is down".to_owned()));
        let supervisor = self.supervisor.get().ok_or_else(gone)?;
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        supervisor.start_server::<Session>(format!("session-{number}"), arguments).await
    }
}
