//! The end of what has ended: jobs past their time are deleted, a bounded step at a time. Which ones, `store/retention.rs`
//! says.

pub mod server;

pub use server::{Clock, Retention, RetentionArguments, RetentionMessage};
