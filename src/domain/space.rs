//! Room on the data directory's disk: when new jobs are refused, and when the reserve is given up or taken again.
//!
//! A full disk is where nothing can be deleted: a delete is a write. So a part of it is held by a file that nobody needs,
//! the ballast. Given up in need, it lets running jobs end and old ones be deleted.

/// What to keep free, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Beside the ballast, for new jobs to be let in.
    pub free_min: u64,
    pub ballast: u64,
}

/// What a look at the disk found, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// For us to write.
    pub free: u64,
    /// By the ballast.
    pub held: u64,
}

/// What to do about the ballast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Keep,
    GiveUp,
    /// Up to its full size.
    Take,
}

/// Of the room that new jobs need, the part at which those under way need the ballast: they share what is left.
const NEED: u64 = 4;

impl Limits {
    /// What would be free with a whole ballast: giving it up or taking it changes nothing here, so neither can make the
    /// other come next.
    pub const fn spare(&self, seen: Seen) -> u64 {
        (seen.free + seen.held).saturating_sub(self.ballast)
    }

    /// Whether there is room for new jobs.
    pub const fn has_room(&self, seen: Seen) -> bool {
        self.spare(seen) >= self.free_min
    }

    /// `store_is_full`: it has met a full disk and not yet written again.
    pub const fn step(&self, seen: Seen, store_is_full: bool) -> Step {
        let in_need = store_is_full || seen.free < self.free_min / NEED;
        if in_need && seen.held > 0 {
            return Step::GiveUp;
        }
        if !in_need && seen.held < self.ballast && self.has_room(seen) {
            return Step::Take;
        }
        Step::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { free_min: 400, ballast: 100 };

    fn seen(free: u64, held: u64) -> Seen {
        Seen { free, held }
    }

    #[test]
    fn the_ballast_is_given_up_in_need_and_taken_again_when_there_is_room() {
        for (at, full, expected) in [
            (seen(1_000, 100), false, Step::Keep),
            (seen(300, 100), false, Step::Keep),
            (seen(99, 100), false, Step::GiveUp),
            (seen(300, 100), true, Step::GiveUp),
            (seen(199, 0), false, Step::Keep),
            (seen(499, 0), false, Step::Keep),
            (seen(500, 0), true, Step::Keep),
            (seen(500, 0), false, Step::Take),
            (seen(500, 40), false, Step::Take),
        ] {
            assert_eq!(LIMITS.step(at, full), expected, "{at:?} {full}");
        }
        assert!(LIMITS.has_room(seen(400, 100)) && !LIMITS.has_room(seen(399, 100)));
        assert!(LIMITS.has_room(seen(500, 0)) && !LIMITS.has_room(seen(499, 0)));
    }

    #[test]
    fn without_limits_there_is_always_room() {
        let none = Limits { free_min: 0, ballast: 0 };
        assert!(none.has_room(seen(0, 0)));
        assert_eq!(none.step(seen(0, 0), true), Step::Keep);
    }

    proptest::proptest! {
        #[test]
        fn one_step_never_calls_for_the_opposite(free in 0_u64..2_000, held in 0_u64..=100, floor in 0_u64..1_000) {
            let limits = Limits { free_min: floor, ballast: 100 };
            let after = match limits.step(seen(free, held), false) {
                Step::Keep => return Ok(()),
                Step::GiveUp => seen(free + held, 0),
                Step::Take => seen((free + held).saturating_sub(100), 100),
            };
            proptest::prop_assert_eq!(limits.has_room(after), limits.has_room(seen(free, held)));
            proptest::prop_assert_eq!(limits.step(after, false), Step::Keep);
        }
    }
}
