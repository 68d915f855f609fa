//! Supervision as OTP means it, decided purely: a table of children, events in, actions out. No clock, no actor.

mod exit;

pub use exit::{Exit, StartError};
