//! When a breaker opens, who tries, and who may not close it.

use proptest::prelude::*;

use super::*;

const RULES: Rules =
    Rules { failures_max: 3, reset: Duration::from_secs(10), reset_max: Duration::from_secs(35) };

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn go(breaker: &mut Breaker, now: Duration) -> Ticket {
    match breaker.ask(now) {
        Answer::Go(ticket) => ticket,
        other => panic!("{other:?} at {now:?}"),
    }
}

fn used(breaker: &mut Breaker, now: Duration, verdict: Verdict) {
    let ticket = go(breaker, now);
    breaker.report(ticket, verdict, now);
}

fn opened() -> Breaker {
    let mut breaker = Breaker::new(RULES);
    (0..3).for_each(|_| used(&mut breaker, at(0), Verdict::Fails));
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_one_success_between_does_not_count_them_together() {
    let mut breaker = Breaker::new(RULES);
    for verdict in [Verdict::Fails, Verdict::Fails, Verdict::Works, Verdict::Fails, Verdict::Fails] {
        used(&mut breaker, at(0), verdict);
        assert!(!breaker.is_open());
    }
    used(&mut breaker, at(0), Verdict::Unknown);
    assert!(!breaker.is_open(), "a cancel is no failure");
    used(&mut breaker, at(0), Verdict::Fails);
    assert_eq!(breaker.ask(at(9)), Answer::Down { until: at(10) });
}

#[test]
fn one_probe_at_a_time_and_the_pause_doubles_to_its_cap() {
    let mut breaker = opened();
    let mut now = at(10);
    for reset in [20, 35, 35] {
        let probe = go(&mut breaker, now);
        assert_eq!(breaker.ask(now), Answer::Trying);
        breaker.report(probe, Verdict::Fails, now);
        assert_eq!(breaker.ask(now), Answer::Down { until: now + at(reset) });
        now += at(reset);
    }
    used(&mut breaker, now, Verdict::Works);
    assert!(!breaker.is_open());
    (0..3).for_each(|_| used(&mut breaker, now, Verdict::Fails));
    assert_eq!(breaker.opens_at(), Some(now + at(10)), "the pause begins anew");
}

#[test]
fn a_probe_that_learns_nothing_leaves_its_turn_to_the_next() {
    let mut breaker = opened();
    used(&mut breaker, at(10), Verdict::Unknown);
    assert!(breaker.is_open());
    used(&mut breaker, at(10), Verdict::Works);
    assert!(!breaker.is_open());
}

#[test]
fn a_use_from_before_the_outage_neither_closes_nor_prolongs_it() {
    let mut breaker = Breaker::new(RULES);
    let (slow, slower) = (go(&mut breaker, at(0)), go(&mut breaker, at(0)));
    (0..3).for_each(|_| used(&mut breaker, at(0), Verdict::Fails));
    breaker.report(slow, Verdict::Works, at(5));
    breaker.report(slower, Verdict::Fails, at(5));
    assert_eq!(breaker.ask(at(9)), Answer::Down { until: at(10) });
    let probe = go(&mut breaker, at(10));
    breaker.report(slow, Verdict::Works, at(11));
    assert_eq!(breaker.ask(at(11)), Answer::Trying, "only the probe decides");
    breaker.report(probe, Verdict::Works, at(12));
    assert!(!breaker.is_open());
}

#[test]
fn a_job_waits_only_when_nothing_it_asks_for_can_be_had() {
    let tool = |name: &str| ToolName(name.to_owned());
    let down = |name: &ToolName| name.0 == "down";
    assert!(is_held(&[tool("down")], down));
    assert!(!is_held(&[tool("down"), tool("up")], down));
    assert!(!is_held(&[], down), "who asks for every tool gets what the others say");
}

proptest! {
    /// Whatever is asked and reported in whatever order, at most one probe is out, and the dependency is always tried
    /// again within the longest pause.
    #[test]
    fn never_two_probes_and_never_down_for_ever(steps in prop::collection::vec((0_u8..6, 0_u64..20), 1..200)) {
        let mut breaker = Breaker::new(RULES);
        let mut now = Duration::ZERO;
        let mut out: Vec<Ticket> = Vec::new();
        for (step, pass) in steps {
            now += at(pass);
            let was_open = breaker.is_open();
            match step {
                0..=2 => {
                    if let Answer::Go(ticket) = breaker.ask(now) {
                        if was_open {
                            prop_assert!(!out.iter().any(|other| other.epoch == ticket.epoch), "two probes");
                        }
                        out.push(ticket);
                    }
                }
                step => {
                    if !out.is_empty() {
                        let ticket = out.remove(usize::try_from(pass).unwrap() % out.len());
                        let verdict = [Verdict::Works, Verdict::Fails, Verdict::Unknown][usize::from(step) - 3];
                        breaker.report(ticket, verdict, now);
                    }
                }
            }
            if let Some(until) = breaker.opens_at() {
                prop_assert!(until <= now + RULES.reset_max);
            }
        }
    }
}
