//! Our MCP tools, one file each. A new one is a file here that implements `Call`, and its row in [`table`].

pub mod table;
mod tools;
pub mod jobs;
pub mod submit;
mod target;
mod scan;
mod apps;
mod job_status;
mod job_cancel;
mod job_events;
mod job_list;
mod findings;
#[cfg(feature = "fault-injection")]
mod fault;

pub use tools::Nothing;
