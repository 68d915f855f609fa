//! ZAP under supervision: a container per scan, driven through its API, and what it proves.
//!
//! Reading order: [`client`] (one call), [`api`] (which calls there are). What ZAP's words mean is in `domain/zap/`.

pub mod client;
pub mod api;
