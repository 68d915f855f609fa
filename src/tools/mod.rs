//! The catalogue: a manifest per tool (data), and a parser for what is not SARIF.
//!
//! Reading order: what a tool is ([`manifest`], with its `program`, the `place`s of its command line, its report's
//! `format` and its `severities`; read by `reader`, `read` and `read_run`), all of them ([`catalogue`]), how a run of one
//! is called ([`invocation`], with `web_places`), and what its output says ([`parse`]). Everything here is pure but the reading of a user's
//! manifest directory: no process is started and no report file is opened.

mod place;
mod format;
mod severities;
mod program;
pub mod manifest;
mod reader;
mod read;
mod read_run;
pub mod catalogue;
mod web_places;
pub mod invocation;
pub mod parse;
