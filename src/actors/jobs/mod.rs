//! Jobs: admission, slots, and a child per job with a child per tool run under it.
//!
//! ```text
//! jobs (one_for_all)
//! ├─ running         dynamic; a `job` and its `runs` per job under way
//! │  └─ job-…        one_for_all, temporary
//! │     ├─ runs      dynamic; a temporary `run` per tool
//! │     └─ job       drives the job: snapshot → plan → runs → end
//! └─ manager         lets jobs in, starts them in turn, grants slots
//! ```
//! Who speaks to whom: sessions → manager (submit, watch, cancel); job → manager (gone); run → manager (slot), run → job
//! (moved, ended); everybody → store. Nobody waits for an answer from above while answering a question from above.

pub mod target;
pub mod snapshot;
