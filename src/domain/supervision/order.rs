//! Whose turn it is: children start in order and stop in reverse, one after the other, and nobody starts while a group
//! is still being stopped. Called after every event; what it finds is derived from the table alone.

use super::child::{Down, Origin, Status, Then};
use super::machine::{Action, Ended, Moment, Phase, Place, Supervision};
use super::rules::Strategy;

impl Supervision {
    /// Takes every step that is due.
    pub(super) fn settle(&mut self, _moment: Moment, mut actions: Vec<Action>) -> Vec<Action> {
        if self.is_dynamic() {
            self.settle_unordered(&mut actions);
        } else if !self.stop_next_doomed(&mut actions) {
            self.start_in_turn(&mut actions);
        }
        self.finish_if_over(&mut actions);
        actions
    }

    /// Who goes down when the child at `failed` does.
    pub(super) fn doom_group(&mut self, failed: Place, actions: &mut Vec<Action>) {
        let group: Vec<Place> = match self.strategy {
            Strategy::OneForOne | Strategy::Dynamic { .. } => Vec::new(),
            Strategy::RestForOne => self
                .children
                .range(failed + 1..)
                .map(|(&place, _)| place)
                .collect(),
            Strategy::OneForAll => self
                .places()
                .into_iter()
                .filter(|&place| place != failed)
                .collect(),
        };
        for place in group {
            let then = self.child(place).after_group_stop();
            self.doom(place, then, actions);
        }
    }

    /// Stops everything and ends. The first reason stays.
    pub(super) fn end(&mut self, ended: Ended, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Booting | Phase::Serving => self.phase = Phase::Ending(ended),
            Phase::Ending(_) | Phase::Finished(_) => return,
        }
        for place in self.places() {
            self.doom(place, Then::Down, actions);
        }
    }

    fn doom(&mut self, place: Place, then: Then, actions: &mut Vec<Action>) {
        let child = self.child(place);
        match &mut child.status {
            Status::Starting { .. } | Status::Running { .. } | Status::Stopping(_) => {
                // An end that somebody asked for is not turned into a restart by a sibling's crash.
                if !matches!(&child.status, Status::Stopping(_)) || then != Then::Restart {
                    child.doom = Some(then);
                }
            }
            Status::Pending(_) | Status::Waiting { .. } => {
                child.doom = Some(then);
                self.gone(place, actions);
            }
            Status::Down(_) => {}
        }
    }

    /// Stops the last doomed child; true while there is one.
    fn stop_next_doomed(&mut self, actions: &mut Vec<Action>) -> bool {
        let last = self
            .children
            .iter()
            .rev()
            .find_map(|(&place, child)| child.doom.map(|then| (place, then)));
        let Some((place, then)) = last else { return false };
        if !matches!(self.child(place).status, Status::Stopping(_)) {
            self.begin_stop(place, then, actions);
        }
        true
    }

    fn start_in_turn(&mut self, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Booting | Phase::Serving) {
            return;
        }
        for place in self.places() {
            if let Status::Pending(origin) = self.child(place).status {
                self.begin_start(place, origin, actions);
            }
            if self.blocks_later_ones(place) {
                return;
            }
        }
        if self.phase == Phase::Booting {
            self.phase = Phase::Serving;
            actions.push(Action::Booted);
        }
    }

    /// Whether a child that is not up yet holds back those after it: always where they depend on it; among
    /// independent ones only its first start, so that they come up in order.
    fn blocks_later_ones(&self, place: Place) -> bool {
        match (self.strategy, &self.children[&place].status) {
            (
                Strategy::OneForOne,
                Status::Starting {
                    origin: Origin::Boot, ..
                },
            ) => true,
            (
                Strategy::RestForOne | Strategy::OneForAll,
                Status::Starting { .. } | Status::Waiting { .. },
            ) => true,
            (
                _,
                Status::Starting { .. }
                | Status::Waiting { .. }
                | Status::Pending(_)
                | Status::Running { .. }
                | Status::Stopping(_)
                | Status::Down(_),
            ) => false,
        }
    }

    fn begin_start(&mut self, place: Place, origin: Origin, actions: &mut Vec<Action>) {
        let generation = self.fresh();
        let child = self.child(place);
        child.status = Status::Starting { generation, origin };
        actions.push(Action::Start(child.id.clone(), generation));
    }

    /// A dynamic supervisor's children have no order: all that is due happens at once.
    fn settle_unordered(&mut self, actions: &mut Vec<Action>) {
        for place in self.places() {
            let child = self.child(place);
            match (child.doom, &child.status) {
                (Some(then), Status::Starting { .. } | Status::Running { .. }) => {
                    self.begin_stop(place, then, actions);
                }
                (None, &Status::Pending(origin)) => self.begin_start(place, origin, actions),
                _ => {}
            }
        }
        if self.phase == Phase::Booting {
            self.phase = Phase::Serving;
            actions.push(Action::Booted);
        }
    }

    fn finish_if_over(&mut self, actions: &mut Vec<Action>) {
        let Phase::Ending(ended) = &self.phase else { return };
        let over = self
            .children
            .values()
            .all(|child| matches!(child.status, Status::Down(_)));
        if over {
            let ended = ended.clone();
            actions.push(Action::Finished(ended.clone()));
            self.phase = Phase::Finished(ended);
        }
    }
}

impl Down {
    /// The reason to show, if there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Down::Unavailable(why) => Some(why),
            Down::Done | Down::Ignored | Down::Stopped => None,
        }
    }
}
