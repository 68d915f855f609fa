//! How a life is ended: rung by rung, each with its time, until the child is gone or abandoned.

use std::time::Duration;

use super::child::{Down, Origin, Rung, Status, Stopping, Then};
use super::exit::StartError;
use super::machine::{Action, Ended, Place, Supervision, Turn};
use super::requests::Answer;
use super::rules::{ChildId, Generation, KILL_PATIENCE, Shutdown};

impl Supervision {
    /// Begins to end a life. From `Running` or `Starting` only.
    pub(super) fn begin_stop(&mut self, place: Place, then: Then, turn: &mut Turn) {
        let timer = self.fresh();
        let child = self.child(place);
        let Some(generation) = child.generation() else {
            return;
        };
        let rung = Rung::first(child.rules.shutdown);
        turn.act(match child.status {
            Status::Starting { .. } => Action::Cancel(child.id.clone(), generation),
            _ => rung.action(&child.id, generation),
        });
        if let Some(patience) = rung.patience(child.rules.shutdown) {
            turn.act(Action::Schedule(child.id.clone(), timer, patience));
        }
        child.status = Status::Stopping(Stopping { generation, rung, timer, then });
    }

    pub(super) fn timer_fired(&mut self, id: &ChildId, timer: Generation, turn: &mut Turn) {
        let Some(place) = self.place(id) else { return };
        match &self.child(place).status {
            Status::Waiting { timer: due } if *due == timer => self.pend(place, Origin::Restart),
            Status::Stopping(stopping) if stopping.timer == timer => {
                let stopping = stopping.clone();
                self.climb(place, stopping, turn);
            }
            // Late: what it was for is over.
            _ => {}
        }
    }

    /// The present rung did not end it in time.
    fn climb(&mut self, place: Place, stopping: Stopping, turn: &mut Turn) {
        let timer = self.fresh();
        let child = self.child(place);
        let Some(rung) = stopping.rung.next() else {
            turn.act(Action::Abandon(child.id.clone(), stopping.generation));
            child.last_failure = Some("did not die after a kill: abandoned".to_owned());
            return self.gone(place, turn);
        };
        turn.act(rung.action(&child.id, stopping.generation));
        if let Some(patience) = rung.patience(child.rules.shutdown) {
            turn.act(Action::Schedule(child.id.clone(), timer, patience));
        }
        child.status = Status::Stopping(Stopping { rung, timer, ..stopping });
    }

    /// Kills all that is left, at once and without order.
    pub(super) fn hurry(&mut self, turn: &mut Turn) {
        self.end(Ended::Stopped, turn);
        for place in self.places() {
            let timer = self.fresh();
            let child = self.child(place);
            let Some(generation) = child.generation() else {
                continue;
            };
            let then = child.doom.take().unwrap_or(Then::Down);
            child.status = Status::Stopping(Stopping { generation, rung: Rung::Kill, timer, then });
            turn.act(Action::Kill(child.id.clone(), generation));
            turn.act(Action::Schedule(child.id.clone(), timer, KILL_PATIENCE));
        }
    }

    /// A child that was being ended, or was doomed, is gone.
    pub(super) fn gone(&mut self, place: Place, turn: &mut Turn) {
        let child = self.child(place);
        let then = match (child.doom.take(), &child.status) {
            (Some(then), _) => then,
            (None, Status::Stopping(stopping)) => stopping.then,
            (None, _) => Then::Down,
        };
        for ticket in std::mem::take(&mut child.stop_tickets) {
            turn.answer(Some(ticket), Answer::Stopped);
        }
        let stopped = StartError::Transient("it was stopped while it started".to_owned());
        turn.answer(child.start_ticket.take(), Answer::StartFailed(stopped));
        match then {
            Then::Restart => self.pend(place, Origin::Restart),
            Then::Down => child.status = Status::Down(Down::Stopped),
            Then::Remove => self.remove(place),
        }
    }
}

impl Rung {
    fn first(shutdown: Shutdown) -> Self {
        match shutdown {
            Shutdown::Kill => Rung::Kill,
            Shutdown::Stop(_) | Shutdown::Infinity => Rung::Stop,
            Shutdown::Drain { .. } => Rung::Drain,
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Rung::Drain => Some(Rung::Stop),
            Rung::Stop => Some(Rung::Kill),
            Rung::Kill => None,
        }
    }

    pub(super) fn action(self, id: &ChildId, generation: Generation) -> Action {
        match self {
            Rung::Drain => Action::Drain(id.clone(), generation),
            Rung::Stop => Action::Stop(id.clone(), generation),
            Rung::Kill => Action::Kill(id.clone(), generation),
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
