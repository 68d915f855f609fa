//! The catalogue: a manifest per tool (data), and a parser for what is not SARIF.
//!
//! Reading order: what a tool is ([`manifest`], read by `reader` and `read`), all of them ([`catalogue`]), how a run of
//! one is called ([`invocation`]), and what its output says ([`parse`]). Everything here is pure but the reading of a
//! user's manifest directory: no process is started and no report file is opened.

pub mod manifest;
mod reader;
mod read;
pub mod catalogue;
pub mod invocation;
pub mod parse;
