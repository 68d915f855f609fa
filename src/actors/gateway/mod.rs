//! The one port: HTTP probes and metrics, and MCP over WebSocket.
//!
//! Reading order: [`phase`] (serving, draining, closing), [`token`], [`origin`] and [`admission`] (who may come in),
//! [`settings`], [`http`] (before the 101), [`metered`] and [`pump`] (after it), [`connection`] (from first byte to
//! last), [`sessions`], [`listener`] (the accept loop), [`actor`].

pub mod phase;
pub mod token;
pub mod origin;
pub mod admission;
pub mod settings;
pub mod http;
pub mod metered;
pub mod pump;
pub mod connection;
pub mod sessions;
pub mod listener;
pub mod actor;

pub use actor::{Gateway, GatewayArguments, GatewayMessage};
