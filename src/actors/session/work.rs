//! One request that takes time: a tool call or the reading of a resource, as a task of its session. It answers under
//! its id whatever happens to it: a result, an error, a panic. Only a cancelled request is not answered, as MCP has it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rmcp::model::{CallToolRequestParams, ProgressToken, ReadResourceRequestParams, RequestParamsMeta};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::actor::SessionMessage;
use super::call::{CallContext, CallError};
use super::outbox::Outbox;
use super::progress::{self, Pump};
use super::resources;
use super::table::Table;
use crate::actors::gateway::admission::CallPermit;
use crate::actors::gateway::phase::Phase;
use crate::actors::handles::Handles;
use crate::actors::mailbox::Address;
use crate::domain::ids::Principal;
use crate::protocol::errors::WireError;
use crate::protocol::jsonrpc::{self, Id};

/// A request that takes time.
#[derive(Debug)]
pub enum Work {
    Call(Box<CallToolRequestParams>),
    Read(Box<ReadResourceRequestParams>),
}

impl Work {
    fn progress_token(&self) -> Option<ProgressToken> {
        match self {
            Self::Call(params) => params.progress_token(),
            Self::Read(params) => params.progress_token(),
        }
    }
}

/// A place among the requests that a session may have open, taken by its reader; given back when the answer has left
/// the call.
#[derive(Debug)]
pub struct Credit {
    pub _request: OwnedSemaphorePermit,
    pub _bytes: OwnedSemaphorePermit,
}

/// What a session's requests have in common.
#[derive(Clone)]
pub struct Surroundings {
    pub principal: Principal,
    pub handles: Handles,
    pub table: Arc<Table>,
    pub outbox: Arc<Outbox>,
    pub session: Address<SessionMessage>,
    pub phase: watch::Receiver<Phase>,
    /// Cancelled when the session ends.
    pub connection: CancellationToken,
    pub deadline: Duration,
    pub message_bytes_max: usize,
}

/// One request under way.
pub struct Job {
    pub id: Id,
    pub work: Work,
    pub cancel: CancellationToken,
    pub surroundings: Surroundings,
    /// Released with the job, before its session hears of its end.
    pub held: (Option<Credit>, CallPermit),
    /// Last, and outside of [`Job::run`]: a job that is cancelled before it ran at all has ended, too.
    pub end: End,
}

impl Job {
    /// Does it and answers.
    pub async fn run(self) {
        // Dropped in reverse: `end` speaks when everything else is released.
        let Self { end: _end, id, work, cancel, surroundings, held } = self;
        let (reporter, pump) = progress::channel(work.progress_token(), Arc::clone(&surroundings.outbox));
        let context = CallContext {
            principal: surroundings.principal.clone(),
            cancel,
            connection: surroundings.connection.clone(),
            progress: reporter,
            handles: surroundings.handles.clone(),
            phase: surroundings.phase.clone(),
            #[cfg(feature = "fault-injection")]
            session: surroundings.session.clone(),
        };
        let answered = AssertUnwindSafe(perform(&id, work, context, &surroundings)).catch_unwind();
        let text = tokio::select! {
            answered = answered => answered.unwrap_or_else(|_panic| {
                // The panic hook has logged where and why.
                tracing::error!(?id, "a call panicked");
                metrics::counter!("proctor_call_panics_total").increment(1);
                jsonrpc::failure(Some(&id), &WireError::Internal)
            }),
            never = run_pump(pump) => match never {},
        };
        surroundings.outbox.deliver(fitting(text, &id, surroundings.message_bytes_max)).await;
        drop(held);
    }
}

enum Never {}

async fn run_pump(pump: Pump) -> Never {
    pump.run().await;
    std::future::pending().await
}

async fn perform(id: &Id, work: Work, context: CallContext, surroundings: &Surroundings) -> String {
    let began = Instant::now();
    let (name, answer) = match work {
        Work::Call(params) => match surroundings.table.find(&params.name) {
            Err(error) => ("unknown", Err(error)),
            Ok(row) => {
                let called = timeout(surroundings.deadline, row.call(params.arguments, context)).await;
                let result = called.unwrap_or_else(|_elapsed| Err(too_long(surroundings.deadline)));
                let result = result.or_else(CallError::into_result);
                (row.name(), result.map(|result| jsonrpc::answer(id, &result)))
            }
        },
        Work::Read(params) => {
            let read = timeout(surroundings.deadline, resources::read(params.uri, context)).await;
            let result = read.unwrap_or(Err(WireError::Overloaded {
                what: "the resource could not be read in time",
                retry_after: surroundings.deadline,
            }));
            ("resources/read", result.map(|result| jsonrpc::answer(id, &result)))
        }
    };
    metrics::histogram!("proctor_call_seconds", "call" => name.to_owned()).record(began.elapsed());
    answer.unwrap_or_else(|error| jsonrpc::failure(Some(id), &error))
}

fn too_long(deadline: Duration) -> CallError {
    CallError::Refused {
        what: format!("No answer within {} s, the longest one call may take", deadline.as_secs()),
        advice: "Ask for less, or let it run as a job and ask for its status".to_owned(),
    }
}

/// Clients hang up on a message that is too big, and every other request of the session with it.
fn fitting(text: String, id: &Id, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    jsonrpc::failure(Some(id), &WireError::AnswerTooLarge { bytes: text.len(), limit })
}

/// Tells the session, however the job ends: by its answer, by an abort, by a panic.
pub struct End {
    id: Id,
    session: Address<SessionMessage>,
    _cancel: DropGuard,
}

impl End {
    pub fn new(id: Id, session: Address<SessionMessage>, cancel: CancellationToken) -> Self {
        Self { id, session, _cancel: cancel.drop_guard() }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // An error means that the session is gone, and its book with it.
        drop(self.session.try_send(SessionMessage::WorkEnded { id: self.id.clone() }));
    }
}
