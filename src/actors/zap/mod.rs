//! ZAP under supervision: a container per scan, driven through its API, and what that proves.
//!
//! Reading order: [`door`] (what others hold), [`order`] (what they want), [`scan`] (one scan), [`instance`] (one ZAP), [`api`]
//! and [`client`] (how it is spoken to), [`server`] and [`seat`] (how many there are), [`settings`]. What ZAP's words mean, and
//! what follows from them, is in `domain/zap/`.

pub mod client;
pub mod api;
pub mod settings;
pub mod order;
pub mod instance;
pub mod seat;
pub mod scan;
pub mod door;
pub mod server;

pub use door::Zap;
pub use order::ZapOrder;
pub use server::{ZapArguments, ZapMessage, ZapServer};
pub use settings::Settings;
