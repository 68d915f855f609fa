//! What the outside hears of the daemon's health: the service manager (systemd's `sd_notify`), and the log.
//!
//! Reading order: [`service`] (the protocol), [`parts`] (who is asked whether they still answer), [`stalls`]
//! (who is too long at one message), [`actor`].

pub mod service;
mod parts;
mod stalls;
mod actor;

pub use actor::{Notify, NotifyArguments, NotifyMessage};
pub use parts::Parts;
pub use service::ServiceManager;
