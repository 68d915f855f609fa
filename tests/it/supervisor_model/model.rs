//! OTP, naively: every step is carried out at once and completely.

use std::collections::HashMap;
use std::time::Duration;

use proctor::actors::supervise::{Restart, Strategy};

use super::history::{Fault, History, PERIOD, Picture, RESTARTS_MAX, Reply, STOP_PATIENCE, Step, name};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Up,
    /// Taken down with its group, or not started yet: it is to come up.
    Wanted,
    Down(&'static str),
}

struct Child {
    id: usize,
    restart: Restart,
    state: State,
}

pub struct Model {
    strategy: Strategy,
    children: Vec<Child>,
    faults: HashMap<usize, Vec<Fault>>,
    deaf: Vec<usize>,
    now: Duration,
    restarts: Vec<Duration>,
    melted: Option<bool>,
    trace: Vec<String>,
}

impl Model {
    pub fn boot(history: &History) -> Self {
        let child = |(id, &restart): (usize, &Restart)| Child { id, restart, state: State::Wanted };
        let mut model = Self {
            strategy: history.strategy,
            children: history.children.iter().enumerate().map(child).collect(),
            faults: history.faults.iter().cloned().collect(),
            deaf: Vec::new(),
            now: Duration::ZERO,
            restarts: Vec::new(),
            melted: None,
            trace: Vec::new(),
        };
        model.start_wanted();
        model
    }

    pub fn take(&mut self, step: &Step) -> Option<Reply> {
        if self.melted.is_some() {
            return None;
        }
        match step {
            &Step::Start(id, restart) => Some(self.start_child(id, restart)),
            &Step::Terminate(id) => Some(self.terminate(id)),
            &Step::Restart(id) => Some(self.restart_child(id)),
            &Step::Delete(id) => Some(self.delete(id)),
            &Step::Crash(id) | &Step::Kill(id) => self.ends_by_itself(id, true),
            &Step::Finish(id) => self.ends_by_itself(id, false),
            Step::WillFail(id, faults) => {
                self.faults.insert(*id, faults.clone());
                None
            }
            &Step::GoDeaf(id) => {
                if self.position(id).is_some_and(|at| self.children[at].state == State::Up)
                    && !self.deaf.contains(&id)
                {
                    self.deaf.push(id);
                }
                None
            }
            &Step::Wait(seconds) => {
                self.now += Duration::from_secs(seconds);
                None
            }
            Step::Stop => {
                self.end(false);
                None
            }
        }
    }

    pub fn picture(&mut self, answer: Option<Reply>) -> Picture {
        let word = |child: &Child| match child.state {
            State::Up => "running",
            State::Wanted => "pending",
            State::Down(word) => word,
        };
        let mut trace = std::mem::take(&mut self.trace);
        if matches!(self.strategy, Strategy::Dynamic { .. }) && self.melted.is_some() {
            // All at once: no order is promised.
            trace.sort();
        }
        Picture {
            table: self.children.iter().map(|child| (name(child.id), word(child).to_owned())).collect(),
            trace,
            answer,
            melted: self.melted,
        }
    }

    fn start_child(&mut self, id: usize, restart: Restart) -> Reply {
        if let Some(at) = self.position(id) {
            return match self.children[at].state {
                State::Up | State::Wanted => Reply::AlreadyStarted,
                State::Down(_) => Reply::AlreadyPresent,
            };
        }
        if matches!(self.strategy, Strategy::Dynamic { cap } if self.children.len() >= cap) {
            return Reply::AtCap;
        }
        self.children.push(Child { id, restart, state: State::Down("new") });
        match self.start(self.children.len() - 1) {
            Ok(()) => Reply::Done,
            Err(Fault::Ignore) => {
                self.stays_down(self.children.len() - 1, "ignored");
                Reply::Done
            }
            Err(Fault::Transient | Fault::Permanent) => {
                self.children.pop();
                Reply::NotStarted
            }
        }
    }

    fn terminate(&mut self, id: usize) -> Reply {
        let Some(at) = self.position(id) else {
            return Reply::NotFound;
        };
        if self.children[at].state == State::Up {
            self.stop(at);
        }
        let is_dynamic = matches!(self.strategy, Strategy::Dynamic { .. });
        if is_dynamic || self.children[at].restart == Restart::Temporary {
            self.children.remove(at);
        } else {
            self.children[at].state = State::Down("stopped");
        }
        Reply::Done
    }

    fn restart_child(&mut self, id: usize) -> Reply {
        let Some(at) = self.position(id) else {
            return Reply::NotFound;
        };
        if self.children[at].state == State::Up {
            return Reply::AlreadyStarted;
        }
        match self.start(at) {
            Ok(()) => Reply::Done,
            Err(Fault::Ignore) => {
                self.stays_down(at, "ignored");
                Reply::Done
            }
            Err(Fault::Transient | Fault::Permanent) => {
                self.children[at].state = State::Down("unavailable");
                Reply::NotStarted
            }
        }
    }

    fn delete(&mut self, id: usize) -> Reply {
        match self.position(id) {
            None => Reply::NotFound,
            Some(at) if self.children[at].state == State::Up => Reply::AlreadyStarted,
            Some(at) => {
                self.children.remove(at);
                Reply::Done
            }
        }
    }

    fn ends_by_itself(&mut self, id: usize, abnormal: bool) -> Option<Reply> {
        let at = self.position(id).filter(|&at| self.children[at].state == State::Up)?;
        self.trace.push(format!("down {}", name(id)));
        self.deaf.retain(|&deaf| deaf != id);
        match self.children[at].restart {
            Restart::Permanent => self.failed(at),
            Restart::Transient if abnormal => self.failed(at),
            Restart::Transient | Restart::Temporary => self.stays_down(at, "done"),
        }
        None
    }

    /// Count, take down the group, bring everybody wanted up again.
    fn failed(&mut self, at: usize) {
        self.restarts.push(self.now);
        let now = self.now;
        self.restarts.retain(|&time| time + PERIOD >= now);
        self.children[at].state = State::Wanted;
        if self.restarts.len() > RESTARTS_MAX as usize {
            self.children[at].state = State::Down("unavailable");
            return self.end(true);
        }
        let id = self.children[at].id;
        let first = match self.strategy {
            Strategy::OneForOne | Strategy::Dynamic { .. } => self.children.len(),
            Strategy::RestForOne => at + 1,
            Strategy::OneForAll => 0,
        };
        for other in (first..self.children.len()).rev() {
            if self.children[other].state == State::Up && self.children[other].id != id {
                self.stop(other);
                if self.children[other].restart == Restart::Temporary {
                    self.children.remove(other);
                } else {
                    self.children[other].state = State::Wanted;
                }
            }
        }
        self.start_wanted();
    }

    fn start_wanted(&mut self) {
        while let Some(at) = self.children.iter().position(|child| child.state == State::Wanted) {
            if self.melted.is_some() {
                return;
            }
            match self.start(at) {
                Ok(()) => {}
                Err(Fault::Ignore) => self.stays_down(at, "ignored"),
                Err(Fault::Permanent) => self.stays_down(at, "unavailable"),
                Err(Fault::Transient) if self.children[at].restart == Restart::Temporary => {
                    self.stays_down(at, "unavailable");
                }
                Err(Fault::Transient) => return self.failed(at),
            }
        }
    }

    fn start(&mut self, at: usize) -> Result<(), Fault> {
        let id = self.children[at].id;
        self.trace.push(format!("start {}", name(id)));
        let faults = self.faults.entry(id).or_default();
        if !faults.is_empty() {
            return Err(faults.remove(0));
        }
        self.children[at].state = State::Up;
        Ok(())
    }

    fn stays_down(&mut self, at: usize, word: &'static str) {
        let is_dynamic = matches!(self.strategy, Strategy::Dynamic { .. });
        if is_dynamic || self.children[at].restart == Restart::Temporary {
            self.children.remove(at);
        } else {
            self.children[at].state = State::Down(word);
        }
    }

    fn stop(&mut self, at: usize) {
        let id = self.children[at].id;
        if let Some(deaf) = self.deaf.iter().position(|&deaf| deaf == id) {
            self.deaf.remove(deaf);
            self.now += STOP_PATIENCE;
            self.trace.push(format!("killed {}", name(id)));
        } else {
            self.trace.push(format!("stopped {}", name(id)));
        }
    }

    fn end(&mut self, melted: bool) {
        self.melted = Some(melted);
        for at in (0..self.children.len()).rev() {
            match self.children[at].state {
                State::Up => {
                    self.stop(at);
                    self.children[at].state = State::Down("stopped");
                }
                State::Wanted => self.children[at].state = State::Down("stopped"),
                State::Down(_) => {}
            }
        }
        if matches!(self.strategy, Strategy::Dynamic { .. }) {
            self.children.retain(|child| child.state == State::Down("unavailable"));
        }
    }

    fn position(&self, id: usize) -> Option<usize> {
        self.children.iter().position(|child| child.id == id)
    }
}
