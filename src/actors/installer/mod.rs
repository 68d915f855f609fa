//! Puts tools on the machine: exactly the pinned bytes, each in a folder of its own, seen as installed only when complete.
//!
//! Reading order: what is installed ([`package`], pinned by [`lock`]), where ([`layout`]), the proof that it is there
//! ([`receipt`], [`installed`]), how one is made ([`recipe`], with [`environment`] and [`python`], run by [`step`]), one of
//! them ([`one`]; of a distribution's program only its `version` is asked), all of them ([`all`]), and whether it all works ([`doctor`]).
//!
//! ```text
//! <tools_dir>/.lock                         one installer at a time
//! <tools_dir>/.logs/<tool>/<step>/          what the package managers printed last time
//! <tools_dir>/.runtimes/<runtime>/…         pip, Node and Go, as below
//! <tools_dir>/<tool>/receipt.json           written last, atomically; names the folder that counts
//! <tools_dir>/<tool>/<version>-<digest>/    the tool; folders that no receipt names are rests
//! ```
//! The folder is not made elsewhere and renamed: virtual environments hold their own absolute path. The receipt's rename
//! is the moment at which a tool is installed, and the folder before it stays until the next installation, for the runs
//! that still use it.

mod lock;
mod layout;
mod package;
mod receipt;
mod installed;
mod reads;
mod environment;
mod python;
mod recipe;
mod step;
mod failure;
mod version;
mod one;
mod all;
mod size;
pub mod doctor;

pub use all::{Done, Event, Installer, Outcome, Setup};
pub use environment::{Variables, inherited};
pub use failure::InstallError;
pub use installed::{Installed, NotInstalled, Program};
pub use layout::Layout;
pub use lock::{Lock, Locks};
pub use package::{Package, Recipe, Runtime};
pub use size::human_bytes;
