//! What travels on the wire: framing, method and tool shapes, the error table. Knows no actor and no domain.

pub mod limits;
pub mod errors;
pub mod strict;
pub mod jsonrpc;
pub mod mcp;
pub mod frames;
pub mod api;
pub mod web;
pub mod apps;
pub mod history;
