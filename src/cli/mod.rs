//! The subcommands: what a person or a script types. One file per subcommand.
//!
//! Reading order: [`arguments`] (the whole command line), [`exit`] (the one table of exit codes), [`terminal`] (where
//! output goes), [`mod@run`] (from a command to its end); [`client`] (an MCP client) and [`reply`] (what it is sent);
//! [`text`] and [`table`] (what a person is shown); then the commands.

pub mod arguments;
pub mod exit;
pub mod terminal;
pub mod run;
pub mod tools;

pub mod client;
pub mod daemon;
mod link;
mod reply;

mod text;
mod table;
mod progress;
mod follow;
mod pages;
mod sarif;
mod show;

mod serve;
mod session;
mod target;
mod scan;
mod apps;
mod job;
mod history;
mod tree;
mod stdio;
mod mcp_config;
mod token;
mod doctor;
mod config;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod fake_daemon;

pub use arguments::Arguments;
pub use exit::Exit;
pub use run::run;
