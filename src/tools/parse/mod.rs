//! From a tool's output to what it proves: one file per format. Every parser is total (any bytes give an answer, never
//! a panic), bounded, and never takes a report cut short for a clean one.

mod output;

pub use output::{Output, parse};
