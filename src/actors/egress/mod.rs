//! The one door to the network of a target: names are looked up once, and connections go to the addresses that were judged
//! then (`domain/scope.rs`), whoever asks and whatever a page, a redirect or a name server says later.
//!
//! Reading order: [`resolve`] (names to addresses), [`connect`] (to pinned addresses), [`tls`], [`fetch`] (our own client),
//! [`gate`] (the proxy for tools that bring their own), [`site`] (a target that was judged), [`login`] (being somebody to it).

pub mod resolve;
pub mod connect;
mod patient;
pub mod tls;
pub mod fetch;
pub mod gate;
pub mod site;
pub mod login;

pub use fetch::{Ask, FetchError, Fetcher, Limits};
pub use gate::{Gate, Traffic};
pub use resolve::Resolver;
pub use site::{Site, Unreachable};
pub use tls::Tls;
