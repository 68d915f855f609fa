use super::*;
use crate::domain::zap::answer::{only, scan_progress};

const STUCK: Duration = Duration::from_secs(60);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hanging() -> Vec<Task> {
    only(include_bytes!("../../../tests/fixtures/zap/pscan_current_tasks_hanging.json")).unwrap()
}

fn stuck_scan() -> Vec<RuleProgress> {
    scan_progress(include_bytes!("../../../tests/fixtures/zap/ascan_progress_stuck.json")).unwrap()
}

#[test]
fn a_queue_that_goes_down_is_waited_for() {
    let mut watch = PassiveWatch::new(STUCK);
    for (at, waiting) in [(0, 30), (59, 29), (118, 28), (170, 3)] {
        assert_eq!(watch.step(s(at), waiting, &[]), PassiveStep::Wait, "at {at}");
    }
    assert_eq!(watch.step(s(171), 0, &[]), PassiveStep::Empty);
    assert!(watch.has_drained());
}

#[test]
fn a_queue_that_stands_is_cleared_and_the_rule_that_holds_it_is_named() {
    let mut watch = PassiveWatch::new(STUCK);
    assert_eq!(watch.step(s(0), 2, &hanging()), PassiveStep::Wait);
    assert_eq!(watch.step(s(59), 2, &hanging()), PassiveStep::Wait);
    let rescue = watch.step(s(60), 2, &hanging());
    assert_eq!(rescue, PassiveStep::Rescue { rules: vec!["Hanging (test of proctor)".into()], lost: 2 });
    assert_eq!(watch.step(s(61), 0, &[]), PassiveStep::Empty);
    assert!(!watch.has_drained(), "what we threw away was not looked at");
}

#[test]
fn time_between_two_looks_at_the_queue_does_not_count() {
    let mut watch = PassiveWatch::new(STUCK);
    watch.step(s(0), 3, &[]);
    watch.begin();
    assert_eq!(watch.step(s(1000), 3, &[]), PassiveStep::Wait);
    watch.step(s(1001), 0, &[]);
    assert_eq!(watch.step(s(2000), 3, &[]), PassiveStep::Wait);
}

#[test]
fn a_queue_that_is_stuck_again_is_left() {
    let mut watch = PassiveWatch::new(STUCK);
    watch.step(s(0), 32, &[]);
    assert_eq!(watch.step(s(60), 32, &[]), PassiveStep::Rescue { rules: vec![], lost: 32 });
    assert_eq!(watch.step(s(61), 4, &[]), PassiveStep::Wait);
    assert_eq!(watch.step(s(120), 4, &[]), PassiveStep::Wait);
    assert_eq!(watch.step(s(121), 4, &[]), PassiveStep::GiveUp { lost: 4 });
}

#[test]
fn a_rule_that_does_nothing_is_skipped_once_then_the_scan_is_stopped_then_left() {
    let (mut watch, rules) = (ActiveWatch::new(STUCK, s(10)), stuck_scan());
    assert_eq!(watch.step(s(0), &rules, false), ActiveStep::Wait);
    assert_eq!(watch.step(s(59), &rules, false), ActiveStep::Wait);
    let skip = ActiveStep::Skip { id: "60001".into(), name: "Endless (test of proctor)".into() };
    assert_eq!(watch.step(s(60), &rules, false), skip);
    assert_eq!(watch.step(s(61), &rules, false), ActiveStep::Wait);
    assert_eq!(watch.step(s(121), &rules, false), ActiveStep::Stop);
    assert_eq!(watch.step(s(130), &rules, false), ActiveStep::Wait);
    assert_eq!(watch.step(s(131), &rules, false), ActiveStep::Leave);
}

#[test]
fn a_scan_that_sends_requests_is_not_stuck() {
    let (mut watch, mut rules) = (ActiveWatch::new(STUCK, s(10)), stuck_scan());
    for at in 0..100 {
        rules[2].requests += 1;
        assert_eq!(watch.step(s(at * 50), &rules, false), ActiveStep::Wait);
    }
}

#[test]
fn a_scan_in_which_no_rule_runs_and_nothing_moves_is_stopped() {
    let (mut watch, mut rules) = (ActiveWatch::new(STUCK, s(10)), stuck_scan());
    rules[2].state = RuleState::Pending;
    watch.step(s(0), &rules, false);
    assert_eq!(watch.step(s(60), &rules, false), ActiveStep::Stop);
}

#[test]
fn a_scan_whose_time_is_over_is_stopped_however_busy() {
    let (mut watch, mut rules) = (ActiveWatch::new(STUCK, s(10)), stuck_scan());
    assert_eq!(watch.step(s(0), &rules, true), ActiveStep::Stop);
    rules[2].requests += 1;
    assert_eq!(watch.step(s(1), &rules, true), ActiveStep::Wait);
    assert_eq!(watch.step(s(10), &rules, true), ActiveStep::Leave);
}

#[test]
fn silence_counts_from_the_first_call_without_an_answer() {
    let mut watch = SilenceWatch::new(s(30));
    assert!(!watch.is_dead(s(100), s(110)));
    assert!(!watch.is_dead(s(111), s(121)));
    watch.answered();
    assert!(!watch.is_dead(s(130), s(140)));
    assert!(watch.is_dead(s(150), s(160)));
}
