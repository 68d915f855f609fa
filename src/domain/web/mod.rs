//! What answers of a running web application say about it: pure judgement. Who sends the requests is `actors/egress`.
//!
//! Reading order: [`page`] (an answer), [`certificate`] (what a server showed to prove who it is).

pub mod page;
pub mod certificate;
