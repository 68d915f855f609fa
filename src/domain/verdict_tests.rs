use super::*;
use crate::domain::finding::Location;
use crate::domain::ids::ToolName;
use crate::domain::severity::Severity;

fn finding() -> Finding {
    Finding {
        tool: ToolName("t".into()),
        rule: "R1".into(),
        severity: Severity::High,
        message: "m".into(),
        location: Location { path: "a.py".into(), region: None },
        cwe: vec![],
        help: None,
        fingerprint: String::new(),
        web: None,
    }
}

fn files(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn exited(meaning: ExitMeaning) -> Ending {
    Ending::Exited { code: 0, meaning }
}

fn judge(ending: Ending, report: Report) -> Verdict {
    let expected = files(&["a.py", "b.py"]);
    verdict(Evidence { expected, ending, report: Ok(report), stderr_tail: String::new() })
}

fn reason(verdict: &Verdict) -> Option<FailureReason> {
    match &verdict.outcome {
        Outcome::Failed(failure) => Some(failure.reason),
        _ => None,
    }
}

#[test]
fn clean_needs_proof_of_work() {
    let proven = Report { examined: Examined::Files(files(&["a.py", "b.py"])), ..Report::default() };
    assert_eq!(judge(exited(ExitMeaning::Clean), proven).outcome, Outcome::Clean);
    let unproven = judge(exited(ExitMeaning::Clean), Report::default());
    assert_eq!(reason(&unproven), Some(FailureReason::NoProofOfWork));
    let elsewhere = Report { examined: Examined::Files(files(&["other.py"])), ..Report::default() };
    assert_eq!(reason(&judge(exited(ExitMeaning::Clean), elsewhere)), Some(FailureReason::NoProofOfWork));
}

#[test]
fn every_file_in_a_gap_is_no_proof() {
    let gaps = ["a.py", "b.py"].map(|path| Gap { path: path.into(), why: "syntax error".into() });
    let report = Report { examined: Examined::Whole, gaps: gaps.to_vec(), ..Report::default() };
    assert_eq!(reason(&judge(exited(ExitMeaning::Either), report)), Some(FailureReason::NoProofOfWork));
}

#[test]
fn a_file_the_tool_does_not_list_is_a_gap_with_a_name() {
    let report = Report { examined: Examined::Files(files(&["a.py"])), ..Report::default() };
    let verdict = judge(exited(ExitMeaning::Either), report);
    assert_eq!(verdict.outcome, Outcome::Clean);
    assert!(verdict.coverage.is_degraded());
    assert_eq!((verdict.coverage.expected, verdict.coverage.examined, verdict.coverage.missed), (2, 1, 1));
    assert_eq!(verdict.coverage.gaps[0].path, "b.py");
}

#[test]
fn a_report_that_contradicts_the_exit_code_is_a_failure() {
    let findings = Report { findings: vec![finding()], examined: Examined::Whole, ..Report::default() };
    let none = Report { examined: Examined::Whole, ..Report::default() };
    assert_eq!(
        reason(&judge(exited(ExitMeaning::Clean), findings.clone())),
        Some(FailureReason::UnexpectedExit)
    );
    assert_eq!(reason(&judge(exited(ExitMeaning::Findings), none)), Some(FailureReason::UnexpectedExit));
    assert_eq!(judge(exited(ExitMeaning::Findings), findings).outcome, Outcome::Findings { count: 1 });
}

#[test]
fn no_bad_ending_yields_a_finding_or_a_clean_run() {
    let not_started =
        Ending::NotStarted { reason: FailureReason::ToolMissing, detail: String::new(), advice: None };
    let said =
        ExitMeaning::Failed { reason: FailureReason::UnexpectedExit, detail: String::new(), advice: None };
    let endings = [
        (Ending::Signalled { signal: 9 }, FailureReason::Signalled),
        (Ending::TimedOut { after: Duration::from_secs(1) }, FailureReason::TimedOut),
        (Ending::Flooded { bytes: 1 }, FailureReason::OutputFlood),
        (not_started, FailureReason::ToolMissing),
        (exited(said), FailureReason::UnexpectedExit),
    ];
    for (ending, expected) in endings {
        let report = Report { findings: vec![finding()], examined: Examined::Whole, ..Report::default() };
        let verdict = judge(ending, report);
        assert_eq!(reason(&verdict), Some(expected));
        assert!(verdict.findings.is_empty());
        assert_eq!(verdict.coverage.missed, 2);
    }
}

#[test]
fn a_cancelled_run_says_nothing_about_the_target() {
    let report = Report { findings: vec![finding()], examined: Examined::Whole, ..Report::default() };
    let verdict = judge(Ending::Cancelled, report);
    assert_eq!(verdict.outcome, Outcome::Cancelled);
    assert!(verdict.findings.is_empty());
}

#[test]
fn an_unreadable_report_fails_even_when_the_exit_code_is_good() {
    let unreadable = UnreadableReport { reason: FailureReason::UnreadableReport, detail: "line 1".into() };
    let verdict = verdict(Evidence {
        expected: files(&["a.py"]),
        ending: exited(ExitMeaning::Clean),
        report: Err(unreadable),
        stderr_tail: "why".into(),
    });
    let Outcome::Failed(failure) = verdict.outcome else { panic!("not failed") };
    assert_eq!((failure.reason, failure.stderr_tail.as_str()), (FailureReason::UnreadableReport, "why"));
}
