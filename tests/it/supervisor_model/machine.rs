//! The pure machine in a world that does at once what it is told, against the model.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use proctor::domain::restart::{Backoff, Intensity, Jitter};
use proctor::domain::supervision::{
    Action, Answer, ChildId, Ended, Event, Exit, Generation, Moment, Refusal, Restart, Rules, Shutdown,
    StartError, Supervision, Ticket,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::history::{
    Fault, History, PERIOD, Picture, RESTARTS_MAX, Reply, STOP_PATIENCE, Step, history, name,
};
use super::model::Model;

pub fn rules(restart: Restart) -> Rules {
    Rules { restart, shutdown: Shutdown::Stop(STOP_PATIENCE), backoff: Backoff::NONE, ..Rules::WORKER }
}

/// The machine, and the children it believes to have.
struct World {
    machine: Supervision,
    now: Duration,
    living: HashMap<ChildId, Generation>,
    deaf: HashSet<ChildId>,
    faults: HashMap<ChildId, Vec<Fault>>,
    events: VecDeque<Event>,
    timers: Vec<(Duration, ChildId, Generation)>,
    /// Every event so far: repeated later, none may change anything.
    past: Vec<Event>,
    answers: Vec<Answer>,
    trace: Vec<String>,
    melted: Option<bool>,
}

impl World {
    fn boot(history: &History) -> Self {
        let intensity = Intensity { restarts: RESTARTS_MAX, period: PERIOD };
        let mut machine = Supervision::new(history.strategy, intensity);
        for (child, &restart) in history.children.iter().enumerate() {
            assert!(machine.add(name(child).into(), rules(restart)));
        }
        let faults = history.faults.iter().map(|(child, faults)| (name(*child).into(), faults.clone()));
        let mut world = Self {
            machine,
            now: Duration::ZERO,
            living: HashMap::new(),
            deaf: HashSet::new(),
            faults: faults.collect(),
            events: VecDeque::new(),
            timers: Vec::new(),
            past: Vec::new(),
            answers: Vec::new(),
            trace: Vec::new(),
            melted: None,
        };
        let actions = world.machine.boot(world.moment());
        world.carry_out(actions);
        world.run();
        world
    }

    fn take(&mut self, step: &Step) -> Option<Reply> {
        if self.melted.is_some() {
            return None;
        }
        let (ticket, moment) = (Ticket(0), self.moment());
        let asked = match step {
            &Step::Start(child, restart) => {
                Some(self.machine.start_child(name(child).into(), rules(restart), ticket, moment))
            }
            &Step::Terminate(child) => {
                Some(self.machine.terminate_child(&name(child).into(), ticket, moment))
            }
            &Step::Restart(child) => Some(self.machine.restart_child(&name(child).into(), ticket, moment)),
            &Step::Delete(child) => {
                let deleted = self.machine.delete_child(&name(child).into());
                return Some(deleted.map_or_else(|refusal| refused(&refusal), |()| Reply::Done));
            }
            &Step::Crash(child) => self.ends(child, Exit::Abnormal("crash".to_owned())),
            &Step::Kill(child) => self.ends(child, Exit::Killed),
            &Step::Finish(child) => self.ends(child, Exit::Normal),
            Step::WillFail(child, faults) => {
                self.faults.insert(name(*child).into(), faults.clone());
                None
            }
            &Step::GoDeaf(child) => {
                let id: ChildId = name(child).into();
                if self.living.contains_key(&id) {
                    self.deaf.insert(id);
                }
                None
            }
            &Step::Wait(seconds) => {
                self.pass(Duration::from_secs(seconds));
                None
            }
            Step::Stop => {
                self.events.push_back(Event::Stop);
                None
            }
        };
        let reply = match asked {
            None => None,
            Some(Err(refusal)) => Some(refused(&refusal)),
            Some(Ok(actions)) => {
                self.carry_out(actions);
                self.run();
                let answers = std::mem::take(&mut self.answers);
                assert_eq!(answers.len(), 1, "each request is answered once: {answers:?}");
                Some(match answers[0] {
                    Answer::Started | Answer::Stopped => Reply::Done,
                    Answer::StartFailed(_) => Reply::NotStarted,
                })
            }
        };
        self.run();
        reply
    }

    /// Lets a child end by itself.
    fn ends(&mut self, child: usize, exit: Exit) -> Option<Result<Vec<Action>, Refusal>> {
        let id: ChildId = name(child).into();
        if let Some(generation) = self.living.remove(&id) {
            self.deaf.remove(&id);
            self.trace.push(format!("down {id}"));
            self.events.push_back(Event::Exited(id, generation, exit));
        }
        None
    }

    /// Until nothing more happens by itself. Timers are waited for only while somebody is being stopped.
    fn run(&mut self) {
        loop {
            while let Some(event) = self.events.pop_front() {
                self.past.push(event.clone());
                let actions = self.machine.step(event, self.moment());
                self.carry_out(actions);
            }
            let is_stopping = self.machine.children().any(|child| child.status.word() == "stopping");
            match self.timers.iter().map(|timer| timer.0).min() {
                Some(due) if is_stopping => self.pass(due.saturating_sub(self.now)),
                _ => return,
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.timers.sort_by_key(|timer| timer.0);
        while self.timers.first().is_some_and(|timer| timer.0 <= self.now) {
            let (_, id, timer) = self.timers.remove(0);
            self.events.push_back(Event::TimerFired(id, timer));
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(id, generation) => self.start(id, generation),
                Action::Stop(id, generation) if self.lives(&id, generation) && !self.deaf.contains(&id) => {
                    self.die(id, generation, "stopped", Exit::Shutdown);
                }
                Action::Kill(id, generation) if self.lives(&id, generation) => {
                    self.die(id, generation, "killed", Exit::Killed);
                }
                Action::Schedule(id, timer, delay) => self.timers.push((self.now + delay, id, timer)),
                Action::Answer(_, answer) => self.answers.push(answer),
                Action::Finished(ended) => self.melted = Some(matches!(ended, Ended::Melted(_))),
                Action::Abandon(id, _) => panic!("{id} dies when it is killed"),
                Action::Stop(..) | Action::Kill(..) | Action::Drain(..) | Action::Cancel(..) => {}
                Action::Booted | Action::Restarting(..) => {}
            }
        }
    }

    fn start(&mut self, id: ChildId, generation: Generation) {
        self.trace.push(format!("start {id}"));
        let faults = self.faults.entry(id.clone()).or_default();
        self.events.push_back(if faults.is_empty() {
            assert!(self.living.insert(id.clone(), generation).is_none(), "{id} lives twice");
            Event::Started(id, generation)
        } else {
            let error = match faults.remove(0) {
                Fault::Transient => StartError::Transient("transient".to_owned()),
                Fault::Permanent => StartError::Permanent("permanent".to_owned()),
                Fault::Ignore => StartError::Ignore,
            };
            Event::StartFailed(id, generation, error)
        });
    }

    fn lives(&self, id: &ChildId, generation: Generation) -> bool {
        self.living.get(id) == Some(&generation)
    }

    fn die(&mut self, id: ChildId, generation: Generation, how: &str, exit: Exit) {
        self.living.remove(&id);
        self.deaf.remove(&id);
        self.trace.push(format!("{how} {id}"));
        self.events.push_back(Event::Exited(id, generation, exit));
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, jitter: Jitter::default() }
    }

    fn picture(&mut self, answer: Option<Reply>) -> Picture {
        let row = |child: &proctor::domain::supervision::Child| {
            (child.id.to_string(), child.status.word().to_owned())
        };
        let mut trace = std::mem::take(&mut self.trace);
        if matches!(self.machine.strategy(), proctor::domain::supervision::Strategy::Dynamic { .. })
            && self.melted.is_some()
        {
            trace.sort();
        }
        Picture { table: self.machine.children().map(row).collect(), trace, answer, melted: self.melted }
    }

    /// What is past is past: no event of an earlier life changes anything.
    fn repeat_the_past(&mut self) {
        for event in self.past.clone() {
            if matches!(event, Event::Stop) || self.is_of_now(&event) {
                continue;
            }
            let before: Vec<String> = self.machine.children().map(|child| format!("{child:?}")).collect();
            let actions = self.machine.step(event.clone(), self.moment());
            let after: Vec<String> = self.machine.children().map(|child| format!("{child:?}")).collect();
            assert_eq!(before, after, "{event:?}");
            assert!(
                actions.iter().all(|action| matches!(action, Action::Kill(..))),
                "{event:?}: {actions:?}"
            );
        }
    }

    fn is_of_now(&self, event: &Event) -> bool {
        match event {
            Event::Started(id, generation)
            | Event::StartFailed(id, generation, _)
            | Event::Exited(id, generation, _) => {
                self.machine.get(id).and_then(|child| child.generation()) == Some(*generation)
            }
            Event::TimerFired(..) | Event::Stop | Event::Hurry => false,
        }
    }
}

pub fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::AlreadyStarted(_) => Reply::AlreadyStarted,
        Refusal::AlreadyPresent(_) => Reply::AlreadyPresent,
        Refusal::NotFound(_) => Reply::NotFound,
        Refusal::AtCap { .. } => Reply::AtCap,
        Refusal::InTransition(_) | Refusal::Ending => panic!("the world is calm: {refusal}"),
    }
}

fn agrees(history: &History) -> Result<(), TestCaseError> {
    let (mut world, mut model) = (World::boot(history), Model::boot(history));
    prop_assert_eq!(world.picture(None), model.picture(None), "boot");
    for (at, step) in history.steps.iter().enumerate() {
        let (answer, expected) = (world.take(step), model.take(step));
        prop_assert_eq!(world.picture(answer), model.picture(expected), "step {}: {:?}", at, step);
    }
    world.repeat_the_past();
    Ok(())
}

#[test]
fn ten_thousand_histories_of_the_machine_agree_with_otp() {
    let mut runner =
        TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() });
    if let Err(difference) = runner.run(&history(), |history| agrees(&history)) {
        panic!("{difference}");
    }
}
