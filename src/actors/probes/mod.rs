//! Our own looks at what runs: they send requests through [`egress`](crate::actors::egress) and leave judging to
//! `domain/web`. A part of a run, as its tool's process would be: no task of theirs outlives it.
//!
//! Reading order: [`visitor`] (who asks: within a budget, logged in or not), then what is looked at: [`headers`] (pages, cookies,
//! certificates, forgotten files), [`endpoints`] (requests whose answers are known).

pub mod visitor;
pub mod headers;
pub mod endpoints;

pub use visitor::{Order, Visitor};
