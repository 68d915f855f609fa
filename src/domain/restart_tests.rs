use super::*;
use proptest::prelude::*;

fn window(restarts: u32, seconds: u64) -> Window {
    Window::new(Intensity { restarts, period: Duration::from_secs(seconds) })
}

#[test]
fn the_restart_after_the_last_allowed_one_is_one_too_many() {
    let mut window = window(3, 10);
    let second = Duration::from_secs(1);
    assert!(window.record(second) && window.record(second * 2) && window.record(second * 3));
    assert!(!window.record(second * 4));
}

#[test]
fn restarts_older_than_the_period_are_forgotten() {
    let mut window = window(1, 10);
    assert!(window.record(Duration::from_secs(0)));
    assert!(window.record(Duration::from_millis(10_001)));
    assert!(!window.record(Duration::from_millis(20_001)), "exactly one period old still counts");
}

#[test]
fn no_restart_is_allowed_by_zero() {
    assert!(!window(0, 10).record(Duration::ZERO));
}

#[test]
fn backoff_doubles_to_its_cap() {
    let backoff =
        Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(60), steady: Duration::ZERO };
    let at_least: Vec<u64> = (0..8).map(|n| backoff.delay(n, Jitter(0)).as_millis() as u64).collect();
    assert_eq!(at_least, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
}

#[test]
fn no_backoff_is_no_wait() {
    assert_eq!(Backoff::NONE.delay(40, Jitter(255)), Duration::ZERO);
}

proptest! {
    #[test]
    fn a_delay_is_between_half_and_all_of_the_doubled_one(failures in 0_u32..200, jitter: u8, first in 0_u64..100_000, cap in 0_u64..100_000) {
        let backoff = Backoff { first: Duration::from_millis(first), cap: Duration::from_millis(cap), steady: Duration::ZERO };
        let full = (first as u128 * 2_u128.saturating_pow(failures.min(64))).min(cap as u128);
        let delay = backoff.delay(failures, Jitter(jitter)).as_micros();
        prop_assert!(delay * 2 + 1 >= full * 1000 && delay <= full * 1000);
    }

    #[test]
    fn the_window_agrees_with_counting(restarts in 0_u32..6, period in 1_u64..50, gaps in prop::collection::vec(0_u64..30, 0..60)) {
        let mut window = window(restarts, period);
        let mut all: Vec<u64> = Vec::new();
        for gap in gaps {
            let now = all.last().copied().unwrap_or(0) + gap;
            all.push(now);
            let recent = all.iter().filter(|&&time| time + period >= now).count();
            prop_assert_eq!(window.record(Duration::from_secs(now)), recent <= restarts as usize);
        }
    }
}
