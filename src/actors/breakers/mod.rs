//! Circuit breakers: one per dependency, all in one place, so that whoever depends on what is down is told at once.
//!
//! Reading order: [`client`] (what others hold: the door, the pass), [`server`] (the actor). The rules are in
//! `domain/breaker.rs`.

pub mod client;
pub mod server;

pub use client::{Breakers, Down, Pass};
pub use server::{BreakersArguments, BreakersMessage, BreakersServer};
