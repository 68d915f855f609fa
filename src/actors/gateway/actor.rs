//! The gateway actor: owns the port and, through its accept loop, every connection.
//!
//! ```text
//! serving ──Drain──▶ draining ──Settle──▶ settling ──Close──▶ closing ──last connection ended──▶ closed
//! ```
//! Spoken to by the root, which drains and closes it; clients never reach its mailbox. Its death closes every
//! connection; its supervisor starts it again on the same port.

use std::net::TcpListener as Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::listener::{self, Shared};
use super::phase::Phase;
use super::sessions::{Plan, Sessions};
use crate::actors::mailbox::{Lane, Message, Reply};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::actors::session::calls::table::table;

/// The drain speaks to it three times in its life.
const MAILBOX_LIMIT: usize = 8;

/// What the gateway is told.
#[derive(Debug)]
pub enum GatewayMessage {
    /// Take no new session and no new call; say so in `/readyz`. What runs goes on.
    Drain,
    /// Whoever waits for a job gets an answer now: the job as it is. Answered when no call runs any more; after
    /// [`GatewayMessage::Drain`] none begins.
    Settle { reply: Reply<()> },
    /// Shut the port, and close every connection with 1001 once its answers are out. Answered when the last one is gone.
    Close { reply: Reply<()> },
    /// The accept loop is over.
    LoopEnded,
}

impl Message for GatewayMessage {
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

/// What the gateway is made of.
pub struct GatewayArguments {
    pub plan: Plan,
    pub sessions: Sessions,
}

/// The gateway.
pub struct Gateway {
    bound: Arc<Bound>,
    admission: Arc<Admission>,
    phase: watch::Sender<Phase>,
    /// Cancelled when the accept loop is over.
    over: CancellationToken,
}

impl Server for Gateway {
    const NAME: &'static str = "gateway";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = GatewayMessage;
    type Arguments = GatewayArguments;

    async fn init(
        GatewayArguments { plan, sessions }: GatewayArguments,
        context: &Context<GatewayMessage>,
    ) -> Result<Self, StartError> {
        let unusable = |error: std::io::Error| {
            StartError::Permanent(format!("the listening socket is unusable: {error}"))
        };
        let listener = plan.listener.try_clone().map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let listener = TcpListener::from_std(listener).map_err(unusable)?;
        let (sender, phase) = watch::channel(Phase::Serving);
        let admission = Admission::new(plan.settings.limits);
        let shared = Arc::new(Shared {
            admission: Arc::clone(&admission),
            settings: plan.settings,
            handles: plan.handles,
            table: Arc::new(table()),
            sessions,
            phase,
        });
        let over = CancellationToken::new();
        let ended = Over { token: over.clone(), gateway: context.address().clone() };
        context.spawn(async move {
            let _ended = ended;
            listener::run(listener, shared).await;
        });
        Ok(Self { bound: plan.listener, admission, phase: sender, over })
    }

    async fn handle(
        &mut self,
        message: GatewayMessage,
        context: &Context<GatewayMessage>,
    ) -> Result<(), Stop> {
        match message {
            GatewayMessage::Drain => self.advance(Phase::Draining),
            GatewayMessage::Settle { reply } => {
                self.advance(Phase::Settling);
                let admission = Arc::clone(&self.admission);
                context.spawn(async move {
                    admission.settled().await;
                    reply.send(());
                });
            }
            GatewayMessage::Close { reply } => {
                self.advance(Phase::Closing);
                listener::shut(&self.bound);
                let over = self.over.clone();
                context.spawn(async move {
                    over.cancelled().await;
                    reply.send(());
                });
            }
            GatewayMessage::LoopEnded if *self.phase.borrow() == Phase::Closing => {}
            GatewayMessage::LoopEnded => return Err(Stop::Abnormal("the accept loop ended".to_owned())),
        }
        Ok(())
    }

    /// Stopped without having been closed, perhaps to be started again: connections are told, the port stays open.
    async fn terminate(&mut self, _: &Context<GatewayMessage>) {
        if *self.phase.borrow() == Phase::Closing {
            // It was closed and had its time: who is still here does not read.
            return;
        }
        self.advance(Phase::Closing);
        drop(tokio::time::timeout(TERMINATE, self.over.cancelled()).await);
    }
}

/// How long a stop waits for connections: their close and linger deadlines together.
const TERMINATE: Duration = Duration::from_secs(4);

impl Gateway {
    /// Phases only go forward.
    fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
    }
}

/// Says that the accept loop is over, however it ended.
struct Over {
    token: CancellationToken,
    gateway: crate::actors::mailbox::Address<GatewayMessage>,
}

impl Drop for Over {
    fn drop(&mut self) {
        self.token.cancel();
        // An error means that the gateway is gone itself.
        drop(self.gateway.try_send(GatewayMessage::LoopEnded));
    }
}
