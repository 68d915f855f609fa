//! One scan with one ZAP, from the target's first answer to the last alert.
//!
//! Reading order: [`attempt`] (what ends a scan), [`run`] (its stages), [`crawl`], [`passive`], [`active`] (the long ones),
//! [`seeds`] and [`openapi`] (where it begins),
//! [`link`] (how ZAP is asked), [`watchdog`] (who else watches).

pub mod attempt;
mod link;
mod run;
mod seeds;
mod openapi;
mod crawl;
mod passive;
mod active;
mod watchdog;

pub(super) use watchdog::probe;
