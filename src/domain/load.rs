//! What a load tool measured, and what that proves: figures in one shape whatever the tool calls them, the work they
//! show, and the thresholds they break.
//!
//! Tools disagree about almost everything: some count an error page as a success, some forget what took too long, some
//! end well though nobody answered. Each parser brings its tool's figures into [`LoadReport`]; the rules are here, once.

use serde::Deserialize;

use super::outcome::FailureReason;
use super::severity::Severity;
use super::target::Load;

/// The figures of a run; breaks nothing.
pub const FIGURES: &str = "load.figures";
/// Too many requests failed or were answered with an error.
pub const ERROR_RATE: &str = "load.error-rate";
/// Too many answers were too slow.
pub const LATENCY_P95: &str = "load.latency-p95";
/// Too few answers in the time.
pub const THROUGHPUT: &str = "load.throughput";

/// Failed requests, in hundredths of a percent, that make a finding where the job names no threshold: a target that fails
/// one request in a hundred under load is broken, whoever asked.
pub const ERRORS_USUAL_MAX: u32 = 100;
/// Of the time that was asked for, the part that load must have lasted: tools count their start and end in different ways.
const TIME_SHARE_MIN: f64 = 0.9;
/// Seconds that may be missing of a short run: a tool observed measures 2.2 s where 3 s were asked for.
const TIME_SLACK_S: f64 = 1.5;

/// The figures of one run of a load tool.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadReport {
    /// Answered with what is no error: 2xx, and 3xx where the tool cannot tell ([`Caveat::RedirectsCount`]).
    pub ok: u64,
    /// Answered with another status.
    pub not_ok: u64,
    /// Never answered: refused, reset, timed out.
    pub errors: u64,
    /// Seconds that the load lasted, as the tool measured them.
    pub seconds: f64,
    /// Of answered requests, in milliseconds; `None` when nothing was answered.
    pub latency: Option<Latency>,
    pub caveats: Vec<Caveat>,
}

/// Milliseconds within which a part of the requests was answered.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// What a reader of the figures must know of the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caveat {
    /// Each connection waits for its answer before it asks again.
    ClosedLoop,
    /// The tool adds the waits that a stalled server spared it.
    Corrected,
    /// It cannot tell a redirect from a success.
    RedirectsCount,
    /// It keeps latencies in steps.
    Rounded,
    /// Its own speed is the limit before the target's is.
    ClientBound,
}

impl Caveat {
    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ClosedLoop => "closed loop: a server that stalls is asked less, so stalls hardly show",
            Self::Corrected => "latencies are corrected for stalls: not comparable with other tools'",
            Self::RedirectsCount => "redirects count as ok and are not followed",
            Self::Rounded => "latencies over 100 ms are rounded to two figures",
            Self::ClientBound => "the client's own speed bounds the rate",
        }
    }
}

/// One thing that the figures say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub rule: &'static str,
    pub severity: Severity,
    pub message: String,
}

/// What a run of a load tool proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The figures, then each threshold that is broken.
    pub statements: Vec<Statement>,
    /// Why the figures are of less than was asked for.
    pub degraded: Vec<String>,
}

impl LoadReport {
    /// Requests that came to an end.
    pub const fn requests(&self) -> u64 {
        self.ok.saturating_add(self.not_ok).saturating_add(self.errors)
    }

    /// Good answers per second.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { count(self.ok) / self.seconds } else { 0.0 }
    }

    /// Requests, in percent, that failed or were answered with an error.
    pub fn error_percent(&self) -> f64 {
        let bad = self.not_ok.saturating_add(self.errors);
        if bad == 0 { 0.0 } else { 100.0 * count(bad) / count(self.requests()) }
    }

    /// Decides what the figures prove under a plan.
    ///
    /// # Errors
    /// They prove no work: nothing was asked, nothing was answered, or every answer was an error, which measures an
    /// error page.
    pub fn judge(&self, plan: &Load) -> Result<Judgement, (FailureReason, String)> {
        self.proves_work()?;
        let mut statements =
            vec![Statement { rule: FIGURES, severity: Severity::Info, message: self.figures(plan) }];
        statements.extend(
            [self.too_many_errors(plan), self.too_slow(plan), self.too_few(plan)].into_iter().flatten(),
        );
        Ok(Judgement { statements, degraded: self.degraded(plan) })
    }

    fn proves_work(&self) -> Result<(), (FailureReason, String)> {
        if self.requests() == 0 {
            let detail =
                "not one request came to an end: the target accepts and never answers, or nothing was sent";
            return Err((FailureReason::NoProofOfWork, detail.to_owned()));
        }
        if self.ok == 0 && self.not_ok == 0 {
            let detail = format!("none of {} requests was answered", self.errors);
            return Err((FailureReason::TargetUnreachable, detail));
        }
        if self.ok == 0 {
            let detail = format!(
                "none of {} answers was a success: what was measured is an error page or a redirect",
                self.not_ok
            );
            return Err((FailureReason::NoProofOfWork, detail));
        }
        if self.latency.is_none() || !(self.seconds.is_finite() && self.seconds > 0.0) {
            let detail = "requests were answered, and the tool says neither how fast nor for how long";
            return Err((FailureReason::UnreadableReport, detail.to_owned()));
        }
        Ok(())
    }

    fn degraded(&self, plan: &Load) -> Vec<String> {
        let asked = f64::from(plan.duration_s);
        let enough = (asked * TIME_SHARE_MIN).min(asked - TIME_SLACK_S);
        let mut degraded = Vec::new();
        if self.seconds < enough {
            degraded.push(format!("the load lasted {:.1} s of the {asked} s asked for", self.seconds));
        }
        degraded
    }

    fn too_many_errors(&self, plan: &Load) -> Option<Statement> {
        let max = f64::from(plan.errors_max.unwrap_or(ERRORS_USUAL_MAX)) / 100.0;
        let found = self.error_percent();
        let message = format!(
            "{found:.2} % of {} requests failed under load, at most {max} % may: {} without an answer, {} answered \
             with an error",
            self.requests(),
            self.errors,
            self.not_ok
        );
        (found > max).then_some(Statement { rule: ERROR_RATE, severity: Severity::High, message })
    }

    fn too_slow(&self, plan: &Load) -> Option<Statement> {
        let max = plan.p95_ms_max?;
        let latency = self.latency?;
        let message = format!(
            "95 % of the answers took up to {} ms under load, at most {max} ms are allowed",
            milliseconds(latency.p95)
        );
        let broken = latency.p95 > f64::from(max);
        broken.then_some(Statement { rule: LATENCY_P95, severity: Severity::Medium, message })
    }

    fn too_few(&self, plan: &Load) -> Option<Statement> {
        let min = plan.rate_min?;
        let rate = self.rate();
        let message = format!("{rate:.1} good answers per second under load, at least {min} are asked for");
        (rate < f64::from(min)).then_some(Statement { rule: THROUGHPUT, severity: Severity::Medium, message })
    }

    /// All figures in one line.
    fn figures(&self, plan: &Load) -> String {
        let latency = self.latency.map_or_else(String::new, |latency| {
            let shown = [latency.p50, latency.p90, latency.p95, latency.p99, latency.max].map(milliseconds);
            let [p50, p90, p95, p99, max] = shown;
            format!("; latency in ms: p50 {p50}, p90 {p90}, p95 {p95}, p99 {p99}, max {max}")
        });
        let caveats: Vec<&str> = self.caveats.iter().map(|caveat| caveat.text()).collect();
        let caveats = if caveats.is_empty() { String::new() } else { format!(" ({})", caveats.join("; ")) };
        format!(
            "{:.1} s of load by {} at a time: {} requests, {:.1} good answers per second, {} answered with an error, \
             {} without an answer ({:.2} %){latency}{caveats}",
            self.seconds,
            plan.concurrency,
            self.requests(),
            self.rate(),
            self.not_ok,
            self.errors,
            self.error_percent()
        )
    }
}

/// Exact up to 2^53, more requests than any run makes.
#[expect(clippy::cast_precision_loss, reason = "no run makes 2^53 requests")]
const fn count(number: u64) -> f64 {
    number as f64
}

/// Three figures are what a measurement on a shared machine is worth.
fn milliseconds(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
