//! Promise: what a tool wrote is read as what it proves. Every tool for files has recorded outputs of real runs
//! (`tests/fixtures/tools/record.py`), each with the verdict it must lead to; and no output that was cut, emptied,
//! swapped or overwritten with noise comes out clean.
//!
//! `PROCTOR_BLESS=1 cargo test --test it tools` writes the verdicts anew: read the difference before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proctor::domain::outcome::Outcome;
use proctor::domain::target::Load;
use proctor::domain::verdict::{Ending, Evidence, Verdict, verdict};
use proctor::tools::catalogue::Catalogue;
use proctor::tools::invocation::TargetPlace;
use proctor::tools::manifest::{Format, Manifest};
use proctor::tools::parse::{Output, parse};
use proptest::prelude::*;

use super::recorded::{assert_expected, cases, cuts, fixtures, mutate, mutation, noise};

/// One recorded run.
#[derive(Clone)]
struct Run {
    manifest: Manifest,
    folder: PathBuf,
    target: PathBuf,
    tool_config: PathBuf,
    expected: BTreeSet<String>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit_code: i32,
}

fn files_below(root: &Path) -> Vec<String> {
    let mut pending = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}

/// The recorded runs of one tool. The tree of a case bears the first word of its name; where there is none (the tool was run over nothing)
/// the files of `planted` were expected, and the tool has to be found out.
fn runs(manifest: &Manifest) -> Vec<Run> {
    cases(manifest).iter().map(|case| run(manifest, case)).collect()
}

fn run(manifest: &Manifest, folder: &Path) -> Run {
    let case = folder.file_name().unwrap().to_str().unwrap();
    let trees = fixtures().join("trees");
    let tree = case.split('-').next().unwrap();
    let tree = Some(trees.join(tree)).filter(|tree| tree.is_dir());
    let target = tree.unwrap_or_else(|| trees.join("planted"));
    let tool_config = PathBuf::from("/daemon/tool-config");
    let read = |name: &str| {
        let bytes = fs::read(folder.join(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.replace("@TARGET@", target.to_str().unwrap());
        text.replace("@CONFIG@", tool_config.to_str().unwrap()).into_bytes()
    };
    let files = files_below(&target);
    Run {
        manifest: manifest.clone(),
        folder: folder.to_owned(),
        expected: manifest.expected(files.iter().map(String::as_str)),
        stdout: read("stdout"),
        stderr: read("stderr"),
        exit_code: String::from_utf8(read("exit")).unwrap().trim().parse().unwrap(),
        tool_config,
        target,
    }
}

impl Run {
    fn verdict(&self) -> Verdict {
        let report = parse(
            &self.manifest,
            &Output {
                stdout: &self.stdout,
                stderr: &self.stderr,
                report_file: None,
                exit_code: self.exit_code,
                target: &TargetPlace::Tree(self.target.clone()),
                load: &Load::default(),
                tool_config: &self.tool_config,
                expected: &self.expected,
            },
        );
        verdict(Evidence {
            expected: self.expected.clone(),
            ending: match self.exit_code {
                code @ 0.. => Ending::Exited { code, meaning: self.manifest.meaning(code) },
                signal => Ending::Signalled { signal: -signal },
            },
            report,
            stderr_tail: String::new(),
        })
    }

    fn format(&self) -> Format {
        self.manifest.program().expect("it is a program").report.format
    }

    fn case(&self) -> String {
        let case = self.folder.strip_prefix(fixtures()).unwrap();
        case.display().to_string()
    }

    fn with_stdout(&self, stdout: impl Into<Vec<u8>>) -> Self {
        Self { stdout: stdout.into(), ..self.clone() }
    }

    fn with_stderr(&self, stderr: impl Into<Vec<u8>>) -> Self {
        Self { stderr: stderr.into(), ..self.clone() }
    }
}

/// Those that read files; the others are in `tools_web`.
fn tools() -> Vec<Manifest> {
    let catalogue = Catalogue::builtin().unwrap();
    catalogue.iter().filter(|manifest| !manifest.is_for_web()).cloned().collect()
}

fn all_runs() -> Vec<Run> {
    let runs: Vec<Run> = tools().iter().flat_map(runs).collect();
    assert!(runs.len() > 30, "only {} recorded runs", runs.len());
    runs
}

#[test]
fn recorded_outputs_lead_to_their_verdicts() {
    assert_expected(all_runs().into_iter().map(|run| (run.folder.clone(), run.verdict())));
}

#[test]
fn every_tool_has_a_run_with_findings_a_clean_one_and_a_failed_one() {
    for manifest in &tools() {
        let outcomes: Vec<Outcome> = runs(manifest).iter().map(|run| run.verdict().outcome).collect();
        let has = |kind: fn(&Outcome) -> bool| outcomes.iter().any(kind);
        assert!(has(|it| matches!(it, Outcome::Findings { .. })), "{}: no findings", manifest.name);
        assert!(has(|it| matches!(it, Outcome::Clean)), "{}: none clean", manifest.name);
        assert!(has(|it| matches!(it, Outcome::Failed(_))), "{}: none failed", manifest.name);
    }
}

#[test]
fn every_tool_says_which_version_it_is() {
    let catalogue = Catalogue::builtin().unwrap();
    for manifest in catalogue.iter().filter(|manifest| manifest.is_installable()) {
        let printed = fs::read_to_string(fixtures().join(&manifest.name.0).join("version")).unwrap();
        let found = manifest.version.find_in(&printed).unwrap_or_default();
        // A program of the distribution may add its own words to the version.
        assert!(found.starts_with(&manifest.version.pinned), "{}: {found:?}", manifest.name);
        assert!(manifest.install().is_none() || found == manifest.version.pinned, "{}", manifest.name);
    }
}

/// A run over nothing is never clean, whatever the exit code.
#[test]
fn a_run_over_an_empty_or_missing_target_fails() {
    for run in
        all_runs().iter().filter(|run| run.case().ends_with("empty") || run.case().ends_with("missing"))
    {
        let outcome = run.verdict().outcome;
        assert!(matches!(outcome, Outcome::Failed(_)), "{}: {outcome:?}", run.case());
    }
}

/// A tool that could not read a file says nothing about it.
#[test]
fn files_that_do_not_parse_are_gaps_and_not_findings() {
    for run in all_runs().iter().filter(|run| run.case().ends_with("broken")) {
        let Verdict { outcome, coverage, .. } = run.verdict();
        let failed = matches!(outcome, Outcome::Failed(_));
        assert!(failed || coverage.is_degraded(), "{}: {outcome:?}", run.case());
        assert!(coverage.gaps.iter().all(|gap| !gap.why.is_empty()), "{}", run.case());
    }
}

/// `mutant` may fail, be degraded, or say exactly what the whole output says; it may not be clean otherwise.
fn assert_not_clean(run: &Run, mutant: &Run, what: &str) {
    let (whole, found) = (run.verdict(), mutant.verdict());
    if found == whole {
        return;
    }
    let clean = matches!(found.outcome, Outcome::Clean) && !found.coverage.is_degraded();
    assert!(!clean, "{} with {what} comes out clean", run.case());
    let lost_all =
        matches!(whole.outcome, Outcome::Findings { .. }) && matches!(found.outcome, Outcome::Clean);
    assert!(!lost_all, "{} with {what} lost its findings", run.case());
}

#[test]
fn a_cut_report_never_comes_out_clean() {
    for run in all_runs() {
        for cut in cuts(run.stdout.len()) {
            let kept = &run.stdout[..cut];
            // Lines of plain text cannot show that whole lines are missing behind the planted one; see the parser.
            if run.format() == Format::Vulture && kept.ends_with(b"\n") {
                continue;
            }
            assert_not_clean(&run, &run.with_stdout(kept), &format!("its report cut at {cut}"));
        }
    }
}

#[test]
fn a_cut_log_never_comes_out_clean() {
    let logs = [Format::Ruff, Format::DetectSecrets, Format::Gitleaks];
    for run in all_runs().iter().filter(|run| logs.contains(&run.format())) {
        for cut in cuts(run.stderr.len()) {
            assert_not_clean(run, &run.with_stderr(&run.stderr[..cut]), &format!("its log cut at {cut}"));
        }
    }
}

#[test]
fn an_empty_swapped_or_noisy_report_fails() {
    for run in all_runs() {
        let foreign = [
            ("nothing", Vec::new()),
            ("white space", b" \n\n".to_vec()),
            ("its log", run.stderr.clone()),
            ("noise", noise()),
            ("an empty object", b"{}".to_vec()),
            ("null", b"null".to_vec()),
            ("a message", b"Everything is fine.\n".to_vec()),
            ("a nest", b"[".repeat(100_000)),
            ("twice the report", [run.stdout.as_slice(), &run.stdout].concat()),
        ];
        for (what, bytes) in foreign {
            // Text repeated is text; an empty log swapped in for an empty report is the same.
            let same_format = what == "twice the report" && run.format() == Format::Vulture;
            if same_format || bytes == run.stdout {
                continue;
            }
            let outcome = run.with_stdout(bytes).verdict().outcome;
            assert!(matches!(outcome, Outcome::Failed(_)), "{} with {what}: {outcome:?}", run.case());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A parser answers whatever the bytes are; what it answers holds the house's rules.
    #[test]
    fn no_output_makes_a_parser_panic(
        which in any::<prop::sample::Index>(),
        report in proptest::collection::vec(mutation(), 0..5),
        log in proptest::collection::vec(mutation(), 0..3),
    ) {
        static RUNS: LazyLock<Vec<Run>> = LazyLock::new(all_runs);
        let run = which.get(&RUNS);
        let mutant = run.with_stdout(mutate(&run.stdout, &report)).with_stderr(mutate(&run.stderr, &log));
        let Verdict { findings, coverage, .. } = mutant.verdict();
        prop_assert_eq!(coverage.examined + coverage.missed, coverage.expected);
        for finding in &findings {
            prop_assert!(!finding.location.path.starts_with('/'), "{:?}", finding.location);
            prop_assert!(!finding.location.path.split('/').any(|part| part == ".."), "{:?}", finding.location);
            prop_assert!(!finding.message.contains('\x1b'));
        }
    }
}
