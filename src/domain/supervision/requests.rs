//! What others may ask of a supervisor. A request is refused at once with a named reason, or answered later under its
//! ticket.

use super::child::{Child, Origin, Status, Then};
use super::exit::StartError;
use super::machine::{Action, Moment, Phase, Supervision, Turn};
use super::rules::{ChildId, Restart, Rules, Strategy};

/// Numbers a request whose answer comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How a request that was not refused ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Started,
    StartFailed(StartError),
    Stopped,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("child {0} is already running")]
    AlreadyStarted(ChildId),
    /// `restart_child` starts it, `delete_child` makes room.
    #[error("child {0} is already known and down")]
    AlreadyPresent(ChildId),
    #[error("child {0} is being started, stopped or restarted")]
    InTransition(ChildId),
    #[error("there is no child {0}")]
    NotFound(ChildId),
    #[error("all {cap} places are taken; retry later")]
    AtCap { cap: usize },
    #[error("the supervisor is stopping")]
    Ending,
}

impl Supervision {
    /// Adds a child to the table before the boot. False if the name is taken.
    pub fn add(&mut self, id: ChildId, rules: Rules) -> bool {
        let is_new = self.place(&id).is_none();
        if is_new {
            self.insert(id, rules, Origin::Boot, None);
        }
        is_new
    }

    /// Adds a child and starts it; answered `Started` or `StartFailed`. If the start fails there is no such child.
    pub fn start_child(
        &mut self,
        id: ChildId,
        rules: Rules,
        ticket: Ticket,
        moment: Moment,
    ) -> Result<Vec<Action>, Refusal> {
        self.refuse_if_ending()?;
        if let Some(child) = self.get(&id) {
            return Err(match child.status {
                Status::Down(_) => Refusal::AlreadyPresent(id),
                Status::Running { .. } | Status::Starting { .. } | Status::Pending(_) => {
                    Refusal::AlreadyStarted(id)
                }
                Status::Waiting { .. } | Status::Stopping(_) => Refusal::InTransition(id),
            });
        }
        match self.strategy {
            Strategy::Dynamic { cap } if self.children.len() >= cap => return Err(Refusal::AtCap { cap }),
            Strategy::Dynamic { .. } | Strategy::OneForOne | Strategy::RestForOne | Strategy::OneForAll => {}
        }
        self.insert(id, rules, Origin::Added, Some(ticket));
        Ok(self.settle(Turn::new(moment)))
    }

    /// Starts a child that is down; answered `Started` or `StartFailed`.
    pub fn restart_child(
        &mut self,
        id: &ChildId,
        ticket: Ticket,
        moment: Moment,
    ) -> Result<Vec<Action>, Refusal> {
        self.refuse_if_ending()?;
        let place = self.place(id).ok_or_else(|| Refusal::NotFound(id.clone()))?;
        let child = self.child(place);
        match child.status {
            Status::Down(_) => {
                child.start_ticket = Some(ticket);
                self.pend(place, Origin::Asked);
                Ok(self.settle(Turn::new(moment)))
            }
            Status::Running { .. } => Err(Refusal::AlreadyStarted(id.clone())),
            Status::Pending(_) | Status::Starting { .. } | Status::Waiting { .. } | Status::Stopping(_) => {
                Err(Refusal::InTransition(id.clone()))
            }
        }
    }

    /// Stops a child, whatever it is doing; answered `Stopped`. Its row stays, unless it is temporary or dynamic.
    pub fn terminate_child(
        &mut self,
        id: &ChildId,
        ticket: Ticket,
        moment: Moment,
    ) -> Result<Vec<Action>, Refusal> {
        let place = self.place(id).ok_or_else(|| Refusal::NotFound(id.clone()))?;
        let mut turn = Turn::new(moment);
        let forgotten = self.is_dynamic();
        let child = self.child(place);
        let then = match child.rules.restart {
            Restart::Temporary => Then::Remove,
            Restart::Permanent | Restart::Transient if forgotten => Then::Remove,
            Restart::Permanent | Restart::Transient => Then::Down,
        };
        child.stop_tickets.push(ticket);
        match &mut child.status {
            Status::Down(_) | Status::Pending(_) | Status::Waiting { .. } => {
                child.doom = Some(then);
                self.gone(place, &mut turn);
            }
            Status::Stopping(stopping) => {
                stopping.then = then;
                child.doom = child.doom.map(|_| then);
            }
            // If it is doomed and its turn has not come: it must not wait for its group now.
            Status::Starting { .. } | Status::Running { .. } => {
                child.doom = None;
                self.begin_stop(place, then, &mut turn);
            }
        }
        Ok(self.settle(turn))
    }

    /// Forgets a child that is down.
    pub fn delete_child(&mut self, id: &ChildId) -> Result<(), Refusal> {
        let place = self.place(id).ok_or_else(|| Refusal::NotFound(id.clone()))?;
        match self.child(place).status {
            Status::Down(_) => {
                self.remove(place);
                Ok(())
            }
            Status::Running { .. } => Err(Refusal::AlreadyStarted(id.clone())),
            Status::Pending(_) | Status::Starting { .. } | Status::Waiting { .. } | Status::Stopping(_) => {
                Err(Refusal::InTransition(id.clone()))
            }
        }
    }

    pub fn get(&self, id: &ChildId) -> Option<&Child> {
        self.place(id).map(|place| &self.children[&place])
    }

    pub fn len(&self) -> usize {
        self.children.len()
    }

    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// In start order.
    pub fn children(&self) -> impl Iterator<Item = &Child> {
        self.children.values()
    }

    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    fn refuse_if_ending(&self) -> Result<(), Refusal> {
        match self.phase {
            Phase::Booting | Phase::Serving => Ok(()),
            Phase::Ending(_) | Phase::Finished(_) => Err(Refusal::Ending),
        }
    }
}
