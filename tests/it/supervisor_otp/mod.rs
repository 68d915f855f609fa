//! OTP's own supervisor cases (`supervisor_SUITE`), re-expressed against the real actors and named after theirs.
//!
//! Time is paused: a second costs nothing and nothing is slept for. Not re-expressed, because there is nothing of the
//! kind here: code change (8 cases), globally named supervisors, extra return values of start functions, callback
//! module, log formatting, `auto_shutdown` (14 cases), and `child_unlink` (a child cannot leave its supervisor).
//!
//! [`beyond`] holds what OTP has no case for, or cannot have: blocked threads, double faults, storms.

mod probe;
mod start;
mod start_specs;
mod stop;
mod requests;
mod termination;
mod one_for_one;
mod groups;
mod simple_one_for_one;
mod counting;
mod hanging;
mod order;
mod beyond;
