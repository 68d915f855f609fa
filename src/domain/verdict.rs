//! From what a tool did to what it proves. The only place where an [`Outcome`] is decided, so that "failed never
//! looks like clean" is one pure function with one table of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::finding::Finding;
use super::outcome::{Coverage, Failure, FailureReason, GAPS_NAMED_MAX, Gap, Outcome, Work};

/// How the tool's process came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It exited, and the manifest says what the code means.
    Exited { code: i32, meaning: ExitMeaning },
    /// A signal ended it that proctor did not send.
    Signalled { signal: i32 },
    /// The kernel ended it at its memory limit.
    MemoryExceeded { limit_mib: u64 },
    /// The deadline ended it.
    TimedOut { after: Duration },
    /// It wrote more than its limit and was killed.
    Flooded { bytes: u64 },
    /// It filled the disk over its limit and was killed.
    DiskExceeded { limit_mib: u64 },
    /// Somebody asked for it to stop.
    Cancelled,
    /// It never ran.
    NotStarted { reason: FailureReason, detail: String, advice: Option<String> },
}

/// What an exit code of a tool means, from its manifest. A code alone never proves a clean run: it only says whether
/// the report may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitMeaning {
    /// The report may be believed and holds no finding.
    Clean,
    /// The report may be believed and must hold at least one finding.
    Findings,
    /// The report decides.
    Either,
    /// The tool says that it failed.
    Failed { reason: FailureReason, detail: String, advice: Option<String> },
}

/// What a parser makes of a tool's report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub examined: Examined,
    /// Files the tool itself names as not analysed; URLs that gave no answer.
    pub gaps: Vec<Gap>,
    /// See [`Coverage::degraded`].
    pub degraded: Vec<String>,
}

/// A tool's proof of work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Examined {
    /// The report has none.
    #[default]
    Unproven,
    /// Paths the tool says it read, relative to the target's root.
    Files(BTreeSet<String>),
    /// The tool proves that it worked on the target as a whole and names no file (bytes read, a planted canary found):
    /// every expected file counts as examined but the gaps.
    Whole,
    /// The target is no tree but runs, and this was done to it.
    Site(Work),
}

/// A report could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct UnreadableReport {
    pub reason: FailureReason,
    /// Where in the report, and what was found instead.
    pub detail: String,
}

/// What a run proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub coverage: Coverage,
    /// What may be believed. Empty whenever the outcome is not [`Outcome::Findings`].
    pub findings: Vec<Finding>,
}

/// All that is known about a run when its process is over.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Files of the snapshot that are this tool's business. Never empty: such a run is `not_applicable` before it starts.
    /// Empty for a running target.
    pub expected: BTreeSet<String>,
    pub ending: Ending,
    /// Only looked at when the ending lets the report be believed.
    pub report: Result<Report, UnreadableReport>,
    /// The cleaned end of standard error.
    pub stderr_tail: String,
}

/// Decides what a run proves.
pub fn verdict(evidence: Evidence) -> Verdict {
    let Evidence { expected, ending, report, stderr_tail } = evidence;
    let believed = believe(ending, report);
    let report = match believed {
        Ok(report) => report,
        Err(NoStatement::Cancelled) => {
            return no_statement(Outcome::Cancelled, &expected, "the run was cancelled");
        }
        Err(NoStatement::Failed { reason, detail, advice }) => {
            let failure = Failure { advice, stderr_tail, ..Failure::new(reason, detail) };
            return no_statement(Outcome::Failed(failure), &expected, "the run failed");
        }
    };
    let coverage =
        Coverage { degraded: first(report.degraded), ..coverage(&expected, &report.examined, &report.gaps) };
    if let Some(detail) = unproven(&report.examined, &coverage, report.findings.is_empty()) {
        let failure = Failure { stderr_tail, ..Failure::new(FailureReason::NoProofOfWork, detail) };
        return Verdict { outcome: Outcome::Failed(failure), coverage, findings: Vec::new() };
    }
    let outcome = match u32::try_from(report.findings.len()).unwrap_or(u32::MAX) {
        0 => Outcome::Clean,
        count => Outcome::Findings { count },
    };
    Verdict { outcome, coverage, findings: report.findings }
}

/// What one of our own tools knows about a running target when it is done.
#[derive(Debug, Clone)]
pub struct WebEvidence {
    pub ending: WebEnding,
    pub findings: Vec<Finding>,
    pub work: Work,
    /// URLs that were asked for and gave no answer.
    pub unanswered: Vec<Gap>,
    /// See [`Coverage::degraded`].
    pub degraded: Vec<String>,
}

/// How a look at a running target came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebEnding {
    Finished,
    Cancelled,
    Failed {
        reason: FailureReason,
        detail: String,
        advice: Option<String>,
        /// The cleaned end of what the scanner said.
        log_tail: String,
    },
}

impl WebEnding {
    pub fn failed(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self::Failed { reason, detail: detail.into(), advice: None, log_tail: String::new() }
    }
}

impl WebEvidence {
    /// Nothing was done.
    pub fn nothing(ending: WebEnding) -> Self {
        let (findings, unanswered) = (Vec::new(), Vec::new());
        Self { ending, findings, work: Work::default(), unanswered, degraded: Vec::new() }
    }
}

/// Decides what a look at a running target proves, by the same rules.
pub fn of_site(evidence: WebEvidence) -> Verdict {
    let WebEvidence { ending, findings, work, unanswered, degraded } = evidence;
    let (ending, stderr_tail) = match ending {
        WebEnding::Finished => (Ending::Exited { code: 0, meaning: ExitMeaning::Either }, String::new()),
        WebEnding::Cancelled => (Ending::Cancelled, String::new()),
        WebEnding::Failed { reason, detail, advice, log_tail } => {
            (Ending::NotStarted { reason, detail, advice }, log_tail)
        }
    };
    let report = Report { findings, examined: Examined::Site(work), gaps: unanswered, degraded };
    verdict(Evidence { expected: BTreeSet::new(), ending, report: Ok(report), stderr_tail })
}

fn first(mut degraded: Vec<String>) -> Vec<String> {
    degraded.truncate(GAPS_NAMED_MAX);
    degraded
}

/// Why a report that may be believed proves nothing, if so. A finding in a file shows that the file was read; a finding on a
/// running target may come from a cache, so only answers count.
fn unproven(examined: &Examined, coverage: &Coverage, is_empty: bool) -> Option<String> {
    match examined {
        Examined::Site(work) if work.urls == 0 => {
            Some(format!("the report is well-formed, and of {} requests none was answered", work.requests))
        }
        Examined::Site(_) => None,
        Examined::Unproven | Examined::Files(_) | Examined::Whole if is_empty && coverage.examined == 0 => {
            let files = coverage.expected;
            Some(format!("the report is well-formed and shows none of the {files} files as read"))
        }
        Examined::Unproven | Examined::Files(_) | Examined::Whole => None,
    }
}

enum NoStatement {
    Cancelled,
    Failed { reason: FailureReason, detail: String, advice: Option<String> },
}

fn failed(reason: FailureReason, detail: String) -> NoStatement {
    NoStatement::Failed { reason, detail, advice: None }
}

fn believe(ending: Ending, report: Result<Report, UnreadableReport>) -> Result<Report, NoStatement> {
    let (code, meaning) = match ending {
        Ending::Exited { code, meaning } => (code, meaning),
        Ending::Signalled { signal } => {
            return Err(failed(FailureReason::Signalled, format!("the tool was ended by signal {signal}")));
        }
        Ending::MemoryExceeded { limit_mib } => {
            let detail = format!("the tool was ended by the kernel at its memory limit of {limit_mib} MiB");
            return Err(failed(FailureReason::MemoryExceeded, detail));
        }
        Ending::TimedOut { after } => {
            let detail =
                format!("the tool was still running after {:.1} s and was killed", after.as_secs_f64());
            return Err(failed(FailureReason::TimedOut, detail));
        }
        Ending::Flooded { bytes } => {
            let detail = format!("the tool wrote more than {bytes} bytes and was killed");
            return Err(failed(FailureReason::OutputFlood, detail));
        }
        Ending::DiskExceeded { limit_mib } => {
            let detail = format!("the tool wrote more than {limit_mib} MiB to its directory and was killed");
            let advice = Some("give it more (`docker.disk_mib`), or name a smaller target".to_owned());
            return Err(NoStatement::Failed { reason: FailureReason::DiskLimit, detail, advice });
        }
        Ending::Cancelled => return Err(NoStatement::Cancelled),
        Ending::NotStarted { reason, detail, advice } => {
            return Err(NoStatement::Failed { reason, detail, advice });
        }
    };
    if let ExitMeaning::Failed { reason, detail, advice } = meaning {
        return Err(NoStatement::Failed { reason, detail, advice });
    }
    let report = report.map_err(|unreadable| failed(unreadable.reason, unreadable.detail))?;
    // A report that contradicts the exit code is a report cut short or a tool we do not understand: no statement.
    match (meaning, report.findings.is_empty()) {
        (ExitMeaning::Findings, true) => {
            let detail = format!("exit code {code} promises findings and the report holds none");
            Err(failed(FailureReason::UnexpectedExit, detail))
        }
        (ExitMeaning::Clean, false) => {
            let detail = format!("exit code {code} says clean and the report holds findings");
            Err(failed(FailureReason::UnexpectedExit, detail))
        }
        _ => Ok(report),
    }
}

fn no_statement(outcome: Outcome, expected: &BTreeSet<String>, why: &str) -> Verdict {
    let gaps =
        expected.iter().take(GAPS_NAMED_MAX).map(|path| Gap { path: path.clone(), why: why.to_owned() });
    let count = u32::try_from(expected.len()).unwrap_or(u32::MAX);
    let coverage = Coverage { expected: count, missed: count, gaps: gaps.collect(), ..Coverage::default() };
    Verdict { outcome, coverage, findings: Vec::new() }
}

fn coverage(expected: &BTreeSet<String>, examined: &Examined, gaps: &[Gap]) -> Coverage {
    match examined {
        Examined::Site(work) => of_urls(*work, gaps),
        Examined::Unproven | Examined::Files(_) | Examined::Whole => of_files(expected, examined, gaps),
    }
}

fn of_urls(work: Work, gaps: &[Gap]) -> Coverage {
    let missed = u32::try_from(gaps.len()).unwrap_or(u32::MAX);
    Coverage {
        expected: work.urls.saturating_add(missed),
        examined: work.urls,
        missed,
        gaps: gaps.iter().take(GAPS_NAMED_MAX).cloned().collect(),
        work: Some(work),
        degraded: Vec::new(),
    }
}

fn of_files(expected: &BTreeSet<String>, examined: &Examined, gaps: &[Gap]) -> Coverage {
    let named: BTreeMap<&str, &str> = gaps.iter().map(|gap| (gap.path.as_str(), gap.why.as_str())).collect();
    let why_missed = |path: &str| match (named.get(path), examined) {
        (Some(why), _) => Some((*why).to_owned()),
        (None, Examined::Whole) => None,
        (None, Examined::Files(files)) if files.contains(path) => None,
        (None, Examined::Files(_)) => Some("the tool does not list it as read".to_owned()),
        (None, Examined::Unproven | Examined::Site(_)) => Some("the tool gives no proof of work".to_owned()),
    };
    let mut coverage = Coverage::default();
    for path in expected {
        coverage.expected += 1;
        match why_missed(path) {
            None => coverage.examined += 1,
            Some(why) => {
                coverage.missed += 1;
                if coverage.gaps.len() < GAPS_NAMED_MAX {
                    coverage.gaps.push(Gap { path: path.clone(), why });
                }
            }
        }
    }
    coverage
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
