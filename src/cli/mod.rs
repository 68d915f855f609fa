//! The subcommands: what a person or a script types. One file per subcommand.
//!
//! Reading order: [`arguments`] (the whole command line), [`exit`] (the one table of exit codes), [`terminal`] (where
//! output goes), [`run`] (from a command to its end), then the commands.

pub mod arguments;
pub mod exit;
pub mod terminal;
pub mod run;

mod config;

pub use arguments::Arguments;
pub use exit::Exit;
pub use run::run;
