//! Random histories of start, crash, stop, kill and timeout: the pure machine and the real actors against a naive model
//! of OTP that was written without looking at them, and the machine alone under every order of events.
//!
//! [`model`] is OTP as one would tell it: a list of children, each step carried out at once, by recursion. It has no
//! generations, no timers, no messages. The machine ([`machine`]) and the actors ([`actors`]) must show the same table,
//! the same order of starts and stops, the same answers and the same end after every step.

mod history;
mod model;
mod machine;
mod interleaving;
mod actors;
