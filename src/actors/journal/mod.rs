//! What the daemon did, for people and collectors: the last entries in memory, all of them as JSON lines on the disk.
//!
//! Reading order: [`ring`] (where entries are put and read), [`mod@file`] (where they end up), [`server`] (who takes them there,
//! and looks for what nobody says). It is a log, not the truth: the truth about jobs is in the store.

pub mod ring;
pub mod file;
pub mod server;

pub use ring::{Entry, Journal, What};
pub use server::{JournalArguments, JournalServer};
