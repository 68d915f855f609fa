use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::finding::Region;
use crate::domain::severity::Severity;
use crate::domain::target::Load;
use crate::domain::verdict::{Examined, Report, UnreadableReport};
use crate::tools::invocation::TargetPlace;
use crate::tools::manifest::{Format, Manifest};
use crate::tools::parse::{Output, parse};
use crate::tools::read;

/// A user's manifest of a tool that writes SARIF.
fn manifest() -> Manifest {
    let text = include_str!("../catalogue/bandit.toml")
        .replace("format = \"bandit\"", "format = \"sarif\"")
        .replace("HIGH = \"high\"", "error = \"high\"")
        .replace("MEDIUM = \"medium\"", "warning = \"medium\"")
        .replace("LOW = \"low\"", "note = \"low\"");
    let manifest = read::manifest("own.toml", &text).expect("it is right");
    let program = manifest.program().expect("it is a program");
    assert_eq!(program.report.format, Format::Sarif);
    manifest
}

fn read_sarif(run: &str) -> Result<Report, UnreadableReport> {
    let text = format!(r#"{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "x", {run}}}]}}"#);
    let output = Output {
        stdout: text.as_bytes(),
        stderr: b"",
        report_file: None,
        exit_code: 0,
        target: &TargetPlace::Tree("/snapshots/1".into()),
        load: &Load::default(),
        tool_config: Path::new("/data"),
        expected: &BTreeSet::new(),
    };
    parse(&manifest(), &output)
}

const HIT: &str = r#"{"ruleId": "R1", "message": {"text": "bad"}, "locations": [{"physicalLocation": {
    "artifactLocation": {"uri": "file:///snapshots/1/a%20b.py"},
    "region": {"startLine": 3, "startColumn": 5, "endColumn": 9}}}]"#;
const RULES: &str = r#""rules": [{"id": "R1", "helpUri": "about:r1", "defaultConfiguration": {"level": "error"},
    "properties": {"tags": ["security", "external/cwe/cwe-079"]}}]}}"#;

#[test]
fn a_result_takes_from_its_rule_what_it_does_not_say() {
    let report = read_sarif(&format!(r#"{RULES}, "results": [{HIT}}}]"#)).expect("it is readable");
    let finding = &report.findings[0];
    assert_eq!((finding.rule.as_str(), finding.severity), ("R1", Severity::High));
    assert_eq!((finding.cwe.as_slice(), finding.help.as_deref()), ([79].as_slice(), Some("about:r1")));
    assert_eq!(finding.location.path, "a b.py");
    let region = Region { start_line: 3, start_column: Some(5), end_line: Some(3), end_column: Some(9) };
    assert_eq!(finding.location.region, Some(region));
}

#[test]
fn a_results_own_level_goes_before_its_rules() {
    let report =
        read_sarif(&format!(r#"{RULES}, "results": [{HIT}, "level": "note"}}]"#)).expect("it is readable");
    assert_eq!(report.findings[0].severity, Severity::Low);
}

#[test]
fn a_report_that_lists_no_target_files_proves_no_clean_run() {
    let report = read_sarif(r#""rules": []}}, "results": []"#).expect("it is readable");
    assert_eq!(report.examined, Examined::Unproven);
    let artifacts =
        r#"[{"location": {"uri": "a.py"}, "roles": ["analysisTarget"]}, {"location": {"uri": "rules.yml"}}]"#;
    let report = read_sarif(&format!(r#""rules": []}}}}, "results": [], "artifacts": {artifacts}"#))
        .expect("it is readable");
    assert_eq!(report.examined, Examined::Files(BTreeSet::from(["a.py".to_owned()])));
}

#[test]
fn an_unsuccessful_execution_is_no_report() {
    let failed = r#""rules": []}}, "results": [], "invocations": [{"executionSuccessful": false}]"#;
    read_sarif(failed).expect_err("it says that it failed");
    read_sarif(r#""rules": []}}"#).expect_err("it has no results");
}

#[test]
fn a_file_that_could_not_be_read_is_a_gap() {
    let notification = r#"{"level": "error", "message": {"text": "syntax error"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}}}]}"#;
    let invocation =
        format!(r#"{{"executionSuccessful": false, "toolExecutionNotifications": [{notification}]}}"#);
    let report = read_sarif(&format!(r#""rules": []}}}}, "results": [], "invocations": [{invocation}]"#));
    let report = report.expect("the rest is believed");
    assert_eq!(report.gaps[0].path, "a.py");
    assert_eq!(report.gaps[0].why, "syntax error");
}

#[test]
fn a_path_outside_of_the_target_makes_the_report_unreadable() {
    for uri in ["file:///etc/passwd", "../x", "/snapshots/2/a.py", "a/../../b"] {
        let hit = HIT.replace("file:///snapshots/1/a%20b.py", uri);
        read_sarif(&format!(r#"{RULES}, "results": [{hit}}}]"#)).expect_err(uri);
    }
}
