//! Promise: a job's SARIF is valid, names every tool's outcome, and no text of a tool or target can break it.

use std::sync::LazyLock;

use proctor::domain::finding::{FINDINGS_PER_RUN_MAX, Finding, Location, Region};
use proctor::domain::fingerprint::{Stamped, stamp};
use proctor::domain::ids::{JobId, Principal, RunId, ToolName};
use proctor::domain::job::{Ended, JobRequest, JobState, JobView, RunState, RunView};
use proctor::domain::outcome::{Coverage, Failure, FailureReason, Gap, Outcome};
use proctor::domain::severity::Severity;
use proctor::report::sarif;
use proptest::prelude::*;
use serde_json::{Value, json};

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = include_str!("../fixtures/sarif/sarif-schema-2.1.0.json");
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    // The standard's own pattern for a language has a bracket too many and is no regular expression. We write none.
    for part in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][part]["properties"]["language"];
        language.as_object_mut().unwrap().remove("pattern").unwrap();
    }
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
});

/// The file as a reader gets it: valid, or the test ends here.
fn exported(job: &JobView, findings: &[Stamped]) -> Value {
    let text = sarif::log(job, findings).to_json();
    let value: Value = serde_json::from_str(&text).unwrap();
    let errors: Vec<String> =
        SCHEMA.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    value
}

fn job(runs: Vec<RunView>) -> JobView {
    let request = JobRequest { target: "/srv/a shop".into(), tools: vec![], deadline_s: 60, attached: false };
    let submitted_at = "2026-01-01T00:00:00Z".into();
    let mut job = JobView::queued(JobId::from_random([7; 16]), Principal("p".into()), request, submitted_at);
    job.state = JobState::Done;
    job.runs = runs;
    job
}

fn ended(tool: &str, outcome: Outcome, coverage: Coverage) -> RunView {
    RunView {
        id: RunId::from_random([1; 16]),
        tool: ToolName(tool.into()),
        tool_version: Some("1.2.3".into()),
        state: RunState::Ended(Ended { outcome, coverage, elapsed_ms: 5 }),
        doing: None,
    }
}

fn finding(rule: &str, line: u32) -> Finding {
    Finding {
        tool: ToolName("alpha".into()),
        rule: rule.into(),
        severity: Severity::High,
        message: "SQL built from input".into(),
        location: Location {
            path: "web/a b.py".into(),
            region: Some(Region {
                start_line: line,
                start_column: Some(5),
                end_line: Some(line),
                end_column: Some(9),
            }),
        },
        cwe: vec![89, 564],
        help: Some("https://cwe.mitre.org/data/definitions/89.html".into()),
        fingerprint: String::new(),
        web: None,
    }
}

fn stamped(findings: Vec<Finding>) -> Vec<Stamped> {
    stamp(findings, |_| Some(b"x = 1\nrun(x)\n".to_vec()))
}

fn whole(count: u32) -> Coverage {
    Coverage { expected: count, examined: count, ..Coverage::default() }
}

#[test]
fn a_result_has_all_that_code_scanning_reads() {
    let findings = stamped(vec![finding("R1", 2)]);
    let job = job(vec![ended("alpha", Outcome::Findings { count: 1 }, whole(1))]);
    let run = &exported(&job, &findings)["runs"][0];
    let result = &run["results"][0];
    assert_eq!(
        result,
        &json!({
            "ruleId": "R1", "ruleIndex": 0, "level": "error",
            "message": {"text": "SQL built from input"},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": "web/a%20b.py", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 9},
            }}],
            "partialFingerprints": {"primaryLocationLineHash": findings[0].line_hash},
            "fingerprints": {"proctor/v1": findings[0].finding.fingerprint},
            "properties": {"severity": "high"},
        })
    );
    assert!(findings[0].line_hash.as_ref().unwrap().ends_with(":1"));
    let rule = &run["tool"]["driver"]["rules"][0];
    assert_eq!(rule["id"], "R1");
    assert_eq!(rule["properties"]["security-severity"], "8.0");
    assert_eq!(
        rule["properties"]["tags"],
        json!(["security", "external/cwe/cwe-089", "external/cwe/cwe-564"])
    );
    for text in ["shortDescription", "fullDescription", "help"] {
        assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{text}");
    }
    assert_eq!(run["tool"]["driver"]["version"], "1.2.3");
    assert_eq!(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], "file:///srv/a%20shop/");
}

#[test]
fn every_outcome_is_a_run_and_only_those_that_looked_were_successful() {
    let failure = Failure {
        reason: FailureReason::TimedOut,
        detail: "the tool was still running after 60.0 s and was killed".into(),
        advice: Some("raise its limit".into()),
        stderr_tail: String::new(),
        retryable: true,
    };
    let mut waiting = ended("omega", Outcome::Clean, Coverage::default());
    waiting.state = RunState::Waiting;
    let job = job(vec![
        ended("alpha", Outcome::Clean, whole(3)),
        ended("beta", Outcome::Failed(failure), Coverage::default()),
        ended("gamma", Outcome::Cancelled, Coverage::default()),
        ended("delta", Outcome::NotApplicable { why: "no such files".into() }, Coverage::default()),
        waiting,
    ]);
    let log = exported(&job, &[]);
    let runs = log["runs"].as_array().unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            let invocation = &run["invocations"][0];
            let first = &invocation["toolExecutionNotifications"][0];
            (
                run["tool"]["driver"]["name"].as_str().unwrap(),
                invocation["executionSuccessful"].as_bool().unwrap(),
                first["descriptor"]["id"].as_str(),
                first["level"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("alpha", true, None, None),
            ("beta", false, Some("timed_out"), Some("error")),
            ("gamma", false, Some("cancelled"), Some("error")),
            ("delta", true, Some("not_applicable"), Some("note")),
            ("omega", false, Some("not_ended"), Some("error")),
        ]
    );
    let ids: std::collections::BTreeSet<_> =
        runs.iter().map(|run| run["automationDetails"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), runs.len(), "two runs of one category are refused by code scanning");
    assert!(ids.contains(format!("proctor/beta/{}", job.id).as_str()));
    let text =
        runs[1]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(text.contains("60.0 s") && text.contains("raise its limit"), "{text}");
}

#[test]
fn what_was_not_examined_is_named_file_by_file_and_the_rest_counted() {
    let gap = |path: &str| Gap { path: path.into(), why: "syntax error".into() };
    let coverage = Coverage {
        expected: 9,
        examined: 4,
        missed: 5,
        gaps: vec![gap("a.py"), gap("b c.py")],
        ..Coverage::default()
    };
    let mut job = job(vec![ended("alpha", Outcome::Clean, coverage)]);
    job.left_out = Coverage { missed: 1, gaps: vec![gap("huge.py")], ..Coverage::default() };
    let run = &exported(&job, &[])["runs"][0];
    let notifications = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    let texts: Vec<_> =
        notifications.iter().map(|notification| notification["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    let uri = |at: usize| &notifications[at]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!((texts[0], uri(0)), ("syntax error", &json!("a.py")));
    assert_eq!((texts[1], uri(1)), ("syntax error", &json!("b%20c.py")));
    assert!(texts[2].starts_with("3 more files"), "{}", texts[2]);
    assert!(texts[3].contains("shown to no tool: huge.py (syntax error)"), "{}", texts[3]);
    assert_eq!(run["properties"], json!({"outcome": "clean", "expected": 9, "examined": 4, "missed": 5}));
}

#[test]
fn a_run_has_as_many_results_as_a_consumer_takes_and_says_what_is_over() {
    let findings = stamped((1..=FINDINGS_PER_RUN_MAX as u32 + 5).map(|line| finding("R", line)).collect());
    let count = findings.len() as u32 + 10;
    let job = job(vec![ended("alpha", Outcome::Findings { count }, whole(1))]);
    let text = sarif::log(&job, &findings).to_json();
    let log: Value = serde_json::from_str(&text).unwrap();
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), FINDINGS_PER_RUN_MAX);
    let text = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(text.starts_with("15 more findings"), "{text}");
}

#[test]
fn rules_are_listed_once_and_findings_stay_with_their_tool() {
    let mut other = finding("R1", 1);
    other.tool = ToolName("beta".into());
    let findings = stamped(vec![finding("R2", 1), finding("R1", 2), finding("R1", 1), other]);
    let job = job(vec![
        ended("alpha", Outcome::Findings { count: 3 }, whole(1)),
        ended("beta", Outcome::Findings { count: 1 }, whole(1)),
    ]);
    let log = exported(&job, &findings);
    let rules = |run: usize| {
        let rules = log["runs"][run]["tool"]["driver"]["rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((rules(0), rules(1)), (vec!["R1", "R2"], vec!["R1"]));
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules(0)[index], result["ruleId"].as_str().unwrap());
    }
    assert_eq!(log["runs"][1]["results"].as_array().unwrap().len(), 1);
}

prop_compose! {
    fn any_region()(start_line in 0_u32..9, start_column in prop::option::of(0_u32..9),
                    end_line in prop::option::of(0_u32..9), end_column in prop::option::of(0_u32..9)) -> Region {
        Region { start_line, start_column, end_line, end_column }
    }
}

proptest! {
    /// Valid JSON, valid SARIF, and the text comes out as it went in.
    #[test]
    fn no_text_and_no_number_breaks_the_file(
        texts in prop::array::uniform5(any::<String>()),
        region in prop::option::of(any_region()),
        cwe in prop::collection::btree_set(any::<u32>(), 0..30),
        severity in 0_usize..5,
    ) {
        let [message, rule, path, target, why] = texts;
        let mut hostile = finding(&rule, 1);
        hostile.message = message.clone();
        hostile.location = Location { path: path.clone(), region };
        hostile.cwe = cwe.into_iter().collect();
        hostile.severity = Severity::ALL[severity];
        hostile.help = Some(why.clone());
        let coverage = Coverage { missed: 1, gaps: vec![Gap { path, why }], ..Coverage::default() };
        let mut job = job(vec![ended("alpha", Outcome::Findings { count: 1 }, coverage.clone())]);
        job.request.target = format!("/{target}").as_str().into();
        job.left_out = coverage;
        let log = exported(&job, &stamped(vec![hostile]));
        let result = &log["runs"][0]["results"][0];
        let expected = if message.is_empty() { &rule } else { &message };
        prop_assert_eq!(result["message"]["text"].as_str().unwrap(), expected);
        prop_assert_eq!(result["ruleId"].as_str().unwrap(), rule);
    }
}
