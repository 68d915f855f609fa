//! Ownership, time and effects: one folder per owned resource, one actor per file.

pub mod jobs;
