//! Apps under test: made, started, kept up for as long as somebody holds a lease, and removed.
//!
//! Reading order: [`lease`] (what others hold: the door, a lease), [`error`], [`server`] (the manager: who wants what),
//! [`content`] (whether it is still the same), [`app`] (one app's life), and its steps: [`plan`] (what it consists of), [`images`], [`services`] (its containers),
//! [`health`] (whether it answers).

pub mod error;
pub mod lease;
pub mod server;
mod content;
mod app;
mod plan;
mod images;
mod services;
mod health;

pub use app::Workshop;
pub use error::AppError;
pub use lease::{AppLease, AppState, AppView, Apps, Endpoint, Wanted};
pub use server::{AppsArguments, AppsMessage, AppsServer, RunningApps};
