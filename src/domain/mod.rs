//! Rules and state machines, pure: no tokio, no I/O, no clock (time is passed in).
//!
//! Reading order: the words ([`ids`], [`severity`], [`finding`]), what a tool run proves ([`outcome`], [`verdict`]),
//! what a job is ([`job`]), and the rules of the house.

pub mod finding;
pub mod fingerprint;
pub mod ids;
pub mod job;
pub mod admission;
pub mod slots;
pub mod space;
pub mod deadline;
pub mod outcome;
pub mod severity;
pub mod verdict;
pub mod restart;
pub mod drain;
pub mod supervision;
pub mod tree;
