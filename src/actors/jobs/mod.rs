//! Jobs: admission, slots, and a child per job with a child per tool run under it.
//!
//! ```text
//! jobs (one_for_all)
//! ├─ running         dynamic; a subtree per job under way
//! │  └─ job-…        temporary; the manager ends it when its job is gone
//! │     ├─ runs      dynamic; a temporary `run` per tool
//! │     └─ job       drives the job: snapshot → plan → runs → end
//! └─ manager         lets jobs in, starts them in turn, grants slots
//! ```
//! Who speaks to whom: sessions → manager (submit, watch, cancel); job → manager (renew, gone); run → manager (slot), run → job
//! (moved, ended); everybody → store. Nobody waits for an answer from above while answering a question from above.
//!
//! Reading order: [`target`] (what may be examined), [`snapshot`] and [`site`] (what tools are shown), [`plan`] and [`task`]
//! (who looks at what), [`execute`] (one call of a program), `confine` (what it may see and touch), `reading` (what it left),
//! `calls` (one call within its time), `isolate` (which calls a run on files makes), `look` (a run on what runs), then the
//! actors [`run`], [`job`], [`manager`].

pub mod target;
pub mod snapshot;
pub mod site;
pub mod plan;
pub mod task;
pub mod execute;
mod confine;
pub mod contain;
mod reading;
mod run_slot;
mod calls;
mod isolate;
mod look;
pub mod run;
pub mod job;
pub mod running;
pub mod wish;
pub mod looks;
pub mod manager;

pub use manager::{
    Census, JobWatch, Jobs, JobsArguments, JobsMessage, Place, Submit, SubmitError, Submitted,
};
pub use running::RunningJobs;
