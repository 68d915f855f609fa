use std::collections::BTreeSet;
use std::fs;

use crate::domain::ids::ToolName;
use crate::domain::outcome::FailureReason;
use crate::domain::target::Load;
use crate::domain::verdict::{Examined, Report, UnreadableReport};
use crate::tools::catalogue::Catalogue;
use crate::tools::invocation::TargetPlace;
use crate::tools::parse::{Output, parse};

/// Reads `report` about the files of a target.
fn read(report: &str, files: &[(&str, &str)]) -> Result<Report, UnreadableReport> {
    let catalogue = Catalogue::builtin().expect("our own manifests are right");
    let manifest = catalogue.get(&ToolName("pip-audit".to_owned())).expect("it is ours");
    let target = tempfile::tempdir().expect("a temporary directory");
    for (path, text) in files {
        fs::write(target.path().join(path), text).expect("written");
    }
    let expected: BTreeSet<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    let output = Output {
        stdout: report.as_bytes(),
        stderr: b"",
        report_file: None,
        exit_code: 0,
        target: &TargetPlace::Tree(target.path().to_owned()),
        load: &Load::default(),
        tool_config: target.path(),
        expected: &expected,
    };
    parse(manifest, &output)
}

const AUDITED: &str = r#"{"dependencies": [
    {"name": "good-one", "version": "1.0", "vulns": []},
    {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "description": "It is bad."}]},
    {"name": "unknown", "skip_reason": "not found"}
], "fixes": []}"#;

#[test]
fn a_vulnerability_stands_on_every_line_that_asks_for_the_package() {
    let files = [
        ("a.txt", "# pins\ngood_one==1.0\nbad==2.0\n"),
        ("b.txt", "Bad[extra]==2.0 ; python_version > '3'\n"),
    ];
    let report = read(AUDITED, &files).expect("it is readable");
    let places = report
        .findings
        .iter()
        .map(|it| (it.location.path.as_str(), it.location.region.map(|it| it.start_line)));
    assert_eq!(places.collect::<Vec<_>>(), [("a.txt", Some(3)), ("b.txt", Some(1))]);
    assert_eq!(report.findings[0].message, "bad 2.0: It is bad. (fixed in 2.1)");
    assert!(report.gaps.is_empty(), "{:?}", report.gaps);
    assert!(matches!(report.examined, Examined::Files(files) if files.len() == 2));
}

#[test]
fn a_file_with_something_that_was_not_audited_is_a_gap() {
    let files = [
        ("a.txt", "unknown==1\n"),
        ("b.txt", "-e .\n"),
        ("c.txt", "absent==3\n"),
        ("d.txt", "good.one==1.0\n"),
    ];
    let report = read(AUDITED, &files).expect("it is readable");
    let gaps: Vec<&str> = report.gaps.iter().map(|gap| gap.path.as_str()).collect();
    assert_eq!(gaps, ["a.txt", "b.txt", "c.txt"]);
    assert!(report.gaps[0].why.contains("not found"), "{:?}", report.gaps);
}

#[test]
fn what_came_in_from_elsewhere_is_not_lost() {
    let report = read(AUDITED, &[("a.txt", "-r base.txt\n")]).expect("it is readable");
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].location.path, "a.txt");
    assert_eq!(report.findings[0].location.region, None);
}

#[test]
fn no_known_vulnerabilities_in_packages_that_nobody_knows_is_a_failure() {
    let report =
        r#"{"dependencies": [{"name": "a", "skip_reason": "gone"}, {"name": "b", "skip_reason": "gone"}]}"#;
    let error = read(report, &[("a.txt", "a==1\nb==1\n")]).expect_err("nothing was audited");
    assert_eq!(error.reason, FailureReason::NoProofOfWork);
}

#[test]
fn a_file_that_asks_for_nothing_is_audited() {
    let report = read(r#"{"dependencies": []}"#, &[("a.txt", "# none\n\n")]).expect("it is readable");
    assert!(report.gaps.is_empty() && report.findings.is_empty());
    assert!(matches!(report.examined, Examined::Files(files) if files.len() == 1));
}
