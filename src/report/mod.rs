//! What is handed out for machines: SARIF. Pure.

pub mod sarif;
