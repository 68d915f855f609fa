//! Ownership, time and effects: one folder per owned resource, one actor per file.
//!
//! Reading order: [`mailbox`] (how actors are reached), [`server`] (what an actor is), [`supervise`] (who starts, stops
//! and replaces them), then the resources.

pub mod mailbox;
pub mod server;
pub mod supervise;

pub mod clock;
pub mod random;
pub mod host;
pub mod data_dir;
pub mod process;
pub mod egress;
pub mod probes;
pub mod apps;
pub mod installer;
pub mod store;
pub mod space;
pub mod retention;
pub mod journal;
pub mod pressure;
pub mod breakers;
pub mod docker;
pub mod zap;
pub mod jobs;
pub mod handles;
pub mod session;
pub mod gateway;
pub mod notify;
mod rows;
mod container_rows;
mod upkeep;
pub mod drain;
pub mod root;
