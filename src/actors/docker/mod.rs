//! The Docker engine: everything proctor asks of it goes through here.
//!
//! Reading order: [`door`] (what others hold), [`engine`] (what can be asked), [`container`] and [`network`] (guards: what
//! they made is removed when they are dropped), [`image`], [`build`] and [`context`] (what containers are made of),
//! [`tool`] (one run of a program, with [`disk`]), [`error`];
//! then the inside: [`held`] (who holds what), [`server`] (the actor), [`link`] (one connection's life), [`events`], [`sweep`],
//! [`places`]; [`doctor`] looks from outside. What a container may be granted is decided in `domain/container/policy.rs`.

pub mod error;
pub mod held;
pub mod door;
pub mod places;
pub mod engine;
pub mod container;
pub mod network;
mod body;
pub mod image;
pub mod context;
pub mod build;
mod disk;
pub mod tool;
pub mod doctor;
mod events;
mod sweep;
mod link;
pub mod server;

pub use container::Container;
pub use door::{Docker, EngineState};
pub use engine::{Engine, EngineInfo};
pub use error::{EngineError, Unavailable};
pub use network::Network;
pub use places::Places;
pub use server::{DockerArguments, DockerMessage, DockerServer, STOP};
