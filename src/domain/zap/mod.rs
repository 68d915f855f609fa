//! What ZAP says and what follows from it, without ZAP: no socket, no clock.
//!
//! Reading order: [`answer`] (the shapes of its answers), [`pages`] (of the target, as ZAP
//! saw them), [`alert`] (an alert becomes a finding), [`harvest`] (all of
//! them, once each), [`phases`] (what is done, in which order, for how long), [`watch`] (when a part of it hangs, and what
//! helps), [`log`] (what it says of itself), [`account`] (what was done, and what that proves), [`trouble`] (why not),
//! [`sitemap`] (what else is read of a target).

pub mod answer;
pub mod pages;
pub mod alert;
pub mod harvest;
pub mod phases;
pub mod watch;
pub mod log;
pub mod account;
pub mod trouble;
pub mod sitemap;
