//! The bounded mailbox: the only way to reach an actor of ours.
//!
//! ```text
//!  sender ── permit ──▶ Gate: queue of data, at most `limit`            actor
//!     │                        └── Ring (at most one) ──▶ ractor mailbox ──▶ handle
//!     └────────── control ──────────────────────────────▶ ractor mailbox ──▶ handle
//! ```
//!
//! ractor's mailbox is unbounded, so nothing that a client can multiply may lie in it. Data lies in the queue of the
//! [`gate`]; ractor's mailbox carries at most one `Ring` for all of it, and control. So control waits for the message
//! being handled and for no other. Why one design serves requests and streams: `docs/decisions/0002-mailbox.md`.
//!
//! Reading order: [`message`] (lanes), [`vitals`] (what an actor shows while it lives), [`gate`] (permits and queue),
//! [`address`] (what a sender holds), [`reply`], [`slot`] (an address that survives a restart).

pub mod message;
pub mod vitals;
pub(crate) mod gate;
pub mod address;
pub mod reply;
pub mod slot;

pub use address::{Address, CallError, SendError};
pub use message::{Lane, Message};
pub use reply::Reply;
pub use slot::Slot;
pub use vitals::Vitals;
