//! The one port: HTTP probes and metrics, and MCP over WebSocket.
//!
//! Reading order: [`phase`] (serving, draining, closing), [`token`], [`token_list`], [`origin`] and [`admission`] (who may come in),
//! [`settings`], [`http`] (before the 101), [`metered`] and [`pump`] (after it), [`connection`] (from first byte to
//! last), [`listener`] (the accept loop), [`actor`],
//! [`sessions`] (the gateway's part of the tree).

pub mod phase;
pub mod token;
pub mod token_list;
pub mod origin;
pub mod admission;
pub mod settings;
pub mod http;
pub mod metered;
pub mod pump;
pub mod connection;
pub mod listener;
pub mod actor;
pub mod sessions;

pub use actor::{Gateway, GatewayMessage};
pub use sessions::{Plan, child};
