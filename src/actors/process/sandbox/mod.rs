//! The sandbox of a tool: what it may see, touch and ask of the kernel. Three walls, each of which holds alone:
//!
//! ```text
//! bubblewrap   its own file system, processes, network: what is not shown is not there
//! landlock     the kernel refuses files, ports and signals by rule; inside of bubblewrap, or alone
//! seccomp      the kernel refuses system calls that no analyser needs, and kinds of sockets
//! ```
//!
//! Which of them work on this machine is found out once, by trying ([`survey`]). A wall that works there is built in every
//! run that wants a sandbox, or the run does not start. What each keeps out, and what it does not: `docs/sandbox.md`.

mod wish;
mod survey;
mod view;
mod enclosure;
mod bubblewrap;
mod landlock;
mod seccomp;

pub use survey::{Survey, Wall, survey};
pub use wish::{Built, Sandbox, Walls};

pub(super) use bubblewrap::{Prepared, become_bubblewrap, locate};
pub(super) use enclosure::Enclosure;
pub(super) use survey::settle;
pub(super) use view::{Entry, Surroundings};
