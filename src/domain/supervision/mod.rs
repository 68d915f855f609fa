//! Supervision as OTP means it, decided purely: a table of children, events in, actions out. No clock, no actor.
//!
//! ```text
//!            ┌───────────────── restart ◀── backoff over ── Waiting ◀─┐
//!            ▼                                                        │ failed, within the intensity
//!         Pending ──▶ Starting ──▶ Running ───────────────────────────┤
//!            ▲             │          │                               └─ done, unavailable ──▶ Down
//!            │             ▼          ▼ doomed, or asked                                        ▲
//!            └── restart ─ Stopping: drain → stop → kill → abandon ─────────────────────────────┘
//! ```
//!
//! Where it differs from OTP, on purpose:
//! - A child that fails while the supervisor boots is retried within the intensity, not fatal at once; a permanent
//!   failure is not retried, and leaves the child `unavailable` unless it is `essential`.
//! - A child that is down (asked to stop, done, unavailable) stays down when its siblings are restarted as a group.
//! - Killing has an end too: who does not die within [`KILL_PATIENCE`] (a thread stuck in blocking code) is abandoned
//!   and named, so that a shutdown always ends.
//!
//! Reading order: [`exit`] (how a life ends), [`rules`] (children as data), [`child`] (one row and its states),
//! [`machine`] (events in, actions out), [`failing`] and [`stopping`] (what a life's end means, and how it is brought
//! about), [`order`] (who may start or must stop next), [`requests`] (what may be asked).

pub mod exit;
pub mod rules;
pub mod child;
pub mod machine;
mod failing;
mod stopping;
mod order;
pub mod requests;

pub use child::{Child, Down, Status};
pub use exit::{Exit, StartError};
pub use machine::{Action, Ended, Event, Moment, Supervision};
pub use requests::{Answer, Refusal, Ticket};
pub use rules::{ChildId, Generation, KILL_PATIENCE, Kind, Restart, Rules, Shutdown, Strategy};
