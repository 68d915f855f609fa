//! Rules and state machines, pure: no tokio, no I/O, no clock (time is passed in).
//!
//! Reading order: the words ([`ids`], [`severity`], [`finding`]), what a tool run proves ([`outcome`], [`verdict`]),
//! what is examined ([`target`]), what a job is ([`job`]), who holds it ([`lease`], [`rescue`]), when two are the same ([`dedup`]), and the rules of the house.

pub mod finding;
pub mod fingerprint;
pub mod ids;
pub mod target;
pub mod job;
pub mod load;
pub mod said;
pub mod lease;
pub mod rescue;
pub mod dedup;
pub mod admission;
pub mod pace;
pub mod slots;
pub mod adaptive;
pub mod space;
pub mod deadline;
pub mod bisect;
pub mod breaker;
pub mod outcome;
pub mod severity;
pub mod verdict;
pub mod restart;
pub mod drain;
pub mod pressure;
pub mod container;
pub mod app;
pub mod supervision;
pub mod tree;
pub mod scope;
pub mod web;
pub mod zap;
