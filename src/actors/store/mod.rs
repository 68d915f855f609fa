//! The store: the single writer of the database, and the client that everybody else holds.
//!
//! ```text
//! Store ── call ──▶ StoreServer ──▶ writer thread   one connection, group commit, answers after COMMIT
//!  (clients)         (mailbox)  └──▶ reader thread   one connection that cannot write
//! ```
//! Reading order: [`client`] (what others call), [`server`] (the actor), `worker` (a thread and its bounded queue),
//! `writer` (group commit), [`health`] (whether writes reach the disk). The SQL is in `store/`.

pub mod client;
pub mod server;
pub mod health;
mod worker;
mod writer;

pub use client::Store;
pub use health::Health;
pub use server::{StoreArguments, StoreMessage, StoreServer};
