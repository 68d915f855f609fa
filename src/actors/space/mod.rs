//! Room on the disk of the data directory: watched, and a part of it held in reserve.
//!
//! Reading order: [`room`] (what the rest of the daemon sees), [`ballast`] (the reserve), [`server`] (the actor), [`usage`] (what directories take). When what
//! happens is decided in `domain/space.rs`.

pub mod room;
pub mod ballast;
pub mod server;
pub mod usage;

pub use room::{NoRoom, Room};
pub use server::{Space, SpaceArguments, SpaceMessage};
