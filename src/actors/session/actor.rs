//! The session actor: one client's conversation. Owns its handshake, its requests in flight and its end of the outbox.
//!
//! ```text
//! awaiting initialize ──initialize──▶ open ──connection gone, or stopped──▶ ended
//! ```
//! Messages come from the connection's reader (requests, notifications), from its own requests (they ended) and from
//! the connection (it is gone). Handling one never waits: what takes time is a task of the session, so a ping and a
//! cancel are answered at once however much work there is. Its death aborts its requests and closes its socket (1011
//! after a panic); jobs that were submitted live on, and no other session notices. Never restarted: the client is.

use std::sync::Arc;

use rmcp::model::{EmptyObject, InitializeRequestParams, PaginatedRequestParams};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::flight::{Cancelled, Flight, Offer};
use super::outbox::{Mouth, Outbox};
use super::resources;
use super::table::Table;
use super::work::{Credit, End, Job, Surroundings, Work};
use crate::actors::gateway::admission::SessionPermit;
use crate::actors::gateway::phase::Phase;
use crate::actors::handles::Handles;
use crate::actors::mailbox::{Lane, Message};
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::domain::finding::clean_text;
use crate::protocol::errors::{CloseReason, WireError};
use crate::protocol::jsonrpc::{self, Id};
use crate::protocol::mcp::{self, Notification, Request};

/// Requests that may wait for the actor. Handling one is microseconds; what is full here is the reader's to wait for.
const MAILBOX_LIMIT: usize = 32;

/// What the log keeps of a client's name, in bytes.
const CLIENT_BYTES_MAX: usize = 64;

/// What a session is told.
#[derive(Debug)]
pub enum SessionMessage {
    /// `credit` comes with requests that take time.
    Request {
        id: Id,
        request: Request,
        credit: Option<Credit>,
    },
    Notify(Notification),
    /// A request's task is over. Control: as many as may run.
    WorkEnded {
        id: Id,
    },
    /// The connection is gone. Control: once.
    Leave,
    #[cfg(feature = "fault-injection")]
    Panic,
}

impl Message for SessionMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Request { .. } | Self::Notify(_) => Lane::Data,
            Self::WorkEnded { .. } | Self::Leave => Lane::Control,
            #[cfg(feature = "fault-injection")]
            Self::Panic => Lane::Control,
        }
    }
}

/// What a session is made of.
pub struct SessionArguments {
    pub permit: Arc<SessionPermit>,
    pub outbox: Arc<Outbox>,
    pub phase: watch::Receiver<Phase>,
    pub handles: Handles,
    pub table: Arc<Table>,
}

/// One client's conversation.
pub struct Session {
    handshake: Handshake,
    flight: Flight<Parked, Running>,
    /// Owns the requests' tasks: dropped with the session, it aborts them.
    tasks: JoinSet<()>,
    surroundings: Surroundings,
    permit: Arc<SessionPermit>,
    mouth: Mouth,
    /// Last: what hangs on the connection ends after the requests do, so that those can tell a cancel from a farewell.
    _connection: DropGuard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handshake {
    Awaited,
    Done,
}

struct Parked {
    work: Work,
    credit: Option<Credit>,
}

struct Running {
    abort: AbortHandle,
    cancel: CancellationToken,
}

impl Server for Session {
    const NAME: &'static str = "session";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = SessionMessage;
    type Arguments = SessionArguments;

    async fn init(
        arguments: SessionArguments,
        context: &Context<SessionMessage>,
    ) -> Result<Self, StartError> {
        let SessionArguments { permit, outbox, phase, handles, table } = arguments;
        let limits = permit.limits();
        let connection = CancellationToken::new();
        let surroundings = Surroundings {
            principal: permit.principal().clone(),
            handles,
            table,
            outbox: Arc::clone(&outbox),
            session: context.address().clone(),
            phase,
            connection: connection.clone(),
            deadline: limits.call_deadline,
            message_bytes_max: limits.message_out_bytes,
        };
        Ok(Self {
            handshake: Handshake::Awaited,
            flight: Flight::new(limits.in_flight_per_session),
            tasks: JoinSet::new(),
            surroundings,
            permit,
            mouth: Mouth::new(outbox),
            _connection: connection.drop_guard(),
        })
    }

    async fn handle(&mut self, message: SessionMessage, _: &Context<SessionMessage>) -> Result<(), Stop> {
        match message {
            SessionMessage::Request { id, request, credit } => self.request(id, request, credit),
            SessionMessage::Notify(notification) => self.notified(&notification),
            SessionMessage::WorkEnded { id } => self.work_ended(&id),
            SessionMessage::Leave => {
                self.mouth.outbox().close(CloseReason::Normal);
                return Err(Stop::Normal);
            }
            #[cfg(feature = "fault-injection")]
            SessionMessage::Panic => panic!("a session was asked to panic"),
        }
        Ok(())
    }

    /// Stopped from outside: only a daemon that shuts down does that.
    async fn terminate(&mut self, _: &Context<SessionMessage>) {
        self.mouth.outbox().close(CloseReason::Draining);
    }
}

impl Session {
    fn request(&mut self, id: Id, request: Request, credit: Option<Credit>) {
        if self.handshake == Handshake::Awaited && !matches!(request, Request::Initialize(_) | Request::Ping)
        {
            return self.refuse(
                &id,
                &WireError::InvalidRequest("the session is not open: send initialize first".into()),
            );
        }
        match request {
            Request::Ping => self.answer(&id, &EmptyObject {}),
            Request::Initialize(params) => self.initialize(&id, &params),
            Request::SetLevel => self.answer(&id, &EmptyObject {}),
            Request::ListTools(page) => self.list(&id, &page, self.surroundings.table.published()),
            Request::ListResources(page) => self.list(&id, &page, &resources::list()),
            Request::ListResourceTemplates(page) => self.list(&id, &page, &resources::templates()),
            Request::CallTool(params) => self.take(id, Work::Call(params), credit),
            Request::ReadResource(params) => self.take(id, Work::Read(params), credit),
        }
    }

    fn initialize(&mut self, id: &Id, params: &InitializeRequestParams) {
        if self.handshake == Handshake::Done {
            return self.refuse(id, &WireError::InvalidRequest("the session is open already".into()));
        }
        self.handshake = Handshake::Done;
        let version = mcp::negotiate(&params.protocol_version);
        tracing::info!(
            client = clean_text(&params.client_info.name, CLIENT_BYTES_MAX), client_version = clean_text(&params.client_info.version, CLIENT_BYTES_MAX),
            principal = %self.surroundings.principal, %version, "session opened"
        );
        self.answer(id, &mcp::introduce(version));
    }

    /// Our lists have one page: whoever names another was not given it by us.
    fn list(&self, id: &Id, page: &PaginatedRequestParams, list: &(impl serde::Serialize + ?Sized)) {
        match page.cursor {
            None => self.answer(id, list),
            Some(_) => self.refuse(id, &WireError::InvalidParams("cursor: there is no such page".to_owned())),
        }
    }

    fn take(&mut self, id: Id, work: Work, credit: Option<Credit>) {
        if !self.is_serving() {
            return self.refuse(&id, &WireError::Draining);
        }
        match self.flight.offer(&id, Parked { work, credit }) {
            Offer::Start(parked) => self.start(id, parked),
            Offer::Parked => {}
            Offer::Duplicate => {
                self.refuse(
                    &id,
                    &WireError::InvalidRequest("this id is in use by a request not yet answered".into()),
                );
            }
        }
    }

    fn start(&mut self, id: Id, parked: Parked) {
        let permit = match self.permit.start_call() {
            Ok(permit) => permit,
            Err(error) => return self.refuse(&id, &error),
        };
        let cancel = CancellationToken::new();
        let job = Job {
            id: id.clone(),
            work: parked.work,
            cancel: cancel.clone(),
            surroundings: self.surroundings.clone(),
            held: (parked.credit, permit),
            end: End::new(id.clone(), self.surroundings.session.clone(), cancel.clone()),
        };
        let abort = self.tasks.spawn(job.run());
        self.flight.started(id, Running { abort, cancel });
    }

    fn notified(&mut self, notification: &Notification) {
        match notification {
            Notification::Cancelled(id) => match self.flight.cancel(id) {
                Cancelled::Running(running) => {
                    running.cancel.cancel();
                    running.abort.abort();
                }
                Cancelled::Parked(_) | Cancelled::Unknown => {}
            },
            Notification::Initialized | Notification::Ignored => {}
        }
    }

    fn work_ended(&mut self, id: &Id) {
        while self.tasks.try_join_next().is_some() {}
        self.flight.ended(id);
        while let Some((id, parked)) = self.flight.next_up() {
            if self.is_serving() {
                self.start(id, parked);
            } else {
                // A drain waits for what runs; what has not begun is told to come back.
                self.refuse(&id, &WireError::Draining);
            }
        }
    }

    fn is_serving(&self) -> bool {
        *self.surroundings.phase.borrow() == Phase::Serving
    }

    fn answer(&self, id: &Id, result: &(impl serde::Serialize + ?Sized)) {
        self.mouth.outbox().answer(jsonrpc::answer(id, result));
    }

    fn refuse(&self, id: &Id, error: &WireError) {
        self.mouth.outbox().answer(jsonrpc::failure(Some(id), error));
    }
}
