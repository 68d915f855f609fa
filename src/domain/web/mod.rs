//! What answers of a running web application say about it: pure judgement. Who sends the requests is `actors/probes`.
//!
//! Reading order: [`page`] (an answer), [`html`] (the little that is read out of one), [`rule`] (what can be said), then the
//! judges: [`headers`], [`cookies`], [`certificate`], [`exposed`]; and requests whose answers are known: [`openapi`],
//! [`endpoints`].

pub mod page;
pub mod html;
pub mod rule;
pub mod headers;
pub mod cookies;
pub mod certificate;
pub mod exposed;
pub mod openapi;
pub mod endpoints;
