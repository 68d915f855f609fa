//! The schema, migrations and queries behind the store actor. Plain functions on a connection: which thread holds it,
//! and when a transaction is committed, is decided in `actors/store`.
//!
//! Reading order: [`lock`] (one daemon per directory), [`open`] (a file that can be trusted) with its [`log`], [`schema`], then the
//! tables: [`jobs`], [`findings`] with its [`cursor`], [`events`], [`keys`], and [`record`], which changes them together; [`recover`] is what a
//! start finds and decides, [`retention`] how ended jobs go.

pub mod error;
pub mod lock;
pub mod log;
pub mod open;
pub mod schema;
pub mod jobs;
pub mod findings;
pub mod cursor;
pub mod events;
pub mod keys;
pub mod record;
pub mod recover;
pub mod retention;

pub use error::{Fault, FaultKind, StoreError};
