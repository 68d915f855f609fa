//! From a tool's output to what it proves: one file per format. Every parser is total (any bytes give an answer, never
//! a panic), bounded, and never takes a report cut short for a clean one.
//!
//! Reading order: the door ([`parse`]), what all parsers build with (`draft`), then the formats: of
//! files, then (from `load` on) of running targets.

mod output;
mod draft;
mod text;
mod sarif;
mod bandit;
mod detect_secrets;
mod eslint;
mod gitleaks;
mod pip_audit;
mod ruff;
mod semgrep;
mod vulture;
mod load;
mod ab;
mod nmap;
mod wapiti;

pub use draft::FINDINGS_MAX;
pub use output::{Output, parse};
