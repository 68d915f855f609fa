//! What a scenario is told: seed, scale, and until when.

use std::time::Instant;

use super::arguments::Scale;

/// Bounds on time are promised for a release build. A debug build, which CI has at hand, does a fraction of the work per
/// second and is held to this multiple; its rows show the bound they were held to.
pub const LENIENCE: u32 = if cfg!(debug_assertions) { 10 } else { 1 };

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub scale: Scale,
    /// When to begin nothing more; what was done until then is judged, and the row says how much that is.
    pub until: Option<Instant>,
}

impl Plan {
    pub fn time_is_up(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}
