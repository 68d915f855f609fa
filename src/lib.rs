//! proctor: one long-running daemon that examines software with the real tools under a supervision tree of actors,
//! and answers over MCP.
//!
//! The modules in reading order; the arrows between them are in `docs/architecture.md` and enforced by
//! `tests/it/tidy.rs`.

pub mod config;
pub mod telemetry;
pub mod shutdown;
pub mod faults;
pub mod domain;
pub mod protocol;
pub mod tools;
pub mod report;
pub mod store;
pub mod actors;
pub mod cli;
