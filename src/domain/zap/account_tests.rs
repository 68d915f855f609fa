use super::*;
use crate::domain::zap::answer::scan_progress;

fn full(fixture: &[u8]) -> Account {
    let rules = scan_progress(fixture).unwrap();
    let active = Active { enabled: 3, rules, requests: 195, cut: None };
    let passive = Passive::Done { rules: 3 };
    Account {
        phase: Phase::Full,
        urls: 40,
        requests: 285,
        passive,
        active: Some(active),
        ..Account::default()
    }
}

fn baseline(passive: Passive) -> Account {
    Account { urls: 40, requests: 50, passive, ..Account::default() }
}

const FINISHED: &[u8] = include_bytes!("../../../tests/fixtures/zap/ascan_progress_finished.json");
const RUNNING: &[u8] = include_bytes!("../../../tests/fixtures/zap/ascan_progress_running.json");
const SKIPPED: &[u8] = include_bytes!("../../../tests/fixtures/zap/ascan_progress_skipped.json");
const STOPPED: &[u8] = include_bytes!("../../../tests/fixtures/zap/ascan_progress_stopped.json");

fn reason(account: Account) -> FailureReason {
    account.conclude().unwrap_err().reason
}

#[test]
fn a_whole_scan_is_proven_and_not_degraded() {
    let (work, degraded) = full(FINISHED).conclude().unwrap();
    assert_eq!(work, Work { urls: 40, requests: 285, rules: 5 });
    assert_eq!(degraded, [""; 0]);
}

#[test]
fn a_target_that_answered_nothing_was_not_looked_at() {
    let account = Account { urls: 0, ..full(FINISHED) };
    assert_eq!(reason(account), FailureReason::TargetUnreachable);
}

#[test]
fn a_zap_without_rules_proves_nothing() {
    let active = Active { enabled: 0, ..Active::default() };
    assert_eq!(reason(Account { active: Some(active), ..full(FINISHED) }), FailureReason::NoRules);
    assert_eq!(reason(baseline(Passive::Absent)), FailureReason::NoRules);
}

#[test]
fn without_passive_scanning_an_attack_counts_and_is_degraded() {
    let (work, degraded) = Account { passive: Passive::Absent, ..full(FINISHED) }.conclude().unwrap();
    assert_eq!(work.rules, 2);
    assert!(degraded[0].starts_with("passive_absent"), "{degraded:?}");
}

#[test]
fn a_queue_of_which_nothing_was_read_proves_nothing_and_one_of_which_some_was_is_degraded() {
    let stuck = |any| Passive::of(3, 32, 0, any);
    assert_eq!(reason(baseline(stuck(false))), FailureReason::PassiveQueueStuck);
    let (_, degraded) = baseline(stuck(true)).conclude().unwrap();
    assert_eq!(degraded, ["passive_queue_stuck: 32 pages were not looked at by the passive rules"]);
    let (work, degraded) = Account { passive: stuck(false), ..full(FINISHED) }.conclude().unwrap();
    assert_eq!((work.rules, degraded.len()), (2, 1), "rules that looked at nothing did not run");
}

#[test]
fn a_queue_that_nobody_read_until_the_time_was_over_proves_no_more_than_one_that_stood() {
    assert_eq!(reason(baseline(Passive::of(3, 0, 32, false))), FailureReason::PassiveQueueStuck);
    let (work, degraded) = baseline(Passive::of(3, 7, 32, true)).conclude().unwrap();
    assert_eq!(work.rules, 3);
    let said: Vec<&str> = degraded.iter().filter_map(|said| said.split(':').next()).collect();
    assert_eq!(said, ["passive_queue_stuck", "passive_late"], "what was thrown away, and what still waits");
}

#[test]
fn an_attack_that_was_skipped_or_stopped_says_which_rules_are_missing() {
    let (work, degraded) = full(SKIPPED).conclude().unwrap();
    assert_eq!(work.rules, 5);
    assert_eq!(degraded, ["rules_skipped: 1 (Endless (test of proctor))"]);
    let mut stopped = full(STOPPED);
    stopped.active.as_mut().unwrap().cut = Some(Cut::Stuck);
    let (_, degraded) = stopped.conclude().unwrap();
    assert!(degraded[0].starts_with("scan_stuck"), "{degraded:?}");
    assert_eq!(degraded[1], "rules_not_run_to_their_end: 1 (Deaf (test of proctor))");
}

#[test]
fn an_attack_of_which_no_rule_came_to_its_end_proves_nothing() {
    assert_eq!(reason(full(RUNNING)), FailureReason::ScanStuck);
}

#[test]
fn rules_that_threw_are_named() {
    let log = LogReading::of("ERROR A - Error occurred while scanning a message");
    let (_, degraded) = Account { log, ..full(FINISHED) }.conclude().unwrap();
    assert_eq!(degraded, ["rule_threw: A failed 1 times"]);
}

#[test]
fn a_scan_whose_log_was_not_read_is_not_whole() {
    let log = LogReading { unread: Some("the engine gave no answer".to_owned()), ..LogReading::default() };
    let (_, degraded) = Account { log, ..full(FINISHED) }.conclude().unwrap();
    assert_eq!(degraded, ["log_unread: of ZAP's log something is missing: the engine gave no answer"]);
}

#[test]
fn of_two_looks_at_the_queue_all_that_was_lost_counts_and_what_waits_in_the_end() {
    let done = Passive::Done { rules: 3 };
    let short = |lost, waiting, any| Passive::of(3, lost, waiting, any);
    assert_eq!(done.and(done), done);
    assert_eq!(Passive::Absent.and(Passive::Absent), Passive::Absent);
    assert_eq!(done.and(short(4, 0, false)), short(4, 0, true));
    assert_eq!(short(4, 0, false).and(done), short(4, 0, true));
    assert_eq!(short(4, 0, false).and(short(3, 0, false)), short(7, 0, false));
    assert_eq!(short(4, 2, false).and(short(3, 5, false)), short(7, 5, false));
    assert_eq!(done.and(short(0, 4, false)), short(0, 4, true));
    assert_eq!(short(0, 4, false).and(done), done, "what waited has been read");
}
