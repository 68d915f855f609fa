//! `fault`: panics, kills, sleeps and big answers on request, for the tests of crashes and back-pressure. Never in a release
//! build.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use crate::actors::session::SessionMessage;
use crate::actors::session::call::{Call, CallContext, CallError, Hints};

/// Progress reports of one sleep.
const STEPS: u32 = 10;

/// What is to go wrong.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The call panics: its caller gets an internal error, nobody else anything.
    PanicCall,
    /// The session panics: its client is disconnected, nobody else is.
    PanicSession,
    /// The first actor named `actor` in the live tree is killed: to its supervisor a failure like a panic.
    KillActor,
    /// The store's writer hangs for `lasting_ms`.
    HangStore,
    /// The call takes `ms` and reports progress ten times on the way.
    Sleep,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultArguments {
    kind: Kind,
    /// Milliseconds until it happens.
    #[serde(default)]
    ms: u32,
    /// Milliseconds that it lasts.
    #[serde(default)]
    #[schemars(range(max = 60_000))]
    lasting_ms: u32,
    /// Bytes of filler in the answer.
    #[serde(default)]
    #[schemars(range(max = 16_777_216))]
    bytes: u32,
    /// A name of the live tree: `store`, `manager`, a run's id.
    #[serde(default)]
    actor: String,
}

#[derive(Debug, Serialize)]
pub(super) struct FaultAnswer {
    slept_ms: u32,
    filler: String,
}

pub(super) struct Fault;

impl Call for Fault {
    const NAME: &'static str = "fault";
    const TITLE: &'static str = "Inject a fault";
    const DESCRIPTION: &'static str =
        "Test build only: panics, kills an actor, sleeps, or answers with many bytes.";
    const HINTS: Hints = Hints::READ;
    type Arguments = FaultArguments;
    type Answer = FaultAnswer;

    async fn call(arguments: FaultArguments, context: CallContext) -> Result<FaultAnswer, CallError> {
        let began = Instant::now();
        let whole = Duration::from_millis(arguments.ms.into());
        for step in 1..=STEPS {
            sleep_until(began + whole * step / STEPS).await;
            context.progress.report(step.into(), Some(STEPS.into()), format!("step {step} of {STEPS}"));
        }
        match arguments.kind {
            Kind::PanicCall => panic!("a call was asked to panic"),
            Kind::PanicSession => {
                drop(context.session.try_send(SessionMessage::Panic));
                std::future::pending().await
            }
            Kind::KillActor if (context.handles.kill)(&arguments.actor) => {
                Ok(FaultAnswer { slept_ms: arguments.ms, filler: String::new() })
            }
            Kind::KillActor => Err(CallError::argument("actor", "there is no actor of that name")),
            Kind::HangStore => {
                let time = Duration::from_millis(arguments.lasting_ms.into());
                // What the client of the store makes of it is what everybody makes of it.
                drop(context.handles.store.hang(time).await);
                Ok(FaultAnswer { slept_ms: arguments.ms, filler: String::new() })
            }
            Kind::Sleep => {
                let filler = "x".repeat(usize::try_from(arguments.bytes).unwrap_or(usize::MAX));
                Ok(FaultAnswer { slept_ms: arguments.ms, filler })
            }
        }
    }
}
