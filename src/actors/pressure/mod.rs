//! How short memory is, for everybody to look at.
//!
//! Reading order: [`meter`] (what is measured), [`actor`] (who measures). What follows from it is decided where it
//! counts: the jobs manager, the gateway's door, its accept loop.

pub mod meter;
mod actor;

pub use actor::{Pressure, PressureActor, PressureArguments, PressureMessage};
pub use meter::Meter;
