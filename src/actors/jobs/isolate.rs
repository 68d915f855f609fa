//! Which calls a run makes: one on everything; one per file for a tool that takes one at a time; and when a tool died of
//! its files, calls on halves of them until those that kill it are named ([`bisect`] decides). The named files are gaps, and
//! what the tool says of all others is the run's result.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::calls::Calls;
use super::execute::{Executed, Order};
use crate::domain::bisect::{self, Bisection, Bounds, Isolation, Tried};
use crate::domain::deadline::EndedBy;
use crate::domain::finding::clean_text;
use crate::domain::fingerprint::{self, Stamped};
use crate::domain::outcome::{Coverage, Failure, FailureReason, GAPS_NAMED_MAX, Gap, Outcome};
use crate::tools::invocation::ARGUMENT_BYTES_MAX;

/// Calls of one run, for a tool that is called once per file: past it the target is no project but a collection.
const FILES_MAX: usize = 100;
/// Calls to find the files that kill a tool: one among a million takes 20, five among a thousand about 60.
const SEARCH_CALLS_MAX: usize = 64;
/// Of a tool's own limit, how often it may be spent again on that search. A hang that is found by its share of time
/// costs about one and a half.
const SEARCH_LIMITS_MAX: u32 = 2;
/// Of a command line, what is left to arguments that are no paths.
const OTHER_ARGUMENTS_BYTES: usize = 64 * 1024;
/// What a path costs on the command line beside itself and the root before it: a flag and the ends of both.
const AROUND_PATH_BYTES: usize = 16;
/// Longest reason of a gap, in bytes: it stands in a list.
const WHY_BYTES_MAX: usize = 512;

impl Calls {
    /// Fulfils the order of a run.
    pub(super) async fn fulfil(&self, order: &Order) -> Executed {
        let limit = order.manifest.limits.wall;
        if order.manifest.program().is_some_and(|program| program.call_per_file) {
            return self.each(order, limit).await;
        }
        let (first, ended_by) = self.call(order.clone(), limit).await;
        match &first.outcome {
            Outcome::Failed(failure)
                if order.manifest.takes_files()
                    && order.expected.len() > 1
                    && bisect::may_lie_in_the_files(failure.reason, ended_by) =>
            {
                self.isolate(order, first, limit).await
            }
            _ => first,
        }
    }

    async fn each(&self, order: &Order, limit: Duration) -> Executed {
        let files = order.expected.len();
        if files > FILES_MAX {
            let detail = format!("the target has {files} files for this tool, at most {FILES_MAX} are taken");
            return Executed::nothing_read(order, Outcome::failed(FailureReason::TargetUnreadable, &detail));
        }
        let mut search = Search {
            order,
            bisection: Bisection::of_each(order.expected.clone(), bounds(order, FILES_MAX)),
            until: self.deadline,
            found: Found::default(),
        };
        match self.search(&mut search, |_| limit).await {
            Ok(()) => search.result(),
            Err(cancelled) => cancelled,
        }
    }

    /// The tool died on all files together.
    async fn isolate(&self, order: &Order, first: Executed, limit: Duration) -> Executed {
        tracing::info!(tool = %order.manifest.name, files = order.expected.len(), outcome = ?first.outcome,
            "the tool died; looking for the files that kill it");
        let until = Instant::now() + limit.saturating_mul(SEARCH_LIMITS_MAX);
        let mut search = Search {
            order,
            bisection: Bisection::of_dead(order.expected.clone(), bounds(order, SEARCH_CALLS_MAX)),
            until: until.min(self.deadline),
            found: Found { elapsed: first.elapsed, failure: Some(first.outcome), ..Found::default() },
        };
        let of = order.expected.len();
        if let Err(cancelled) = self.search(&mut search, |files| bisect::patience(limit, files, of)).await {
            return cancelled;
        }
        let across_files = order.manifest.program().is_some_and(|program| program.across_files);
        if across_files && search.found.statements > 1 {
            return self.all_heard(search, limit).await;
        }
        search.result()
    }

    /// One call after the other, until there is nothing more to try. `Err` is the end of a run that was cancelled.
    async fn search(
        &self,
        search: &mut Search<'_>,
        patience: impl Fn(usize) -> Duration,
    ) -> Result<(), Executed> {
        while let Some(files) = search.bisection.next_group() {
            let limit = patience(files.len());
            let left = search.until.saturating_duration_since(Instant::now());
            if left < limit && search.until < self.deadline {
                // To be called poison for a lack of time would be a lie.
                let why = "the time for finding the files that kill the tool is over".to_owned();
                search.bisection.tried(Tried::Stopped { why });
                continue;
            }
            let call = Order { expected: files, is_part: true, ..search.order.clone() };
            let (executed, ended_by) = self.call(call, limit).await;
            if executed.outcome == Outcome::Cancelled {
                return Err(Executed::nothing_read(search.order, Outcome::Cancelled));
            }
            let tried = search.found.take_in(executed, ended_by, &search.order.snapshot.root);
            search.bisection.tried(tried);
        }
        Ok(())
    }

    /// What a tool that looks across files says of a part is no part of what it says of all: it is asked once more, about
    /// all files that it survived. If it does not survive them together, it has said nothing.
    async fn all_heard(&self, search: Search<'_>, limit: Duration) -> Executed {
        let Search { order, bisection, found, .. } = search;
        let isolation = bisection.finish();
        let call = Order { expected: isolation.heard.clone(), is_part: true, ..order.clone() };
        let (last, ended_by) = self.call(call, limit).await;
        if last.outcome == Outcome::Cancelled {
            return Executed::nothing_read(order, Outcome::Cancelled);
        }
        let mut said = Found { elapsed: found.elapsed, failure: found.failure, ..Found::default() };
        said.take_in(last, ended_by, &order.snapshot.root);
        said.with(order, isolation)
    }
}

/// A run of several calls, under way.
struct Search<'a> {
    order: &'a Order,
    bisection: Bisection,
    until: Instant,
    found: Found,
}

impl Search<'_> {
    fn result(self) -> Executed {
        self.found.with(self.order, self.bisection.finish())
    }
}

/// What the calls of a run said.
#[derive(Default)]
struct Found {
    /// Calls that made a statement.
    statements: usize,
    findings: Vec<Stamped>,
    /// Files that calls which made a statement did not read.
    missed: u32,
    gaps: Vec<Gap>,
    /// The first one stands when no call makes a statement.
    failure: Option<Outcome>,
    elapsed: Duration,
}

impl Found {
    /// `root` is the snapshot's.
    fn take_in(&mut self, executed: Executed, ended_by: EndedBy, root: &Path) -> Tried {
        self.elapsed += executed.elapsed;
        let tried = match &executed.outcome {
            Outcome::Failed(failure) if failure.reason == FailureReason::NoProofOfWork => Tried::Spoke,
            Outcome::Failed(failure) if bisect::may_lie_in_the_files(failure.reason, ended_by) => {
                Tried::Died { why: why(failure, root) }
            }
            Outcome::Failed(failure) => Tried::Stopped { why: why(failure, root) },
            Outcome::Findings { .. }
            | Outcome::Clean
            | Outcome::NotApplicable { .. }
            | Outcome::Cancelled => {
                self.statements += 1;
                Tried::Spoke
            }
        };
        if tried == Tried::Spoke {
            self.findings.extend(executed.findings);
            self.missed += executed.coverage.missed;
            self.gaps.extend(executed.coverage.gaps);
        }
        if matches!(executed.outcome, Outcome::Failed(_)) {
            self.failure.get_or_insert(executed.outcome);
        }
        tried
    }

    /// The run's result. Nothing said is the first failure; something said is what it is, with the rest as gaps.
    fn with(self, order: &Order, isolation: Isolation) -> Executed {
        let Self { statements, findings, missed, mut gaps, failure, elapsed } = self;
        if statements == 0 {
            let outcome = failure.unwrap_or_else(|| {
                Outcome::failed(FailureReason::Internal, "the run had no call that ended")
            });
            return Executed { elapsed, ..Executed::nothing_read(order, outcome) };
        }
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let findings = fingerprint::merge(findings);
        let outcome = match count(findings.len()) {
            0 => Outcome::Clean,
            count => Outcome::Findings { count },
        };
        let (expected, unheard) =
            (count(order.expected.len()), isolation.culprits.len() + isolation.untried.len());
        let missed = missed.saturating_add(count(unheard));
        // The culprits first: the list is cut, and they are what a person must know.
        gaps.extend(isolation.untried);
        gaps.sort();
        gaps.splice(0..0, isolation.culprits);
        gaps.truncate(GAPS_NAMED_MAX);
        let coverage = Coverage {
            expected,
            examined: expected.saturating_sub(missed),
            missed,
            gaps,
            ..Coverage::default()
        };
        Executed { outcome, coverage, findings, elapsed }
    }
}

/// What the tool did on a file, with its own last words if it had any; where the snapshot lies is nobody's business.
fn why(failure: &Failure, root: &Path) -> String {
    let last = failure.stderr_tail.lines().rev().find(|line| !line.trim().is_empty());
    let said = last.map(|line| format!(" ({})", line.trim())).unwrap_or_default();
    let text = format!("{}: {}{said}", failure.reason.word(), failure.detail);
    clean_text(&text.replace(&format!("{}/", root.display()), ""), WHY_BYTES_MAX)
}

fn bounds(order: &Order, calls: usize) -> Bounds {
    let root = order.snapshot.root.as_os_str().len();
    Bounds {
        calls,
        path_bytes: ARGUMENT_BYTES_MAX - OTHER_ARGUMENTS_BYTES,
        bytes_per_path: root + AROUND_PATH_BYTES,
    }
}
