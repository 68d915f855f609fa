use super::*;

const LATENCY: Latency = Latency { p50: 1.25, p90: 2.0, p95: 20.0, p99: 150.4, max: 900.0 };

fn measured() -> LoadReport {
    LoadReport {
        ok: 1000,
        not_ok: 0,
        errors: 0,
        seconds: 10.0,
        latency: Some(LATENCY),
        caveats: vec![Caveat::ClosedLoop],
    }
}

fn plan() -> Load {
    Load { duration_s: 10, concurrency: 4, ..Load::default() }
}

fn rules(report: &LoadReport, plan: &Load) -> Vec<&'static str> {
    let judgement = report.judge(plan).expect("it proves work");
    judgement.statements.iter().map(|statement| statement.rule).collect()
}

fn refused(report: &LoadReport) -> FailureReason {
    report.judge(&plan()).expect_err("it proves nothing").0
}

#[test]
fn figures_are_said_even_when_nothing_is_broken() {
    let judgement = measured().judge(&plan()).expect("it proves work");
    assert_eq!(judgement.degraded, Vec::<String>::new());
    let [figures] = judgement.statements.as_slice() else { panic!("{judgement:?}") };
    assert_eq!((figures.rule, figures.severity), (FIGURES, Severity::Info));
    assert_eq!(
        figures.message,
        "10.0 s of load by 4 at a time: 1000 requests, 100.0 good answers per second, 0 answered with an error, 0 \
         without an answer (0.00 %); latency in ms: p50 1.25, p90 2.00, p95 20.0, p99 150, max 900 (closed loop: a \
         server that stalls is asked less, so stalls hardly show)"
    );
}

#[test]
fn each_threshold_is_a_finding_of_its_own_from_the_first_step_beyond_it() {
    let exact = Load { p95_ms_max: Some(20), rate_min: Some(100), errors_max: Some(0), ..plan() };
    assert_eq!(rules(&measured(), &exact), [FIGURES]);
    let beyond = Load { p95_ms_max: Some(19), rate_min: Some(101), ..exact };
    assert_eq!(rules(&measured(), &beyond), [FIGURES, LATENCY_P95, THROUGHPUT]);
    let one = LoadReport { errors: 1, ..measured() };
    assert_eq!(rules(&one, &exact), [FIGURES, ERROR_RATE]);
}

#[test]
fn errors_count_where_nobody_set_a_threshold() {
    let share =
        |bad: u64| LoadReport { ok: 10_000 - bad, not_ok: bad / 2, errors: bad - bad / 2, ..measured() };
    assert_eq!(rules(&share(100), &plan()), [FIGURES], "1 % may");
    assert_eq!(rules(&share(101), &plan()), [FIGURES, ERROR_RATE]);
    let half = Load { errors_max: Some(5_000), ..plan() };
    assert_eq!(rules(&share(5_000), &half), [FIGURES]);
    assert_eq!(rules(&share(5_001), &half), [FIGURES, ERROR_RATE]);
}

/// All tools but one end well here.
#[test]
fn no_answer_and_no_good_answer_prove_no_work() {
    let nothing = LoadReport { ok: 0, latency: None, ..measured() };
    assert_eq!(refused(&nothing), FailureReason::NoProofOfWork);
    assert_eq!(refused(&LoadReport { errors: 10_000, ..nothing.clone() }), FailureReason::TargetUnreachable);
    let wrong = LoadReport { not_ok: 10, errors: 3, latency: Some(LATENCY), ..nothing.clone() };
    assert_eq!(refused(&wrong), FailureReason::NoProofOfWork);
    assert_eq!(refused(&LoadReport { ok: 1, ..nothing }), FailureReason::UnreadableReport);
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(&LoadReport { seconds, ..measured() }), FailureReason::UnreadableReport);
    }
}

#[test]
fn a_run_that_ended_before_its_time_is_degraded() {
    let lasted =
        |seconds| LoadReport { seconds, ..measured() }.judge(&plan()).expect("it proves work").degraded;
    assert_eq!(lasted(8.5), Vec::<String>::new());
    assert_eq!(lasted(30.0), Vec::<String>::new(), "a tool may take its time");
    assert_eq!(lasted(8.4), ["the load lasted 8.4 s of the 10 s asked for"]);
    let hour = Load { duration_s: 3600, ..plan() };
    let cut = LoadReport { seconds: 3000.0, ..measured() };
    assert_eq!(cut.judge(&hour).expect("it proves work").degraded.len(), 1);
}

#[test]
fn the_rate_counts_good_answers_only() {
    let broken = LoadReport { ok: 10, not_ok: 990, ..measured() };
    assert!((broken.rate() - 1.0).abs() < 1e-9 && (broken.error_percent() - 99.0).abs() < 1e-9);
    let most = LoadReport { ok: u64::MAX, not_ok: u64::MAX, errors: u64::MAX, ..measured() };
    assert!(most.judge(&plan()).is_ok());
}
