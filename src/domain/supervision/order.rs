//! Whose turn it is: children start in order and stop in reverse, one after the other, and nobody starts while a group
//! is still being stopped. Called after every event; what it finds is derived from the table alone.

use super::child::{Origin, Status, Then};
use super::machine::{Action, Ended, Phase, Place, Supervision, Turn};
use super::rules::Strategy;

impl Supervision {
    /// Takes every step that is due.
    pub(super) fn take_turns(&mut self, turn: &mut Turn) {
        let due = std::mem::take(&mut self.due);
        let is_up = match self.strategy {
            Strategy::Dynamic { .. } => self.take_all(due, turn),
            Strategy::OneForOne | Strategy::RestForOne | Strategy::OneForAll => {
                !self.stop_last_doomed(turn) && self.start_in_turn(turn)
            }
        };
        if is_up && self.phase == Phase::Booting {
            self.phase = Phase::Serving;
            turn.act(Action::Booted);
        }
    }

    pub(super) fn finish_if_over(&mut self, turn: &mut Turn) {
        let Phase::Ending(ended) = &self.phase else { return };
        if self.children.values().all(|child| matches!(child.status, Status::Down(_))) {
            let ended = ended.clone();
            turn.act(Action::Finished(ended.clone()));
            self.phase = Phase::Finished(ended);
        }
    }

    /// Who goes down when the child at `failed` does.
    pub(super) fn doom_group(&mut self, failed: Place, turn: &mut Turn) {
        let group: Vec<Place> = match self.strategy {
            Strategy::OneForOne | Strategy::Dynamic { .. } => Vec::new(),
            Strategy::RestForOne => self.children.range(failed + 1..).map(|(&place, _)| place).collect(),
            Strategy::OneForAll => self.places().into_iter().filter(|&place| place != failed).collect(),
        };
        for place in group {
            let child = self.child(place);
            // Who does not live yet waits for its turn as before, and for its backoff.
            if child.generation().is_some() {
                let then = child.after_group_stop();
                self.doom(place, then, turn);
            }
        }
    }

    /// Stops everything and ends. The first reason stays.
    pub(super) fn end(&mut self, ended: Ended, turn: &mut Turn) {
        match self.phase {
            Phase::Booting | Phase::Serving => self.phase = Phase::Ending(ended),
            Phase::Ending(_) | Phase::Finished(_) => return,
        }
        let then = if self.is_dynamic() { Then::Remove } else { Then::Down };
        for place in self.places() {
            self.doom(place, then, turn);
        }
    }

    fn doom(&mut self, place: Place, then: Then, turn: &mut Turn) {
        let child = self.child(place);
        match &child.status {
            Status::Down(_) => {}
            // An end that somebody asked for is not turned into a restart by a sibling's crash.
            Status::Stopping(_) if then == Then::Restart => {}
            Status::Starting { .. } | Status::Running { .. } | Status::Stopping(_) => {
                child.doom = Some(then);
                self.due.push(place);
            }
            Status::Pending(_) | Status::Waiting { .. } => {
                child.doom = Some(then);
                self.gone(place, turn);
            }
        }
    }

    /// Stops the last doomed child, or waits for its end; false if there is none.
    fn stop_last_doomed(&mut self, turn: &mut Turn) -> bool {
        let last =
            self.children.iter().rev().find_map(|(&place, child)| child.doom.map(|then| (place, then)));
        let Some((place, then)) = last else { return false };
        if !matches!(self.child(place).status, Status::Stopping(_)) {
            self.begin_stop(place, then, turn);
        }
        true
    }

    /// Starts those whose turn it is; true if nobody is held back by one before.
    fn start_in_turn(&mut self, turn: &mut Turn) -> bool {
        if !matches!(self.phase, Phase::Booting | Phase::Serving) {
            return false;
        }
        for place in self.places() {
            self.begin_start_if_pending(place, turn);
            if self.holds_back_later_ones(place) {
                return false;
            }
        }
        true
    }

    /// A child that is not up yet holds back those after it, if they depend on it. Among independent ones only a first
    /// start does, so that they come up in order; who fails again and again is no other's business.
    fn holds_back_later_ones(&self, place: Place) -> bool {
        let status = &self.children[&place].status;
        match self.strategy {
            Strategy::OneForOne => matches!(status, Status::Starting { origin: Origin::Boot, .. }),
            Strategy::RestForOne | Strategy::OneForAll => {
                matches!(status, Status::Starting { .. } | Status::Waiting { .. })
            }
            Strategy::Dynamic { .. } => false,
        }
    }

    fn begin_start_if_pending(&mut self, place: Place, turn: &mut Turn) {
        let Status::Pending(origin) = self.child(place).status else {
            return;
        };
        let generation = self.fresh();
        let child = self.child(place);
        child.status = Status::Starting { generation, origin };
        turn.act(Action::Start(child.id.clone(), generation));
    }

    /// A dynamic supervisor's children have no order: all that is due happens at once.
    fn take_all(&mut self, due: Vec<Place>, turn: &mut Turn) -> bool {
        for place in due {
            match self.children.get(&place).map(|child| (child.doom, &child.status)) {
                Some((Some(then), Status::Starting { .. } | Status::Running { .. })) => {
                    self.begin_stop(place, then, turn);
                }
                Some((None, Status::Pending(_))) => self.begin_start_if_pending(place, turn),
                _ => {}
            }
        }
        true
    }
}
