//! Who starts, stops and replaces actors. OTP's rules are decided in `domain::supervision`; here they are carried out.
//!
//! ```text
//!  Supervisor (handle) ── requests ──▶ Keeper (actor) ── step ──▶ Supervision (pure) ──▶ actions
//!                                        ▲    │ one task per life
//!                     started, exited ───┘    └──▶ warden: starts the child, waits until all of it is gone, reports
//! ```
//!
//! ractor's links serve one purpose here: a supervisor that dies takes its children with it. A supervisor that *stops*
//! has stopped its children itself before, in reverse order, with their `terminate`.
//!
//! Reading order: [`spec`] (children as data), [`handle`] (what others hold), [`keeper`] (the actor), [`life`] (what a
//! keeper holds of a child), [`gauges`] (the live tree as metrics).

pub mod spec;
pub mod handle;
mod keeper;
mod life;
mod gauges;

pub use gauges::Gauges;
pub use handle::{ChildCounts, ChildError, ChildView, Supervisor, SupervisorSlot};
pub use spec::{ChildSpec, SupervisorSpec};

pub use crate::domain::restart::{Backoff, Intensity};
pub use crate::domain::supervision::{
    ChildId, Ended, Exit, Kind, Refusal, Restart, Shutdown, StartError, Strategy,
};
