use super::*;
use crate::domain::finding::{Location, Region};
use crate::domain::ids::ToolName;
use crate::domain::severity::Severity;

/// Vectors of codeql-action's own test of its algorithm.
#[test]
fn line_hashes_are_those_of_codeql_action() {
    let greeting = [
        "e9496ae3ebfced30:1",
        "fb7c023a8b9ccb3f:1",
        "ce8ba1a563dcdaca:1",
        "e20e36e16fcb0cc8:1",
        "b3edc88f2938467e:1",
        "c8e28b0b4002a3a0:1",
        "c129715d7a2bc9a3:1",
    ];
    assert_eq!(line_hashes(""), ["c129715d7a2bc9a3:1"]);
    assert_eq!(
        line_hashes(" a\nb\n  \t\tc\n d"),
        ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"]
    );
    for text in [
        " hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n",
        " hello; \t\nworld!!!\r\r\r  \t\tGreetings\r End\r",
        " hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n",
        " hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n",
    ] {
        assert_eq!(line_hashes(text), greeting, "{text:?}");
    }
}

#[test]
fn equal_lines_are_counted_and_the_end_of_the_file_is_seen_from_afar() {
    let hashes = line_hashes(&"Lorem ipsum dolor sit amet.\n".repeat(10));
    let expected = [
        "a7f2ff13bc495cf2:1",
        "a7f2ff13bc495cf2:2",
        "a7f2ff13bc495cf2:3",
        "a7f2ff13bc495cf2:4",
        "a7f2ff13bc495cf2:5",
        "a7f2ff13bc495cf2:6",
        "a7f2ff1481e87703:1",
        "a9cf91f7bbf1862b:1",
        "55ec222b86bcae53:1",
        "cc97dc7b1d7d8f7b:1",
        "c129715d7a2bc9a3:1",
    ];
    assert_eq!(hashes, expected);
}

fn finding(rule: &str, path: &str, line: Option<u32>) -> Finding {
    let region =
        line.map(|start_line| Region { start_line, start_column: None, end_line: None, end_column: None });
    Finding {
        tool: ToolName("t".into()),
        rule: rule.into(),
        severity: Severity::High,
        message: "m".into(),
        location: Location { path: path.into(), region },
        cwe: vec![],
        help: None,
        fingerprint: String::new(),
        web: None,
    }
}

fn fingerprints(findings: Vec<Finding>, text: &str) -> Vec<String> {
    let stamped = stamp(findings, |_| Some(text.as_bytes().to_vec()));
    stamped.into_iter().map(|stamped| stamped.finding.fingerprint).collect()
}

#[test]
fn a_finding_is_the_same_when_its_line_moves_or_is_indented() {
    let before = fingerprints(vec![finding("R", "a.py", Some(1))], "eval(x)\n");
    let after = fingerprints(vec![finding("R", "a.py", Some(3))], "# new\n\n    eval(x)  \nmore\n");
    assert_eq!(before, after);
}

#[test]
fn another_line_rule_path_or_tool_is_another_finding() {
    let text = "eval(x)\neval(y)\n";
    let mut other_tool = finding("R", "a.py", Some(1));
    other_tool.tool = ToolName("u".into());
    let findings = vec![
        finding("R", "a.py", Some(1)),
        finding("R", "a.py", Some(2)),
        finding("S", "a.py", Some(1)),
        finding("R", "b.py", Some(1)),
        finding("R", "a.py", None),
        other_tool,
    ];
    let count = findings.len();
    let unique: std::collections::BTreeSet<_> = fingerprints(findings, text).into_iter().collect();
    assert_eq!(unique.len(), count);
}

#[test]
fn parts_of_an_identity_cannot_be_shifted_into_each_other() {
    let one = fingerprints(vec![finding("Ra", "b", None)], "");
    let other = fingerprints(vec![finding("R", "ab", None)], "");
    assert_ne!(one, other);
}

#[test]
fn equal_findings_stay_apart_by_their_occurrence() {
    let twice = vec![finding("R", "a.py", Some(1)), finding("R", "a.py", Some(2))];
    let first = fingerprints(twice, "eval(x)\neval(x)\n");
    assert_ne!(first[0], first[1]);
    let duplicates = vec![finding("R", "a.py", Some(1)), finding("R", "a.py", Some(1))];
    let stamped = fingerprints(duplicates, "eval(x)\n");
    assert_eq!(stamped, first, "lost or invented by stamping");
}

#[test]
fn a_source_that_is_gone_or_shorter_costs_the_hash_only() {
    let gone = stamp(vec![finding("R", "a.py", Some(1))], |_| None);
    assert_eq!((gone.len(), &gone[0].line_hash), (1, &None));
    assert_eq!(gone[0].finding.fingerprint.len(), 32);
    for line in [0, 99, u32::MAX] {
        let beyond = stamp(vec![finding("R", "a.py", Some(line))], |_| Some(b"x\n".to_vec()));
        assert_eq!((beyond.len(), &beyond[0].line_hash), (1, &None), "line {line}");
    }
}

#[test]
fn a_finding_without_a_region_has_the_hash_of_the_first_line() {
    let stamped = stamp(vec![finding("R", "a.py", None)], |_| Some(b" a\nb".to_vec()));
    assert_eq!(stamped[0].line_hash.as_deref(), line_hashes(" a\nb").first().map(String::as_str));
}

#[test]
fn each_file_is_read_once() {
    let findings = (0..10).map(|n| finding("R", if n % 2 == 0 { "a.py" } else { "b.py" }, Some(n)));
    let mut asked = Vec::new();
    let stamped = stamp(findings.collect(), |path| {
        asked.push(path.to_owned());
        Some(b"x".to_vec())
    });
    assert_eq!((stamped.len(), asked), (10, vec!["a.py".to_owned(), "b.py".to_owned()]));
}
