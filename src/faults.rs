//! Named points at which a test build kills itself, as `kill -9` would, so that a campaign can choose the worst moment:
//! between a write and its acknowledgement, between a tool's end and its result. Without the feature `fault-injection`
//! a point is nothing.
//!
//! `PROCTOR_DIE_AT=POINT:PASS` in the environment: the process ends when it comes to that point for the PASS-th time.

/// Every point there is: the store's writer before and after a commit, a submit between its storing and its answer, a run
/// between its tool's end and the storing of its result, a job before its end is stored, a drain before the tree stops.
pub const POINTS: [&str; 6] = [
    "store.before_commit",
    "store.after_commit",
    "jobs.after_submit",
    "run.before_result",
    "job.before_end",
    "drain.before_stop",
];

/// The process may end here.
#[cfg(feature = "fault-injection")]
pub fn point(name: &'static str) {
    debug_assert!(POINTS.contains(&name), "{name} is not in the list of points");
    if let Some(doom) = asked()
        && doom.is_now(name)
    {
        // SIGKILL to ourselves: no destructor, no buffer, no goodbye.
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).ok();
    }
}

/// The process may end here, in a test build.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub const fn point(_: &'static str) {}

/// Whether what is named must not happen: `PROCTOR_MUTE=NAME` in the environment of a test build.
pub fn is_muted(name: &str) -> bool {
    cfg!(feature = "fault-injection") && std::env::var("PROCTOR_MUTE").is_ok_and(|muted| muted == name)
}

#[cfg(feature = "fault-injection")]
use doom::asked;

#[cfg(feature = "fault-injection")]
mod doom {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) const VARIABLE: &str = "PROCTOR_DIE_AT";

    /// Where, and how many passes are left.
    pub(super) struct Doom {
        point: String,
        passes: AtomicU64,
    }

    pub(super) fn asked() -> Option<&'static Doom> {
        static ASKED: OnceLock<Option<Doom>> = OnceLock::new();
        ASKED.get_or_init(|| Doom::read(&std::env::var(VARIABLE).ok()?)).as_ref()
    }

    impl Doom {
        pub(super) fn read(text: &str) -> Option<Self> {
            let (point, passes) = text.split_once(':')?;
            Some(Self { point: point.to_owned(), passes: AtomicU64::new(passes.parse().ok()?) })
        }

        /// Whether this pass is the one.
        pub(super) fn is_now(&self, name: &str) -> bool {
            self.point == name && self.passes.fetch_sub(1, Ordering::Relaxed) == 1
        }
    }
}

#[cfg(all(test, feature = "fault-injection"))]
mod tests {
    use super::doom::Doom;

    #[test]
    fn only_the_asked_pass_of_the_asked_point_is_the_end() {
        let doom = Doom::read("store.before_commit:3").unwrap();
        let passes = ["store.before_commit", "job.before_end", "store.before_commit", "store.before_commit"];
        assert_eq!(passes.map(|name| doom.is_now(name)), [false, false, false, true]);
        assert!(!doom.is_now("store.before_commit"), "not again");
        assert!(Doom::read("store.before_commit").is_none() && Doom::read("a:b").is_none());
    }
}
