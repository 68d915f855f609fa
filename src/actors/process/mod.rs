//! The only door to child processes: [`run`] starts a tool, reads what it writes, holds it to its limits, and returns
//! when nothing of it is left alive.
//!
//! ```text
//! starting ──► running ──exit──────────────────────────┐
//!    │            │ deadline, cancel, flood            ▼
//!    │            └► SIGTERM to the group ─ grace ─► SIGKILL to all ─► verified empty ─► leader reaped ─► Ended
//!    └► NotStarted
//! ```
//!
//! A run is held from four sides: a process group always, cgroups where they are writable ([`Containment`]), a token in
//! its environment ([`sweep`] finds it by that), and the death signal, which ends its leader when the daemon dies.
//! What it may see and touch is the business of the [`sandbox`], for whoever wants one.
//!
//! Whoever drops the future of [`run`] kills the run: its guard does, and the keeper thread buries what is left.

mod command;
mod ended;
mod run;
mod capture;
mod group;
mod keeper;
mod undertaker;
mod containment;
mod cgroup;
mod token;
mod scan;
mod sweep;
mod sys;
mod scratch;
mod elsewhere;
mod resolve;
mod orders;
mod told;
pub mod shim;
mod init;
pub mod sandbox;

pub use command::{Command, Limits};
pub use containment::{Containment, MemoryCgroup};
pub use elsewhere::{Sinks, Streams};
pub use ended::{Captured, Ended, How, MemoryLimit, Obstacle, Spill, Usage};
pub use run::run;
pub use sandbox::{Sandbox, Survey, survey};
pub use sweep::{Swept, become_subreaper, sweep};
