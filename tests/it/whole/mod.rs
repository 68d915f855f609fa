//! The whole daemon in this process, with the real tools, on a port and in directories of the test's own.

mod world;
mod oracle;

pub use oracle::{Oracle, assert_same, found};
pub use world::{World, fake, fake_manifest, start, tools_dir};
