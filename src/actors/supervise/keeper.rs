//! The actor behind a supervisor: feeds events to the pure machine and carries out its actions. It owns the wardens
//! and timers of its children (their tasks end with it) and nothing else.
//!
//! Spoken to by: handles (requests), wardens and timers (events). Its death kills its children through ractor's links.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handle::{ChildError, Shared};
use super::life::{Life, Parent, Start};
use super::spec::ChildSpec;
use crate::actors::mailbox::{Address, Lane, Message, Reply};
use crate::actors::server::{Context, Server, Stop};
use crate::domain::restart::Jitter;
use crate::domain::supervision::{
    Action, Answer, ChildId, Ended, Event, Generation, Moment, Refusal, StartError, Supervision, Ticket,
};

/// What a keeper is sent.
pub(crate) enum Command {
    StartChild {
        spec: ChildSpec,
        reply: Reply<Result<(), ChildError>>,
    },
    RestartChild {
        id: ChildId,
        reply: Reply<Result<(), ChildError>>,
    },
    TerminateChild {
        id: ChildId,
        reply: Reply<Result<(), ChildError>>,
    },
    DeleteChild {
        id: ChildId,
        reply: Reply<Result<(), ChildError>>,
    },
    /// Say that you are there.
    Answer {
        reply: Reply<()>,
    },
    /// A warden's child lives.
    Born {
        id: ChildId,
        generation: Generation,
        life: Arc<dyn Life>,
    },
    Event(Event),
}

impl Message for Command {
    fn lane(&self) -> Lane {
        match self {
            Command::StartChild { .. }
            | Command::RestartChild { .. }
            | Command::DeleteChild { .. }
            | Command::Answer { .. } => Lane::Data,
            // Ending something is never behind starting something.
            Command::TerminateChild { .. } | Command::Born { .. } | Command::Event(_) => Lane::Control,
        }
    }
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    starts: HashMap<ChildId, Start>,
    wardens: HashMap<Generation, Warden>,
    timers: HashMap<ChildId, (Generation, AbortHandle)>,
    waiting: HashMap<Ticket, Reply<Result<(), ChildError>>>,
    tickets: u64,
    tasks: JoinSet<()>,
    born: Instant,
    random: RandomState,
    ended: Option<Ended>,
}

/// The task that starts one life of a child and waits for its end.
struct Warden {
    cancel: CancellationToken,
    task: AbortHandle,
}

impl Server for Keeper {
    const NAME: &'static str = "supervisor";
    /// Requests that wait: each is answered after a child's start at the latest, so many may be open at once, but they
    /// are taken from the mailbox in microseconds.
    const MAILBOX_LIMIT: usize = 1_024;
    type Message = Command;
    type Arguments = (Arc<Shared>, Vec<ChildSpec>);

    async fn init(
        (shared, children): Self::Arguments,
        context: &Context<Command>,
    ) -> Result<Self, StartError> {
        let mut keeper = Self {
            shared,
            starts: HashMap::new(),
            wardens: HashMap::new(),
            timers: HashMap::new(),
            waiting: HashMap::new(),
            tickets: 0,
            tasks: JoinSet::new(),
            born: Instant::now(),
            random: RandomState::new(),
            ended: None,
        };
        for child in children {
            if !keeper.shared.table().machine.add(child.id.clone(), child.rules) {
                return Err(StartError::Permanent(format!("two children are named {}", child.id)));
            }
            keeper.starts.insert(child.id, child.start);
        }
        let actions = keeper.decide(|machine, moment| machine.boot(moment));
        keeper.carry_out(actions, context);
        Ok(keeper)
    }

    async fn handle(&mut self, command: Command, context: &Context<Command>) -> Result<(), Stop> {
        while self.tasks.try_join_next().is_some() {}
        match command {
            Command::StartChild { spec, reply } => self.start_child(spec, reply, context),
            Command::RestartChild { id, reply } => {
                self.request(reply, context, |machine, ticket, moment| {
                    machine.restart_child(&id, ticket, moment)
                });
            }
            Command::TerminateChild { id, reply } => {
                self.request(reply, context, |machine, ticket, moment| {
                    machine.terminate_child(&id, ticket, moment)
                });
                self.tidy_up(&id);
            }
            Command::DeleteChild { id, reply } => {
                let deleted = self.shared.table().machine.delete_child(&id);
                self.tidy_up(&id);
                reply.send(deleted.map_err(ChildError::from));
            }
            Command::Answer { reply } => reply.send(()),
            Command::Born { id, generation, life } => self.born(id, generation, life, context),
            Command::Event(event) => self.event(event, context),
        }
        match self.ended.take() {
            None => Ok(()),
            Some(Ended::Stopped) => Err(Stop::Normal),
            Some(Ended::Melted(why)) => Err(Stop::Abnormal(why)),
        }
    }
}

impl Keeper {
    fn start_child(
        &mut self,
        spec: ChildSpec,
        reply: Reply<Result<(), ChildError>>,
        context: &Context<Command>,
    ) {
        let ChildSpec { id, rules, start } = spec;
        // A known child keeps its own start; for a new one the machine will say `Start` in this very step.
        let known = self.starts.contains_key(&id);
        if !known {
            self.starts.insert(id.clone(), start);
        }
        let name = id.clone();
        self.request(reply, context, |machine, ticket, moment| {
            machine.start_child(name, rules, ticket, moment)
        });
        self.tidy_up(&id);
    }

    fn born(&mut self, id: ChildId, generation: Generation, life: Arc<dyn Life>, context: &Context<Command>) {
        self.shared.table().lives.insert(generation, life);
        self.event(Event::Started(id, generation), context);
    }

    fn event(&mut self, event: Event, context: &Context<Command>) {
        let subject = match &event {
            Event::StartFailed(id, generation, _) | Event::Exited(id, generation, _) => {
                self.wardens.remove(generation);
                self.shared.table().lives.remove(generation);
                Some(id.clone())
            }
            Event::Started(id, _) | Event::TimerFired(id, _) => Some(id.clone()),
            Event::Stop | Event::Hurry => None,
        };
        let actions = self.decide(|machine, moment| machine.step(event, moment));
        self.carry_out(actions, context);
        if let Some(id) = subject {
            self.tidy_up(&id);
        }
    }

    fn request(
        &mut self,
        reply: Reply<Result<(), ChildError>>,
        context: &Context<Command>,
        decide: impl FnOnce(&mut Supervision, Ticket, Moment) -> Result<Vec<Action>, Refusal>,
    ) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        match self.decide(|machine, moment| decide(machine, ticket, moment)) {
            Ok(actions) => {
                self.waiting.insert(ticket, reply);
                self.carry_out(actions, context);
            }
            Err(refusal) => reply.send(Err(refusal.into())),
        }
    }

    fn decide<T>(&self, decision: impl FnOnce(&mut Supervision, Moment) -> T) -> T {
        let now = self.born.elapsed();
        let jitter = Jitter(self.random.hash_one(now).to_be_bytes()[0]);
        decision(&mut self.shared.table().machine, Moment { now, jitter })
    }

    fn carry_out(&mut self, actions: Vec<Action>, context: &Context<Command>) {
        for action in actions {
            match action {
                Action::Start(id, generation) => self.start(id, generation, context),
                Action::Cancel(_, generation) => self.cancel(generation),
                Action::Drain(_, generation) => self.with_life(generation, |life| life.drain()),
                Action::Stop(_, generation) => self.with_life(generation, |life| life.stop()),
                Action::Kill(_, generation) => {
                    self.cancel(generation);
                    self.with_life(generation, |life| life.kill());
                }
                Action::Abandon(id, generation) => self.abandon(&id, generation),
                Action::Schedule(id, timer, delay) => self.schedule(id, timer, delay, context),
                Action::Answer(ticket, answer) => self.answer(ticket, answer),
                Action::Booted => self.shared.booted.cancel(),
                Action::Restarting(id, why) => self.report_restart(&id, &why),
                Action::Finished(ended) => {
                    self.shared.ended.get_or_init(|| ended.clone());
                    self.ended = Some(ended);
                }
            }
        }
    }

    fn start(&mut self, id: ChildId, generation: Generation, context: &Context<Command>) {
        let start = Arc::clone(self.starts.get(&id).expect("every child in the machine has a start"));
        let cancel = CancellationToken::new();
        let parent = Parent { cell: context.cell().clone(), cancel: cancel.clone() };
        let task = self.tasks.spawn(watch_over(start, parent, id, generation, context.address().clone()));
        self.wardens.insert(generation, Warden { cancel, task });
    }

    fn cancel(&self, generation: Generation) {
        if let Some(warden) = self.wardens.get(&generation) {
            warden.cancel.cancel();
        }
    }

    fn with_life(&self, generation: Generation, act: impl FnOnce(&dyn Life)) {
        let life = self.shared.table().lives.get(&generation).map(Arc::clone);
        if let Some(life) = life {
            act(&*life);
        }
    }

    fn abandon(&mut self, id: &ChildId, generation: Generation) {
        tracing::error!(supervisor = %self.shared.name(), child = %id, "did not die after a kill: abandoned, its thread is stuck");
        self.shared.table().lives.remove(&generation);
        if let Some(warden) = self.wardens.remove(&generation) {
            warden.task.abort();
        }
    }

    fn schedule(
        &mut self,
        id: ChildId,
        timer: Generation,
        delay: std::time::Duration,
        context: &Context<Command>,
    ) {
        let keeper = context.address().clone();
        let subject = id.clone();
        let task = self.tasks.spawn(async move {
            tokio::time::sleep(delay).await;
            report(&keeper, Command::Event(Event::TimerFired(subject, timer)));
        });
        if let Some((_, earlier)) = self.timers.insert(id, (timer, task)) {
            earlier.abort();
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        let Some(reply) = self.waiting.remove(&ticket) else {
            return;
        };
        reply.send(match answer {
            Answer::Started | Answer::Stopped => Ok(()),
            Answer::StartFailed(error) => Err(ChildError::NotStarted(error)),
        });
    }

    fn report_restart(&self, id: &ChildId, why: &str) {
        let supervisor = self.shared.name().to_string();
        tracing::warn!(supervisor, child = %id, why, "restarting");
        metrics::counter!("proctor_supervisor_restarts_total", "supervisor" => supervisor).increment(1);
    }

    /// Forgets what the machine no longer knows of a child: its start if its row is gone, a timer that is not awaited.
    fn tidy_up(&mut self, id: &ChildId) {
        let shared = Arc::clone(&self.shared);
        let table = shared.table();
        let child = table.machine.get(id);
        if child.is_none() {
            self.starts.remove(id);
        }
        let awaited = child.and_then(|child| child.timer());
        if self.timers.get(id).is_some_and(|(timer, _)| Some(*timer) != awaited)
            && let Some((_, task)) = self.timers.remove(id)
        {
            task.abort();
        }
        // A group's stop removes temporary siblings' rows, too.
        if self.starts.len() > table.machine.len() {
            self.starts.retain(|id, _| table.machine.get(id).is_some());
        }
    }
}

/// One life: start the child, report, wait until all of it is gone, report.
async fn watch_over(
    start: Start,
    parent: Parent,
    id: ChildId,
    generation: Generation,
    keeper: Address<Command>,
) {
    // The arguments' maker may panic: that is a failed start like any other. The call itself is inside the future.
    let begun = AssertUnwindSafe(async move { start(parent).await }).catch_unwind().await;
    let begun = begun.unwrap_or_else(|_| Err(StartError::Transient("panicked while it started".to_owned())));
    let end = match begun {
        Ok(begun) => {
            report(&keeper, Command::Born { id: id.clone(), generation, life: begun.life });
            Event::Exited(id, generation, begun.ended.await)
        }
        Err(error) => Event::StartFailed(id, generation, error),
    };
    report(&keeper, Command::Event(end));
}

/// A warden or a timer speaks: at most two words for each life, so no limit of the mailbox applies.
fn report(keeper: &Address<Command>, word: Command) {
    // An error means that the keeper is gone, and with it the reason to report.
    drop(keeper.post(word));
}
