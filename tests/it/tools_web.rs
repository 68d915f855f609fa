//! Promise: what a tool for running targets wrote is read as what it proves. Each has recorded outputs of real runs
//! (`tests/fixtures/tools/record_web.py`) against a target that is well, dead, hung, broken, or gone half way, each with
//! the verdict it must lead to; and no output that was cut, emptied or overwritten comes out clean.
//!
//! `PROCTOR_BLESS=1 cargo test --test it tools_web` writes the verdicts anew: read the difference before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use proctor::domain::outcome::{FailureReason, Outcome};
use proctor::domain::target::Load;
use proctor::domain::verdict::{Ending, Evidence, Verdict, verdict};
use proctor::tools::catalogue::Catalogue;
use proctor::tools::invocation::{TargetPlace, WebPlaces, WebRun};
use proctor::tools::manifest::{Intrusion, Manifest, Stream};
use proctor::tools::parse::{Output, parse};
use proptest::prelude::*;

use super::recorded::{assert_expected, cases, cuts, mutate, mutation, noise};

/// One recorded run.
#[derive(Clone)]
struct Run {
    manifest: Manifest,
    folder: PathBuf,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    report: Option<Vec<u8>>,
    exit_code: i32,
}

fn tools() -> Vec<Manifest> {
    let catalogue = Catalogue::builtin().unwrap();
    let programs = catalogue.iter().filter(|manifest| manifest.is_for_web() && manifest.program().is_some());
    programs.cloned().collect()
}

fn runs(manifest: &Manifest) -> Vec<Run> {
    cases(manifest).iter().map(|case| run(manifest, case)).collect()
}

fn run(manifest: &Manifest, folder: &Path) -> Run {
    Run {
        manifest: manifest.clone(),
        folder: folder.to_owned(),
        stdout: fs::read(folder.join("stdout")).unwrap(),
        stderr: fs::read(folder.join("stderr")).unwrap(),
        report: fs::read(folder.join("report")).ok(),
        exit_code: fs::read_to_string(folder.join("exit")).unwrap().trim().parse().unwrap(),
    }
}

fn all_runs() -> Vec<Run> {
    let runs: Vec<Run> = tools().iter().flat_map(runs).collect();
    assert!(runs.len() >= 30, "only {} recorded runs", runs.len());
    runs
}

impl Run {
    fn case(&self) -> String {
        self.folder.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn name(&self) -> String {
        format!("{}/{}", self.manifest.name, self.case())
    }

    fn is_load(&self) -> bool {
        self.manifest.intrusion() == Some(Intrusion::Load)
    }

    /// As `record_web.py` asked for it.
    fn load(&self) -> Load {
        let duration_s = if self.case() == "interrupted" { 60 } else { 2 };
        Load { duration_s, concurrency: 2, ..Load::default() }
    }

    fn verdict(&self) -> Verdict {
        self.verdict_under(&self.load())
    }

    fn verdict_under(&self, load: &Load) -> Verdict {
        let places = WebPlaces::new(WebRun {
            url: "http://127.0.0.1:8000/".parse().unwrap(),
            address: "127.0.0.1:8000".parse().unwrap(),
            proxy: None,
            duration_s: load.duration_s,
            concurrency: load.concurrency,
            wall: Duration::from_secs(160),
        });
        let report = parse(
            &self.manifest,
            &Output {
                stdout: &self.stdout,
                stderr: &self.stderr,
                report_file: self.report.as_deref(),
                exit_code: self.exit_code,
                target: &TargetPlace::Web(Box::new(places.unwrap())),
                load,
                tool_config: Path::new("/daemon/tool-config"),
                expected: &BTreeSet::new(),
            },
        );
        verdict(Evidence {
            expected: BTreeSet::new(),
            ending: match self.exit_code {
                code @ 0.. => Ending::Exited { code, meaning: self.manifest.meaning(code) },
                signal => Ending::Signalled { signal: -signal },
            },
            report,
            stderr_tail: String::new(),
        })
    }

    /// The same run with another text where the report is.
    fn with_report(&self, bytes: impl Into<Vec<u8>>) -> Self {
        match self.manifest.program().unwrap().report.from {
            Stream::File => Self { report: Some(bytes.into()), ..self.clone() },
            Stream::Stdout | Stream::Stderr => Self { stdout: bytes.into(), ..self.clone() },
        }
    }

    fn reported(&self) -> Vec<u8> {
        match self.manifest.program().unwrap().report.from {
            Stream::File => self.report.clone().unwrap_or_default(),
            Stream::Stdout | Stream::Stderr => self.stdout.clone(),
        }
    }
}

fn of_case(case: &str) -> Vec<Run> {
    let runs: Vec<Run> = all_runs().into_iter().filter(|run| run.case() == case).collect();
    assert!(!runs.is_empty(), "nothing was recorded of {case}");
    runs
}

fn reason(run: &Run) -> FailureReason {
    match run.verdict().outcome {
        Outcome::Failed(failure) => failure.reason,
        other => panic!("{}: {other:?}", run.name()),
    }
}

fn is_clean(verdict: &Verdict) -> bool {
    matches!(verdict.outcome, Outcome::Clean) && !verdict.coverage.is_degraded()
}

#[test]
fn recorded_outputs_lead_to_their_verdicts() {
    assert_expected(all_runs().into_iter().map(|run| (run.folder.clone(), run.verdict())));
}

/// Most of these tools end with 0 here.
#[test]
fn a_dead_target_fails_every_tool() {
    let dead = of_case("dead");
    assert_eq!(dead.len(), tools().len());
    for run in dead {
        let reason = reason(&run);
        assert_eq!(reason, FailureReason::TargetUnreachable, "{}", run.name());
    }
}

#[test]
fn a_target_that_never_answers_fails_every_tool_that_asks_for_pages() {
    for run in of_case("hung") {
        let verdict = run.verdict();
        if run.manifest.name.0 == "nmap" {
            assert!(verdict.coverage.is_degraded(), "the port is open, and that is all: {verdict:?}");
        } else {
            assert!(matches!(verdict.outcome, Outcome::Failed(_)), "{}: {verdict:?}", run.name());
        }
    }
}

#[test]
fn figures_of_an_error_page_are_no_measurement() {
    for case in ["errors", "redirect"] {
        for run in of_case(case).iter().filter(|run| run.is_load()) {
            let redirects_count = case == "redirect" && run.manifest.name.0 == "wrk";
            let failed = matches!(run.verdict().outcome, Outcome::Failed(_));
            assert_eq!(failed, !redirects_count, "{}: {:?}", run.name(), run.verdict().outcome);
        }
    }
}

#[test]
fn errors_under_load_are_a_finding_and_figures_are_always_there() {
    let rules = |run: &Run| -> Vec<String> {
        run.verdict().findings.into_iter().map(|finding| finding.rule).collect()
    };
    for run in of_case("ok") {
        assert_eq!(rules(&run), ["load.figures"], "{}", run.name());
    }
    for run in of_case("mixed") {
        assert_eq!(rules(&run), ["load.error-rate", "load.figures"], "{}", run.name());
    }
}

#[test]
fn thresholds_of_the_job_decide() {
    for run in of_case("ok") {
        let strict = Load { p95_ms_max: Some(1), rate_min: Some(1_000_000), ..run.load() };
        let rules: BTreeSet<String> =
            run.verdict_under(&strict).findings.into_iter().map(|finding| finding.rule).collect();
        assert!(rules.contains("load.throughput"), "{}: {rules:?}", run.name());
        let mild = Load { p95_ms_max: Some(60_000), rate_min: Some(1), ..run.load() };
        assert_eq!(run.verdict_under(&mild).findings.len(), 1, "{}", run.name());
    }
}

#[test]
fn an_interrupted_run_is_no_whole_one() {
    for run in of_case("interrupted") {
        let verdict = run.verdict();
        let failed = matches!(verdict.outcome, Outcome::Failed(_));
        assert!(failed || verdict.coverage.is_degraded(), "{}: {verdict:?}", run.name());
    }
}

/// It ends with 0 and a report that looks whole in both cases.
#[test]
fn wapiti_that_repeats_an_old_session_or_lost_its_target_is_found_out() {
    let replayed = of_case("replayed");
    assert_eq!(replayed[0].exit_code, 0);
    assert_eq!(reason(&replayed[0]), FailureReason::NoProofOfWork);
    for run in of_case("dying") {
        let verdict = run.verdict();
        let failed = matches!(verdict.outcome, Outcome::Failed(_));
        assert!(failed || verdict.coverage.is_degraded(), "{verdict:?}");
    }
}

#[test]
fn a_scanner_tells_a_faulty_site_from_a_good_one() {
    for run in of_case("clean") {
        assert!(is_clean(&run.verdict()), "{}: {:?}", run.name(), run.verdict());
    }
    for run in of_case("faulty") {
        let verdict = run.verdict();
        assert!(matches!(verdict.outcome, Outcome::Findings { .. }), "{}: {verdict:?}", run.name());
        assert!(
            verdict
                .findings
                .iter()
                .all(|finding| finding.location.path.starts_with("http://127.0.0.1:8000/"))
        );
    }
}

/// `mutant` may fail, be degraded, or have findings; it may not be clean where the whole was not.
fn assert_not_clean(run: &Run, mutant: &Run, what: &str) {
    let (whole, found) = (run.verdict(), mutant.verdict());
    assert!(found == whole || !is_clean(&found), "{} with {what} comes out clean", run.name());
}

#[test]
fn a_cut_output_never_comes_out_clean() {
    for run in all_runs() {
        let report = run.reported();
        for cut in cuts(report.len()) {
            assert_not_clean(&run, &run.with_report(&report[..cut]), &format!("its report cut at {cut}"));
        }
        for cut in cuts(run.stdout.len()) {
            let mutant = Run { stdout: run.stdout[..cut].to_vec(), ..run.clone() };
            assert_not_clean(&run, &mutant, &format!("its output cut at {cut}"));
        }
    }
}

#[test]
fn an_empty_swapped_or_noisy_report_fails() {
    for run in all_runs() {
        let foreign = [
            ("nothing", Vec::new()),
            ("noise", noise()),
            ("an empty object", b"{}".to_vec()),
            ("an empty list", b"[]".to_vec()),
            ("an empty element", b"<nmaprun/>".to_vec()),
            ("a message", b"Everything is fine.\n".to_vec()),
            ("a nest", b"<a>".repeat(100_000)),
            ("twice the report", [run.reported(), run.reported()].concat()),
        ];
        for (what, bytes) in foreign {
            // A table read twice is the same table.
            let is_table = what == "twice the report" && run.manifest.name.0 == "ab";
            if is_table || bytes == run.reported() {
                continue;
            }
            let outcome = run.with_report(bytes).verdict().outcome;
            assert!(matches!(outcome, Outcome::Failed(_)), "{} with {what}: {outcome:?}", run.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_output_makes_a_parser_panic(
        which in any::<prop::sample::Index>(),
        report in proptest::collection::vec(mutation(), 0..5),
        log in proptest::collection::vec(mutation(), 0..3),
    ) {
        static RUNS: LazyLock<Vec<Run>> = LazyLock::new(all_runs);
        let run = which.get(&RUNS);
        let mutant = run.with_report(mutate(&run.reported(), &report));
        let mutant = Run { stderr: mutate(&run.stderr, &log), ..mutant };
        for finding in &mutant.verdict().findings {
            prop_assert!(finding.location.path.starts_with("http"), "{:?}", finding.location);
            prop_assert!(!finding.message.contains('\x1b'));
        }
    }
}
