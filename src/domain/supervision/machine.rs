//! The state machine of a supervisor: what happened goes in, what to do comes out.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use super::child::{Child, Origin, Status};
use super::exit::{Exit, StartError};
use super::requests::{Answer, Ticket};
use super::rules::{ChildId, Generation, Rules, Strategy};
use crate::domain::restart::{Intensity, Jitter, Window};

/// A supervisor's whole state.
#[derive(Debug, Clone)]
pub struct Supervision {
    pub(super) strategy: Strategy,
    pub(super) window: Window,
    /// In start order.
    pub(super) children: BTreeMap<Place, Child>,
    index: HashMap<ChildId, Place>,
    pub(super) phase: Phase,
    /// Places whose child became pending or doomed in this step. What a dynamic supervisor goes by: with thousands of
    /// children it must not look through all of them at every event.
    pub(super) due: Vec<Place>,
    /// The last number given to a child's place, a life or a timer: none is used twice.
    last: u64,
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

/// One step: when it happens, and what has been decided in it so far.
pub(super) struct Turn {
    pub(super) moment: Moment,
    actions: Vec<Action>,
}

impl Turn {
    pub(super) fn new(moment: Moment) -> Self {
        Self { moment, actions: Vec::new() }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn answer(&mut self, ticket: Option<Ticket>, answer: Answer) {
        self.actions.extend(ticket.map(|ticket| Action::Answer(ticket, answer)));
    }
}

impl Supervision {
    pub fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self {
            strategy,
            window: Window::new(intensity),
            children: BTreeMap::new(),
            index: HashMap::new(),
            phase: Phase::Booting,
            due: Vec::new(),
            last: 0,
        }
    }

    /// Starts the children it was given with [`Supervision::add`], in order.
    pub fn boot(&mut self, moment: Moment) -> Vec<Action> {
        self.settle(Turn::new(moment))
    }

    pub fn step(&mut self, event: Event, moment: Moment) -> Vec<Action> {
        let mut turn = Turn::new(moment);
        match event {
            Event::Started(id, generation) => self.started(&id, generation, &mut turn),
            Event::StartFailed(id, generation, error) => self.start_failed(&id, generation, error, &mut turn),
            Event::Exited(id, generation, exit) => self.exited(&id, generation, &exit, &mut turn),
            Event::TimerFired(id, timer) => self.timer_fired(&id, timer, &mut turn),
            Event::Stop => self.end(Ended::Stopped, &mut turn),
            Event::Hurry => self.hurry(&mut turn),
        }
        self.settle(turn)
    }

    /// Takes every step that is due, and ends the turn.
    pub(super) fn settle(&mut self, mut turn: Turn) -> Vec<Action> {
        self.take_turns(&mut turn);
        self.finish_if_over(&mut turn);
        turn.actions
    }

    pub(super) fn insert(&mut self, id: ChildId, rules: Rules, origin: Origin, ticket: Option<Ticket>) {
        let Generation(place) = self.fresh();
        self.index.insert(id.clone(), place);
        self.children.insert(place, Child::new(id, rules, origin, ticket));
        self.due.push(place);
    }

    pub(super) fn remove(&mut self, place: Place) {
        if let Some(child) = self.children.remove(&place) {
            self.index.remove(&child.id);
        }
    }

    /// It is to start when its turn comes.
    pub(super) fn pend(&mut self, place: Place, origin: Origin) {
        self.child(place).status = Status::Pending(origin);
        self.due.push(place);
    }

    pub(super) fn fresh(&mut self) -> Generation {
        self.last += 1;
        Generation(self.last)
    }

    pub(super) fn place(&self, id: &ChildId) -> Option<Place> {
        self.index.get(id).copied()
    }

    /// The child whose present life this is; `None` if it is an earlier one's.
    pub(super) fn place_of_life(&self, id: &ChildId, generation: Generation) -> Option<Place> {
        let place = self.place(id)?;
        (self.children[&place].generation() == Some(generation)).then_some(place)
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.children.keys().copied().collect()
    }

    pub(super) fn child(&mut self, place: Place) -> &mut Child {
        self.children.get_mut(&place).expect("a place is taken from the table and used before it changes")
    }

    pub(super) fn is_dynamic(&self) -> bool {
        matches!(self.strategy, Strategy::Dynamic { .. })
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
