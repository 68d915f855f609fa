//! Answers as a daemon gives them, for the tests of this folder.

use crate::protocol::api::{
    Counts, CoverageAnswer, FailureAnswer, FindingAnswer, GapAnswer, JobAnswer, RunAnswer, SeverityWord,
};

pub const JOB: &str = "0123456789abcdef0123456789abcdef";

/// A job of four runs: findings, findings in part, failed, not applicable.
pub fn job() -> JobAnswer {
    JobAnswer {
        job: JOB.into(),
        state: "done".into(),
        conclusion: "incomplete".into(),
        error: None,
        target: "/srv/shop".into(),
        content_digest: None,
        submitted_at: "2026-11-21T10:00:00Z".into(),
        ended_at: Some("2026-11-21T10:00:09Z".into()),
        attempt: 1,
        queue: None,
        counts: Counts { critical: 0, high: 1, medium: 1, low: 1, info: 0 },
        doing: None,
        runs: runs(),
        left_out: None,
        findings: vec![],
        sarif: format!("proctor://jobs/{JOB}/sarif"),
        hint: String::new(),
    }
}

pub fn run(tool: &str, state: &str) -> RunAnswer {
    RunAnswer {
        tool: tool.into(),
        tool_version: None,
        state: state.into(),
        doing: None,
        findings: 0,
        degraded: false,
        coverage: None,
        elapsed_ms: 0,
        failure: None,
        why: None,
    }
}

fn runs() -> Vec<RunAnswer> {
    let coverage = |expected, examined| CoverageAnswer {
        expected,
        examined,
        missed: expected - examined,
        ..CoverageAnswer::default()
    };
    vec![
        RunAnswer {
            findings: 2,
            coverage: Some(coverage(12, 12)),
            elapsed_ms: 1_234,
            ..run("alpha", "findings")
        },
        RunAnswer {
            findings: 1,
            degraded: true,
            coverage: Some(CoverageAnswer {
                gaps: vec![GapAnswer {
                    path: "broken.py".into(),
                    why: "syntax error while parsing AST from file".into(),
                }],
                ..coverage(12, 11)
            }),
            elapsed_ms: 8_900,
            ..run("beta", "findings")
        },
        RunAnswer {
            failure: Some(FailureAnswer {
                reason: "timed_out".into(),
                detail: "still running after 60 s; the whole process group was ended".into(),
                advice: Some("give it more time with --deadline, or scan a smaller directory".into()),
                stderr_tail: "first line\nlast words of the tool".into(),
                retryable: true,
            }),
            elapsed_ms: 60_000,
            ..run("gamma", "failed")
        },
        RunAnswer { why: Some("no file it reads is in the target".into()), ..run("delta", "not_applicable") },
    ]
}

pub fn finding(severity: SeverityWord, path: &str, line: u32) -> FindingAnswer {
    FindingAnswer {
        tool: "alpha".into(),
        rule: "python.injection.sql-string-concatenation".into(),
        severity,
        path: path.into(),
        line: Some(line),
        column: None,
        message:
            "user input reaches an SQL statement through string concatenation, which lets a caller write SQL"
                .into(),
        cwe: vec![89],
        help: None,
        fingerprint: format!("{path}:{line}"),
        web: None,
    }
}
