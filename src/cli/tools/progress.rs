//! What is seen of an installation: a bar per tool on a terminal, a line per step elsewhere. On standard error.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::actors::installer::{Done, Event, Outcome, Package, human_bytes};
use crate::cli::terminal::Terminal;

/// How often a spinner turns: a sign of life that is no flicker.
const TICK: Duration = Duration::from_millis(120);
/// Steps of a bar before its tool has said how many there are.
const STEPS_UNKNOWN: u64 = 3;

pub struct Progress {
    terminal: Terminal,
    /// `None` when standard error is no terminal.
    screen: Option<MultiProgress>,
    bars: BTreeMap<String, ProgressBar>,
    /// Columns of the longest name.
    name_width: usize,
}

impl Progress {
    pub fn new(terminal: Terminal, packages: &[Package]) -> Self {
        let name_width = packages.iter().map(|package| package.name.len()).max().unwrap_or(0);
        Self { terminal, screen: terminal.live.then(MultiProgress::new), bars: BTreeMap::new(), name_width }
    }

    pub fn show(&mut self, event: Event) {
        match event {
            Event::Waiting => self.say("waiting for another installation in the same directory to end"),
            Event::Step { tool, number, total, title } => self.step(&tool, number, total, &title),
            Event::Ended(done) => self.end(&done),
        }
    }

    fn step(&mut self, tool: &str, number: usize, total: usize, title: &str) {
        let name = format!("{tool:width$}", width = self.name_width);
        match &self.screen {
            Some(screen) => {
                let bar = self.bars.entry(tool.to_owned()).or_insert_with(|| add_bar(screen, &name));
                bar.set_length(total as u64);
                bar.set_position(number as u64 - 1);
                bar.set_message(title.to_owned());
            }
            None => self.terminal.note(&format!("{name}  {number}/{total} {title}")),
        }
    }

    fn end(&mut self, done: &Done) {
        let line = line(done, self.name_width);
        match (&self.screen, self.bars.remove(&done.tool)) {
            (Some(screen), bar) => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                screen.suspend(|| self.terminal.note(&line));
            }
            (None, _) => self.terminal.note(&line),
        }
    }

    fn say(&self, text: &str) {
        match &self.screen {
            Some(screen) => screen.suspend(|| self.terminal.note(text)),
            None => self.terminal.note(text),
        }
    }

    /// Takes what is left off the screen.
    pub fn finish(self) {
        for bar in self.bars.into_values() {
            bar.finish_and_clear();
        }
    }
}

fn add_bar(screen: &MultiProgress, name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}  {bar:12} {spinner} {wide_msg} {elapsed}")
        .expect("the template is a constant")
        .progress_chars("━╸─");
    let bar = screen.add(ProgressBar::new(STEPS_UNKNOWN).with_style(style));
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// How one tool ended.
fn line(done: &Done, name_width: usize) -> String {
    let Done { tool, version, .. } = done;
    let said = match &done.outcome {
        Ok(Outcome::Installed { bytes }) => {
            format!("{version} installed: {} in {:.1} s", human_bytes(*bytes), done.elapsed.as_secs_f64())
        }
        Ok(Outcome::Already { .. }) => format!("{version} was there"),
        // The reason comes at the end, with what to do.
        Err(_) => format!("{version} failed"),
    };
    format!("{tool:name_width$}  {said}")
}
