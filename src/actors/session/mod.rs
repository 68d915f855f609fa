//! One session: one client on one connection, and its requests.
//!
//! Reading order: [`outbox`] (what waits for the socket), [`progress`], [`call`] (what a tool of ours is), [`table`]
//! (dispatch), [`calls`] (the tools), [`resources`], [`flight`] (who runs, who waits), [`work`] (one running request),
//! [`actor`] (the session itself). Nothing in here knows which transport carries it.

pub mod outbox;
pub mod progress;
pub mod call;
pub mod table;
pub mod calls;
pub mod convert;
pub mod sarif;
pub mod resources;
pub mod flight;
pub mod work;
pub mod actor;

pub use actor::{Session, SessionArguments, SessionMessage};
