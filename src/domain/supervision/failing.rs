//! What a life's beginning and end mean: up, down, or once more.

use super::child::{Down, Origin, Status};
use super::exit::{Exit, StartError};
use super::machine::{Action, Ended, Place, Supervision, Turn};
use super::requests::Answer;
use super::rules::{ChildId, Generation, Restart};

impl Supervision {
    pub(super) fn started(&mut self, id: &ChildId, generation: Generation, turn: &mut Turn) {
        let Some(place) = self.place_of_life(id, generation) else {
            // A start that was abandoned came up after all.
            return turn.act(Action::Kill(id.clone(), generation));
        };
        let child = self.child(place);
        match &child.status {
            Status::Starting { .. } => {
                child.status = Status::Running { generation, since: turn.moment.now };
                turn.answer(child.start_ticket.take(), Answer::Started);
            }
            // The start won the race against its cancellation: the rung in force goes to the living.
            Status::Stopping(stopping) => turn.act(stopping.rung.action(id, generation)),
            Status::Pending(_) | Status::Running { .. } | Status::Waiting { .. } | Status::Down(_) => {}
        }
    }

    pub(super) fn start_failed(
        &mut self,
        id: &ChildId,
        generation: Generation,
        error: StartError,
        turn: &mut Turn,
    ) {
        let Some(place) = self.place_of_life(id, generation) else {
            return;
        };
        let child = self.child(place);
        match (&child.status, child.doom) {
            (&Status::Starting { origin, .. }, None) if error != StartError::Ignore => {
                child.last_failure = Some(error.to_string());
                turn.answer(child.start_ticket.take(), Answer::StartFailed(error.clone()));
                self.not_started(place, origin, error, turn);
            }
            (Status::Starting { .. }, None) => {
                turn.answer(child.start_ticket.take(), Answer::Started);
                self.stays_down(place, Down::Ignored);
            }
            _ => self.gone(place, turn),
        }
    }

    fn not_started(&mut self, place: Place, origin: Origin, error: StartError, turn: &mut Turn) {
        let why = error.to_string();
        let is_permanent = matches!(error, StartError::Permanent(_));
        let child = self.child(place);
        match (origin, child.rules.restart) {
            (Origin::Added, _) => self.remove(place),
            (Origin::Asked, _) => child.status = Status::Down(Down::Unavailable(why)),
            (Origin::Boot | Origin::Restart, _) if is_permanent && child.rules.essential => {
                let reason = format!("{} is essential and cannot start: {why}", child.id);
                child.status = Status::Down(Down::Unavailable(why));
                self.end(Ended::Melted(reason), turn);
            }
            (Origin::Boot | Origin::Restart, Restart::Permanent | Restart::Transient) if !is_permanent => {
                self.restart(place, why, turn);
            }
            (Origin::Boot | Origin::Restart, _) => self.stays_down(place, Down::Unavailable(why)),
        }
    }

    pub(super) fn exited(&mut self, id: &ChildId, generation: Generation, exit: &Exit, turn: &mut Turn) {
        let Some(place) = self.place_of_life(id, generation) else {
            return;
        };
        let child = self.child(place);
        let (&Status::Running { since, .. }, None) = (&child.status, child.doom) else {
            // It was being stopped; or it was doomed, and has only saved the trouble.
            return self.gone(place, turn);
        };
        if exit.is_abnormal() {
            child.last_failure = Some(exit.to_string());
        }
        if turn.moment.now.saturating_sub(since) >= child.rules.backoff.steady {
            child.failures = 0;
        }
        match child.rules.restart {
            Restart::Permanent => self.restart(place, exit.to_string(), turn),
            Restart::Transient if exit.is_abnormal() => self.restart(place, exit.to_string(), turn),
            Restart::Transient | Restart::Temporary => self.stays_down(place, Down::Done),
        }
    }

    /// Nothing follows. The row of a temporary or dynamic child goes with it.
    fn stays_down(&mut self, place: Place, down: Down) {
        let forgotten = self.is_dynamic();
        let child = self.child(place);
        match child.rules.restart {
            Restart::Temporary => self.remove(place),
            Restart::Permanent | Restart::Transient if forgotten => self.remove(place),
            Restart::Permanent | Restart::Transient => child.status = Status::Down(down),
        }
    }

    /// A child failed: restart it, and whom its end takes down, or give up.
    fn restart(&mut self, place: Place, why: String, turn: &mut Turn) {
        let timer = self.fresh();
        let is_within = self.window.record(turn.moment.now);
        let child = self.child(place);
        if !is_within {
            let reason = format!("too many restarts: {} failed last: {why}", child.id);
            child.status = Status::Down(Down::Unavailable(why));
            return self.end(Ended::Melted(reason), turn);
        }
        let delay = child.rules.backoff.delay(child.failures, turn.moment.jitter);
        child.restarts += 1;
        child.failures = child.failures.saturating_add(1);
        turn.act(Action::Restarting(child.id.clone(), why));
        if delay.is_zero() {
            self.pend(place, Origin::Restart);
        } else {
            child.status = Status::Waiting { timer };
            turn.act(Action::Schedule(child.id.clone(), timer, delay));
        }
        self.doom_group(place, turn);
    }
}
