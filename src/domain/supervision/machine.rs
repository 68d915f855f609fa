//! The state machine of a supervisor: what happened goes in, what to do comes out.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use super::child::{Child, Down, Origin, Rung, Status, Stopping, Then};
use super::exit::{Exit, StartError};
use super::requests::{Answer, Ticket};
use super::rules::{ChildId, Generation, KILL_PATIENCE, Restart, Rules, Shutdown, Strategy};
use crate::domain::restart::{Intensity, Jitter, Window};

/// A supervisor's whole state.
#[derive(Debug, Clone)]
pub struct Supervision {
    pub(super) strategy: Strategy,
    window: Window,
    /// In start order.
    pub(super) children: BTreeMap<Place, Child>,
    index: HashMap<ChildId, Place>,
    pub(super) phase: Phase,
    /// The next number for a child's place, a life or a timer: never used twice.
    next: u64,
}

/// A child's place in the start order.
pub(super) type Place = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The children start for the first time, in order.
    Booting,
    Serving,
    /// All are being stopped, in reverse.
    Ending(Ended),
    Finished(Ended),
}

/// How a supervisor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Stopped,
    /// It gave up: more restarts than its intensity allows, or an essential child that cannot start.
    Melted(String),
}

/// What happened. An event that carries the number of an earlier life or timer changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Started(ChildId, Generation),
    StartFailed(ChildId, Generation, StartError),
    Exited(ChildId, Generation, Exit),
    TimerFired(ChildId, Generation),
    /// Stop all children in reverse, then end.
    Stop,
    /// The time for stopping is over: kill what is left.
    Hurry,
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin this life; report `Started` or `StartFailed`, and after `Started` one `Exited`.
    Start(ChildId, Generation),
    /// Give up a start; it still reports `Started` or `StartFailed`.
    Cancel(ChildId, Generation),
    Drain(ChildId, Generation),
    Stop(ChildId, Generation),
    Kill(ChildId, Generation),
    /// It did not die: forget it, and say so.
    Abandon(ChildId, Generation),
    /// Report `TimerFired` with this number after the delay. It replaces the child's earlier timer.
    Schedule(ChildId, Generation, Duration),
    Answer(Ticket, Answer),
    /// All children have been started for the first time.
    Booted,
    /// A child failed and will be restarted: for the log and the counters.
    Restarting(ChildId, String),
    /// Nothing runs any more: end. `Melted` escalates to the parent.
    Finished(Ended),
}

/// What the machine cannot know by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// Monotonic time since any fixed moment.
    pub now: Duration,
    pub jitter: Jitter,
}

impl Supervision {
    pub fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self {
            strategy,
            window: Window::new(intensity),
            children: BTreeMap::new(),
            index: HashMap::new(),
            phase: Phase::Booting,
            next: 0,
        }
    }

    /// Starts the children it was given with [`Supervision::add`], in order.
    pub fn boot(&mut self, moment: Moment) -> Vec<Action> {
        self.settle(moment, Vec::new())
    }

    pub fn step(&mut self, event: Event, moment: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Started(id, generation) => self.started(&id, generation, moment, &mut actions),
            Event::StartFailed(id, generation, error) => {
                self.start_failed(&id, generation, error, moment, &mut actions);
            }
            Event::Exited(id, generation, exit) => self.exited(&id, generation, &exit, moment, &mut actions),
            Event::TimerFired(id, timer) => self.timer_fired(&id, timer, &mut actions),
            Event::Stop => self.end(Ended::Stopped, &mut actions),
            Event::Hurry => self.hurry(&mut actions),
        }
        self.settle(moment, actions)
    }

    fn started(&mut self, id: &ChildId, generation: Generation, moment: Moment, actions: &mut Vec<Action>) {
        let Some(place) = self.place_of_life(id, generation) else {
            // An abandoned start came up after all.
            actions.push(Action::Kill(id.clone(), generation));
            return;
        };
        let child = self.child(place);
        match &child.status {
            Status::Starting { .. } => {
                child.status = Status::Running {
                    generation,
                    since: moment.now,
                };
                answer(child.start_ticket.take(), Answer::Started, actions);
            }
            // The start won the race against its cancellation: the rung in force goes to the living.
            Status::Stopping(stopping) => actions.push(stopping.rung.action(id, generation)),
            Status::Pending(_) | Status::Running { .. } | Status::Waiting { .. } | Status::Down(_) => {}
        }
    }

    fn start_failed(
        &mut self,
        id: &ChildId,
        generation: Generation,
        error: StartError,
        moment: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(place) = self.place_of_life(id, generation) else {
            return;
        };
        let child = self.child(place);
        let Status::Starting { origin, .. } = child.status else {
            self.gone(place, actions);
            return;
        };
        if child.doom.is_some() {
            self.gone(place, actions);
        } else if error == StartError::Ignore {
            self.ignored(place, actions);
        } else {
            child.last_failure = Some(error.to_string());
            self.not_started(place, origin, error, moment, actions);
        }
    }

    fn ignored(&mut self, place: Place, actions: &mut Vec<Action>) {
        let forgotten = self.is_dynamic();
        let child = self.child(place);
        answer(child.start_ticket.take(), Answer::Started, actions);
        match child.rules.restart {
            Restart::Temporary => self.remove(place),
            Restart::Permanent | Restart::Transient if forgotten => self.remove(place),
            Restart::Permanent | Restart::Transient => child.status = Status::Down(Down::Ignored),
        }
    }

    fn not_started(
        &mut self,
        place: Place,
        origin: Origin,
        error: StartError,
        moment: Moment,
        actions: &mut Vec<Action>,
    ) {
        let child = self.child(place);
        let essential = child.rules.essential;
        let permanent = matches!(error, StartError::Permanent(_));
        let why = error.to_string();
        answer(child.start_ticket.take(), Answer::StartFailed(error), actions);
        match origin {
            Origin::Added => self.remove(place),
            Origin::Asked => child.status = Status::Down(Down::Unavailable(why)),
            Origin::Boot | Origin::Restart if permanent && essential => {
                let reason = format!("{} is essential and cannot start: {why}", child.id);
                child.status = Status::Down(Down::Unavailable(why));
                self.end(Ended::Melted(reason), actions);
            }
            Origin::Boot | Origin::Restart => match child.rules.restart {
                Restart::Temporary => self.remove(place),
                Restart::Permanent | Restart::Transient if permanent => {
                    child.status = Status::Down(Down::Unavailable(why));
                }
                Restart::Permanent | Restart::Transient => self.restart(place, why, moment, actions),
            },
        }
    }

    fn exited(
        &mut self,
        id: &ChildId,
        generation: Generation,
        exit: &Exit,
        moment: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(place) = self.place_of_life(id, generation) else {
            return;
        };
        let forgotten = self.is_dynamic();
        let child = self.child(place);
        // A doomed sibling that ends by itself before its turn has only saved the trouble.
        let Status::Running { since, .. } = child.status else {
            return self.gone(place, actions);
        };
        if child.doom.is_some() {
            return self.gone(place, actions);
        }
        if exit.is_abnormal() {
            child.last_failure = Some(exit.to_string());
        }
        if moment.now.saturating_sub(since) >= child.rules.backoff.steady {
            child.failures = 0;
        }
        match child.rules.restart {
            Restart::Permanent => self.restart(place, exit.to_string(), moment, actions),
            Restart::Transient if exit.is_abnormal() => {
                self.restart(place, exit.to_string(), moment, actions)
            }
            Restart::Transient if !forgotten => child.status = Status::Down(Down::Done),
            Restart::Transient | Restart::Temporary => self.remove(place),
        }
    }

    /// A child failed: restart it, and whom its end takes down, or give up.
    fn restart(&mut self, place: Place, why: String, moment: Moment, actions: &mut Vec<Action>) {
        let timer = self.fresh();
        let within = self.window.record(moment.now);
        let child = self.child(place);
        if !within {
            let reason = format!("too many restarts: {} failed last: {why}", child.id);
            child.status = Status::Down(Down::Unavailable(why));
            return self.end(Ended::Melted(reason), actions);
        }
        let delay = child.rules.backoff.delay(child.failures, moment.jitter);
        child.restarts += 1;
        child.failures = child.failures.saturating_add(1);
        actions.push(Action::Restarting(child.id.clone(), why));
        if delay.is_zero() {
            child.status = Status::Pending(Origin::Restart);
        } else {
            child.status = Status::Waiting { timer };
            actions.push(Action::Schedule(child.id.clone(), timer, delay));
        }
        self.doom_group(place, actions);
    }

    fn timer_fired(&mut self, id: &ChildId, timer: Generation, actions: &mut Vec<Action>) {
        let Some(&place) = self.index.get(id) else { return };
        let next = self.fresh();
        let child = self.child(place);
        let shutdown = child.rules.shutdown;
        match &mut child.status {
            Status::Waiting { timer: due } if *due == timer => {
                child.status = Status::Pending(Origin::Restart)
            }
            Status::Stopping(stopping) if stopping.timer == timer => match stopping.rung.next() {
                Some(rung) => {
                    stopping.climb(rung, next);
                    actions.push(rung.action(id, stopping.generation));
                    actions.extend(schedule(id, next, rung.patience(shutdown)));
                }
                None => {
                    actions.push(Action::Abandon(id.clone(), stopping.generation));
                    child.last_failure = Some("did not die after a kill: abandoned".to_owned());
                    self.gone(place, actions);
                }
            },
            // Late: what it was for is over.
            _ => {}
        }
    }

    fn hurry(&mut self, actions: &mut Vec<Action>) {
        self.end(Ended::Stopped, actions);
        for place in self.places() {
            let timer = self.fresh();
            let child = self.child(place);
            let Some(generation) = child.generation() else {
                continue;
            };
            let then = child.doom.take().unwrap_or(Then::Down);
            child.status = Status::Stopping(Stopping {
                generation,
                rung: Rung::Kill,
                timer,
                then,
            });
            actions.push(Action::Kill(child.id.clone(), generation));
            actions.push(Action::Schedule(child.id.clone(), timer, KILL_PATIENCE));
        }
    }

    /// Begins to end a life. From `Running` or `Starting` only.
    pub(super) fn begin_stop(&mut self, place: Place, then: Then, actions: &mut Vec<Action>) {
        let timer = self.fresh();
        let child = self.child(place);
        let Some(generation) = child.generation() else {
            return;
        };
        let rung = child.rules.shutdown.first_rung();
        let is_starting = matches!(child.status, Status::Starting { .. });
        child.status = Status::Stopping(Stopping {
            generation,
            rung,
            timer,
            then,
        });
        actions.push(match is_starting {
            true => Action::Cancel(child.id.clone(), generation),
            false => rung.action(&child.id, generation),
        });
        actions.extend(schedule(&child.id, timer, rung.patience(child.rules.shutdown)));
    }

    /// A child that was being ended, or was doomed, is gone.
    pub(super) fn gone(&mut self, place: Place, actions: &mut Vec<Action>) {
        let child = self.child(place);
        let then = match (child.doom.take(), &child.status) {
            (Some(then), _) => then,
            (None, Status::Stopping(stopping)) => stopping.then,
            (None, _) => Then::Down,
        };
        for ticket in std::mem::take(&mut child.stop_tickets) {
            actions.push(Action::Answer(ticket, Answer::Stopped));
        }
        let stopped = StartError::Transient("it was stopped while it started".to_owned());
        answer(child.start_ticket.take(), Answer::StartFailed(stopped), actions);
        match then {
            Then::Restart => child.status = Status::Pending(Origin::Restart),
            Then::Down => child.status = Status::Down(Down::Stopped),
            Then::Remove => self.remove(place),
        }
    }

    pub(super) fn insert(&mut self, id: ChildId, rules: Rules, origin: Origin, ticket: Option<Ticket>) {
        let Generation(place) = self.fresh();
        self.index.insert(id.clone(), place);
        self.children.insert(place, Child::new(id, rules, origin, ticket));
    }

    pub(super) fn remove(&mut self, place: Place) {
        if let Some(child) = self.children.remove(&place) {
            self.index.remove(&child.id);
        }
    }

    pub(super) fn fresh(&mut self) -> Generation {
        self.next += 1;
        Generation(self.next)
    }

    pub(super) fn place(&self, id: &ChildId) -> Option<Place> {
        self.index.get(id).copied()
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.children.keys().copied().collect()
    }

    pub(super) fn child(&mut self, place: Place) -> &mut Child {
        self.children
            .get_mut(&place)
            .expect("a place is taken from the table and used before it changes")
    }

    pub(super) fn is_dynamic(&self) -> bool {
        matches!(self.strategy, Strategy::Dynamic { .. })
    }

    fn place_of_life(&self, id: &ChildId, generation: Generation) -> Option<Place> {
        let place = self.place(id)?;
        (self.children[&place].generation() == Some(generation)).then_some(place)
    }
}

impl Rung {
    fn action(self, id: &ChildId, generation: Generation) -> Action {
        match self {
            Rung::Drain => Action::Drain(id.clone(), generation),
            Rung::Stop => Action::Stop(id.clone(), generation),
            Rung::Kill => Action::Kill(id.clone(), generation),
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Rung::Drain => Some(Rung::Stop),
            Rung::Stop => Some(Rung::Kill),
            Rung::Kill => None,
        }
    }

    /// How long this rung may take; `None` is without an end.
    fn patience(self, shutdown: Shutdown) -> Option<Duration> {
        match (self, shutdown) {
            (Rung::Kill, _) => Some(KILL_PATIENCE),
            (Rung::Drain, Shutdown::Drain { drain, .. }) => Some(drain),
            (Rung::Stop, Shutdown::Drain { stop, .. } | Shutdown::Stop(stop)) => Some(stop),
            (Rung::Drain | Rung::Stop, Shutdown::Infinity | Shutdown::Kill | Shutdown::Stop(_)) => None,
        }
    }
}

impl Shutdown {
    fn first_rung(self) -> Rung {
        match self {
            Shutdown::Kill => Rung::Kill,
            Shutdown::Stop(_) | Shutdown::Infinity => Rung::Stop,
            Shutdown::Drain { .. } => Rung::Drain,
        }
    }
}

impl Stopping {
    fn climb(&mut self, rung: Rung, timer: Generation) {
        self.rung = rung;
        self.timer = timer;
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Stopped => f.write_str("stopped"),
            Ended::Melted(why) => write!(f, "melted: {why}"),
        }
    }
}

fn schedule(id: &ChildId, timer: Generation, delay: Option<Duration>) -> Option<Action> {
    delay.map(|delay| Action::Schedule(id.clone(), timer, delay))
}

pub(super) fn answer(ticket: Option<Ticket>, answer: Answer, actions: &mut Vec<Action>) {
    actions.extend(ticket.map(|ticket| Action::Answer(ticket, answer)));
}
