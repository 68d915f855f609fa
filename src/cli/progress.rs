//! What is seen of a scan while it runs: one line per tool. On a terminal the lines are redrawn in place; elsewhere a
//! line is written when a tool's state changes. On standard error either way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::terminal::Terminal;
use super::text::{count, cut_end, duration};
use crate::protocol::api::{JobAnswer, RunAnswer};

/// Longest tool name shown whole; names of the catalogue are shorter.
const NAME_WIDTH: usize = 18;
/// How often a spinner turns: a sign of life that is no flicker.
const TICK: Duration = Duration::from_millis(120);

/// The lines of one job.
pub struct Progress {
    terminal: Terminal,
    /// What was said last of the target's preparation.
    preparing: Option<String>,
    bars: Option<MultiProgress>,
    tools: BTreeMap<String, Tool>,
}

/// One tool as last shown.
struct Tool {
    state: String,
    /// When it was first seen running.
    running_since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            preparing: None,
            bars: terminal.live.then(MultiProgress::new),
            tools: BTreeMap::new(),
        }
    }

    /// Shows where the job stands.
    pub fn show(&mut self, job: &JobAnswer, now: Instant) {
        if let Some(doing) = job.doing.as_ref().filter(|doing| Some(*doing) != self.preparing.as_ref()) {
            self.say(doing);
            self.preparing = Some(doing.clone());
        }
        for run in &job.runs {
            self.show_run(run, now);
        }
    }

    fn show_run(&mut self, run: &RunAnswer, now: Instant) {
        let tool = self.tools.entry(run.tool.clone()).or_insert_with(|| Tool {
            state: String::new(),
            running_since: None,
            bar: self.bars.as_ref().map(add_bar),
        });
        if is_running(run) {
            tool.running_since.get_or_insert(now);
        }
        let elapsed = elapsed(run, tool.running_since, now);
        let changed = tool.state != run.state;
        tool.state.clone_from(&run.state);
        match &tool.bar {
            Some(bar) if is_ended(run) && changed => bar.finish_with_message(line(run, elapsed)),
            Some(bar) => bar.set_message(line(run, elapsed)),
            None if changed => self.terminal.note(&line(run, elapsed)),
            None => {}
        }
    }

    /// Says something above the lines.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.terminal.note(text)),
            None => self.terminal.note(text),
        }
    }

    /// Takes the lines away: the result repeats what they said.
    pub fn finish(self) {
        for bar in self.tools.into_values().filter_map(|tool| tool.bar) {
            bar.finish_and_clear();
        }
    }
}

fn add_bar(bars: &MultiProgress) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant");
    let bar = bars.add(ProgressBar::new_spinner().with_style(style));
    bar.enable_steady_tick(TICK);
    bar
}

fn is_running(run: &RunAnswer) -> bool {
    matches!(run.state.as_str(), "running" | "parsing")
}

fn is_ended(run: &RunAnswer) -> bool {
    !is_running(run) && run.state != "waiting"
}

/// A running tool's time is known here only by watching; an ended one says it itself.
fn elapsed(run: &RunAnswer, running_since: Option<Instant>, now: Instant) -> Duration {
    let told = Duration::from_millis(run.elapsed_ms);
    match running_since {
        Some(since) if is_running(run) => told.max(now.saturating_duration_since(since)),
        _ => told,
    }
}

/// One tool in one line: name, state, time, what there is to say.
fn line(run: &RunAnswer, elapsed: Duration) -> String {
    let name = cut_end(&run.tool, NAME_WIDTH);
    let time = match elapsed.is_zero() {
        true => String::new(),
        false => duration(elapsed),
    };
    let found = count(run.findings, "finding");
    let said = match run.state.as_str() {
        "findings" if run.degraded => format!("{found}, read in part"),
        "clean" if run.degraded => "nothing found, read in part".to_owned(),
        "findings" => found,
        "failed" => run.failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default(),
        "not_applicable" => run.why.clone().unwrap_or_default(),
        _ if run.doing.is_some() => run.doing.clone().unwrap_or_default(),
        _ if run.findings > 0 => format!("{found} so far"),
        _ => String::new(),
    };
    let state = run.state.replace('_', " ");
    format!("{name:<NAME_WIDTH$} {state:<14} {time:>12}  {said}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn every_state_has_its_line() {
        let running = RunAnswer { findings: 3, ..samples::run("alpha", "running") };
        let lines = [
            line(&samples::run("alpha", "waiting"), Duration::ZERO),
            line(&running, Duration::from_secs(4)),
            line(&samples::job().runs[1], Duration::from_millis(8_900)),
            line(&samples::job().runs[2], Duration::from_secs(60)),
            line(&samples::job().runs[3], Duration::ZERO),
        ];
        let expected = [
            "alpha              waiting",
            "alpha              running               4.0 s  3 findings so far",
            "beta               findings              8.9 s  1 finding, read in part",
            "gamma              failed           1 min 00 s  timed_out",
            "delta              not applicable               no file it reads is in the target",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_running_tool_is_timed_by_watching_and_an_ended_one_by_its_own_word() {
        let start = Instant::now();
        let now = start + Duration::from_secs(9);
        assert_eq!(elapsed(&samples::run("alpha", "running"), Some(start), now), Duration::from_secs(9));
        let ended = RunAnswer { elapsed_ms: 1_500, ..samples::run("alpha", "clean") };
        assert_eq!(elapsed(&ended, Some(start), now), Duration::from_millis(1_500));
        assert_eq!(elapsed(&samples::run("alpha", "waiting"), None, now), Duration::ZERO);
    }
}
