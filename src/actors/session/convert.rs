//! The one file that joins the wire and the domain: what the domain knows, in the words of `protocol::api`.

use std::time::Duration;

use crate::domain::finding::{Exchange, Finding};
use crate::domain::fingerprint::Stamped;
use crate::domain::job::{Conclusion, Ended, JobState, JobView, RunState, RunView};
use crate::domain::outcome::{Coverage, Failure, Outcome};
use crate::domain::severity::Severity;
use crate::protocol::api::{
    Counts, CoverageAnswer, ExchangeAnswer, FailureAnswer, FindingAnswer, GapAnswer, JobAnswer,
    PAGE_BYTES_MAX, RunAnswer, SeverityWord, ToolAnswer,
};
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Manifest;

pub use crate::protocol::api::ToolsAnswer;

/// Missed files named in one answer: enough to see the pattern; the SARIF resource names more.
const GAPS_SHOWN_MAX: usize = 10;

/// A job without findings; [`fitting`] says as many as fit.
pub fn job_answer(view: &JobView) -> JobAnswer {
    let conclusion = view.conclusion();
    JobAnswer {
        job: view.id.to_string(),
        state: view.state.word().to_owned(),
        conclusion: conclusion_word(conclusion).to_owned(),
        error: view.error.clone(),
        target: view.request.target.to_string(),
        content_digest: view.content_digest.clone(),
        submitted_at: view.submitted_at.clone(),
        ended_at: view.ended_at.clone(),
        attempt: view.attempt,
        queue: None,
        counts: counts(view.counts),
        doing: view.doing.clone(),
        runs: view.runs.iter().map(run_answer).collect(),
        left_out: (view.left_out.missed > 0).then(|| coverage_answer(&view.left_out)),
        findings: Vec::new(),
        sarif: format!("proctor://jobs/{}/sarif", view.id),
        hint: hint(view, conclusion),
    }
}

const fn conclusion_word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Clean => "clean",
        Conclusion::Findings => "findings",
        Conclusion::Incomplete => "incomplete",
        Conclusion::Pending => "pending",
    }
}

fn hint(view: &JobView, conclusion: Conclusion) -> String {
    let id = view.id;
    match (conclusion, view.state) {
        (Conclusion::Pending, _) => format!("still under way: call job_status with job={id} and wait_s=45"),
        (_, JobState::Failed) => {
            "the job failed as a whole: see error; what is not reported may still be there".to_owned()
        }
        (_, JobState::Expired) => {
            "it never ran: submit it again with a larger deadline_s, or when less is waiting".to_owned()
        }
        (_, JobState::Quarantined) => {
            "it is not tried again by itself: the daemon died while it ran; its operator can tell why"
                .to_owned()
        }
        (_, JobState::Cancelled) => "cancelled: what is not reported may still be there".to_owned(),
        (Conclusion::Clean, _) => "every applicable tool read everything and found nothing".to_owned(),
        (Conclusion::Findings, _) => format!("page through all findings with job_results job={id}"),
        (Conclusion::Incomplete, _) => format!(
            "a run failed or read only a part (see runs): what is not reported may still be there; findings: job_results job={id}"
        ),
    }
}

const fn counts([info, low, medium, high, critical]: [u32; 5]) -> Counts {
    Counts { critical, high, medium, low, info }
}

fn run_answer(run: &RunView) -> RunAnswer {
    let mut answer = RunAnswer {
        tool: run.tool.0.clone(),
        tool_version: run.tool_version.clone(),
        state: run.state.word().to_owned(),
        doing: run.doing.clone(),
        findings: 0,
        degraded: false,
        coverage: None,
        elapsed_ms: 0,
        failure: None,
        why: None,
    };
    if let RunState::Ended(ended) = &run.state {
        fill_end(&mut answer, ended);
    }
    answer
}

fn fill_end(answer: &mut RunAnswer, ended: &Ended) {
    answer.elapsed_ms = ended.elapsed_ms;
    match &ended.outcome {
        Outcome::Findings { count } => answer.findings = *count,
        Outcome::Clean | Outcome::Cancelled => {}
        Outcome::NotApplicable { why } => {
            answer.why = Some(why.clone());
            return;
        }
        Outcome::Failed(failure) => answer.failure = Some(failure_answer(failure)),
    }
    answer.degraded = ended.coverage.is_degraded();
    answer.coverage = Some(coverage_answer(&ended.coverage));
}

fn failure_answer(failure: &Failure) -> FailureAnswer {
    FailureAnswer {
        reason: failure.reason.word().to_owned(),
        detail: failure.detail.clone(),
        advice: failure.advice.clone(),
        stderr_tail: failure.stderr_tail.clone(),
        retryable: failure.retryable,
    }
}

fn coverage_answer(coverage: &Coverage) -> CoverageAnswer {
    let gaps = coverage.gaps.iter().take(GAPS_SHOWN_MAX);
    CoverageAnswer {
        expected: coverage.expected,
        examined: coverage.examined,
        missed: coverage.missed,
        gaps: gaps.map(|gap| GapAnswer { path: gap.path.clone(), why: gap.why.clone() }).collect(),
        requests: coverage.work.map(|work| work.requests),
        rules: coverage.work.map(|work| work.rules).filter(|rules| *rules > 0),
        degraded: coverage.degraded.iter().take(GAPS_SHOWN_MAX).cloned().collect(),
    }
}

pub fn finding_answer(finding: &Finding) -> FindingAnswer {
    let region = finding.location.region;
    FindingAnswer {
        tool: finding.tool.0.clone(),
        rule: finding.rule.clone(),
        severity: severity_word(finding.severity),
        path: finding.location.path.clone(),
        line: region.map(|region| region.start_line),
        column: region.and_then(|region| region.start_column),
        message: finding.message.clone(),
        cwe: finding.cwe.clone(),
        help: finding.help.clone(),
        fingerprint: finding.fingerprint.clone(),
        web: finding.web.as_ref().map(exchange_answer),
    }
}

fn exchange_answer(exchange: &Exchange) -> ExchangeAnswer {
    let Exchange { method, param, attack, evidence, confidence } = exchange.clone();
    ExchangeAnswer { method, param, attack, evidence, confidence }
}

const fn severity_word(severity: Severity) -> SeverityWord {
    match severity {
        Severity::Info => SeverityWord::Info,
        Severity::Low => SeverityWord::Low,
        Severity::Medium => SeverityWord::Medium,
        Severity::High => SeverityWord::High,
        Severity::Critical => SeverityWord::Critical,
    }
}

pub const fn severity(word: SeverityWord) -> Severity {
    match word {
        SeverityWord::Info => Severity::Info,
        SeverityWord::Low => Severity::Low,
        SeverityWord::Medium => Severity::Medium,
        SeverityWord::High => Severity::High,
        SeverityWord::Critical => Severity::Critical,
    }
}

/// The catalogue as clients see it.
/// `retry_in` says of a tool that does not work when it is tried again.
pub fn tools_answer(
    catalogue: &Catalogue,
    is_installed: impl Fn(&Manifest) -> bool,
    retry_in: impl Fn(&Manifest) -> Option<Duration>,
) -> ToolsAnswer {
    let tools = catalogue.iter().map(|manifest| ToolAnswer {
        name: manifest.name.0.clone(),
        summary: manifest.summary.clone(),
        reads: manifest.files().map(|files| files.files.clone()).unwrap_or_default(),
        version: manifest.version.pinned.clone(),
        installed: is_installed(manifest),
        network: manifest.network,
        retry_in_s: retry_in(manifest).map(|wait| wait.as_secs()),
    });
    ToolsAnswer { tools: tools.collect() }
}

/// As many of `findings`, from the first, as keep an answer of `used` bytes of JSON within [`PAGE_BYTES_MAX`].
pub fn fitting(findings: &[Stamped], used: usize) -> Vec<FindingAnswer> {
    let mut room = PAGE_BYTES_MAX.saturating_sub(used);
    let mut shown = Vec::new();
    for stamped in findings {
        let answer = finding_answer(&stamped.finding);
        let Some(rest) = room.checked_sub(json_bytes(&answer) + 1) else {
            break;
        };
        room = rest;
        shown.push(answer);
    }
    shown
}

/// Bytes of a value as JSON.
pub fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX / 2, |bytes| bytes.len())
}
