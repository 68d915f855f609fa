//! The real actors, in paused time, against the model: the same histories, step by step.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proctor::actors::mailbox::{Message, Slot};
use proctor::actors::server::{Context, Server, Stop};
use proctor::actors::supervise::{
    Backoff, ChildError, ChildSpec, Ended, Intensity, Restart, Shutdown, StartError, Strategy, Supervisor,
    SupervisorSpec,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::history::{
    Fault, History, PERIOD, Picture, RESTARTS_MAX, Reply, STOP_PATIENCE, Step, history, name,
};
use super::machine::refused;
use super::model::Model;

/// As many as run in a few seconds of a debug build on one core.
const HISTORIES: u32 = 300;

/// What the actors share with the test: their faults to come, their traces.
#[derive(Clone, Default)]
struct Shared {
    trace: Arc<Mutex<Vec<String>>>,
    faults: Arc<Mutex<HashMap<usize, Vec<Fault>>>>,
}

enum Word {
    Crash,
    Finish,
    /// Listens to nobody for a day.
    GoDeaf,
}

impl Message for Word {}

struct Actor {
    child: usize,
    shared: Shared,
    farewell: &'static str,
}

impl Server for Actor {
    const NAME: &'static str = "modelled";
    const MAILBOX_LIMIT: usize = 4;
    type Message = Word;
    type Arguments = (usize, Shared);

    async fn init((child, shared): Self::Arguments, _: &Context<Word>) -> Result<Self, StartError> {
        shared.trace.lock().unwrap().push(format!("start {}", name(child)));
        let fault = {
            let mut faults = shared.faults.lock().unwrap();
            let faults = faults.entry(child).or_default();
            (!faults.is_empty()).then(|| faults.remove(0))
        };
        match fault {
            None => Ok(Self { child, shared, farewell: "killed" }),
            Some(Fault::Transient) => Err(StartError::Transient("transient".to_owned())),
            Some(Fault::Permanent) => Err(StartError::Permanent("permanent".to_owned())),
            Some(Fault::Ignore) => Err(StartError::Ignore),
        }
    }

    async fn handle(&mut self, word: Word, _: &Context<Word>) -> Result<(), Stop> {
        match word {
            Word::Crash => {
                self.farewell = "down";
                Err(Stop::Abnormal("crash".to_owned()))
            }
            Word::Finish => {
                self.farewell = "down";
                Err(Stop::Normal)
            }
            Word::GoDeaf => {
                tokio::time::sleep(Duration::from_secs(86_400)).await;
                Ok(())
            }
        }
    }

    async fn terminate(&mut self, _: &Context<Word>) {
        if self.farewell == "killed" {
            self.farewell = "stopped";
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.shared.trace.lock().unwrap().push(format!("{} {}", self.farewell, name(self.child)));
    }
}

struct World {
    supervisor: Supervisor,
    strategy: Strategy,
    shared: Shared,
    slots: Vec<Slot<Word>>,
    melted: Option<bool>,
}

impl World {
    async fn boot(history: &History) -> Self {
        let shared = Shared::default();
        shared.faults.lock().unwrap().extend(history.faults.iter().cloned());
        let slots: Vec<Slot<Word>> = (0..super::history::NAMES).map(|_| Slot::new()).collect();
        let mut spec = SupervisorSpec::new("modelled", history.strategy)
            .intensity(Intensity { restarts: RESTARTS_MAX, period: PERIOD });
        for (child, &restart) in history.children.iter().enumerate() {
            spec = spec.child(Self::spec(child, restart, &slots, &shared));
        }
        let supervisor = Supervisor::start(spec).await.unwrap();
        let mut world = Self { supervisor, strategy: history.strategy, shared, slots, melted: None };
        world.calm().await;
        world
    }

    fn spec(child: usize, restart: Restart, slots: &[Slot<Word>], shared: &Shared) -> ChildSpec {
        let shared = shared.clone();
        ChildSpec::server_in::<Actor>(name(child), &slots[child], move || (child, shared.clone()))
            .restart(restart)
            .shutdown(Shutdown::Stop(STOP_PATIENCE))
            .backoff(Backoff::NONE)
    }

    async fn take(&mut self, step: &Step) -> Option<Reply> {
        if self.melted.is_some() {
            return None;
        }
        let supervisor = &self.supervisor;
        let asked = match step {
            &Step::Start(child, restart) => {
                Some(supervisor.start_child(Self::spec(child, restart, &self.slots, &self.shared)).await)
            }
            &Step::Terminate(child) => Some(supervisor.terminate_child(&name(child).into()).await),
            &Step::Restart(child) => Some(supervisor.restart_child(&name(child).into()).await),
            &Step::Delete(child) => Some(supervisor.delete_child(&name(child).into()).await),
            &Step::Crash(child) => self.end(child, Word::Crash).await,
            &Step::Finish(child) => self.end(child, Word::Finish).await,
            &Step::Kill(child) => {
                if let Some(address) = self.slots[child].get() {
                    address.kill();
                    address.closed().await;
                    self.rename_last("killed", "down");
                }
                None
            }
            Step::WillFail(child, faults) => {
                self.shared.faults.lock().unwrap().insert(*child, faults.clone());
                None
            }
            &Step::GoDeaf(child) => {
                if let Some(address) = self.slots[child].get().filter(|address| address.depth() == 0) {
                    address.try_send(Word::GoDeaf).unwrap();
                }
                None
            }
            &Step::Wait(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                None
            }
            Step::Stop => {
                supervisor.request_stop();
                None
            }
        };
        self.calm().await;
        asked.map(|asked| match asked {
            Ok(()) => Reply::Done,
            Err(ChildError::NotStarted(_)) => Reply::NotStarted,
            Err(ChildError::Refused(refusal)) => refused(&refusal),
            Err(ChildError::Supervisor(gone)) => panic!("{gone}"),
        })
    }

    /// A child ends by itself; a deaf one cannot be told to, so it is killed, which comes to the same.
    async fn end(&self, child: usize, word: Word) -> Option<Result<(), ChildError>> {
        let address = self.slots[child].get()?;
        address.try_send(word).unwrap();
        address.closed().await;
        None
    }

    /// The model does not tell who ended a child that was not being stopped.
    fn rename_last(&self, from: &str, to: &str) {
        let mut trace = self.shared.trace.lock().unwrap();
        let last = trace.iter_mut().find(|line| line.starts_with(from)).unwrap();
        *last = last.replacen(from, to, 1);
    }

    /// Until nothing moves: a stop may take its whole patience for each of the deaf.
    async fn calm(&mut self) {
        loop {
            tokio::time::sleep(Duration::from_micros(1)).await;
            let moves = |word: &str| ["pending", "starting", "stopping", "restarting"].contains(&word);
            let rows = self.supervisor.which_children();
            let is_ending = tokio::time::timeout(Duration::ZERO, self.supervisor.wait()).await;
            if let Ok(ended) = is_ending {
                self.melted = Some(matches!(ended, Ended::Melted(_)));
                return;
            }
            if !rows.iter().any(|child| moves(child.status.word())) {
                return;
            }
        }
    }

    fn picture(&self, answer: Option<Reply>) -> Picture {
        let rows = self.supervisor.which_children();
        let mut trace = std::mem::take(&mut *self.shared.trace.lock().unwrap());
        if matches!(self.strategy, Strategy::Dynamic { .. }) && self.melted.is_some() {
            trace.sort();
        }
        Picture {
            table: rows.iter().map(|child| (child.id.to_string(), child.status.word().to_owned())).collect(),
            trace,
            answer,
            melted: self.melted,
        }
    }
}

async fn agrees(history: &History) -> Result<(), TestCaseError> {
    let (mut world, mut model) = (World::boot(history).await, Model::boot(history));
    prop_assert_eq!(world.picture(None), model.picture(None), "boot");
    for (at, step) in history.steps.iter().enumerate() {
        let (answer, expected) = (world.take(step).await, model.take(step));
        prop_assert_eq!(world.picture(answer), model.picture(expected), "step {}: {:?}", at, step);
    }
    Ok(())
}

#[test]
fn hundreds_of_histories_of_the_actors_agree_with_otp() {
    let mut runner =
        TestRunner::new(Config { cases: HISTORIES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&history(), |mut history| {
        // Who is deaf hears no last word: it could only be killed, which is another step.
        let mut deaf = Vec::new();
        history.steps.retain(|step| match step {
            Step::GoDeaf(child) => {
                deaf.push(*child);
                true
            }
            Step::Crash(child) | Step::Finish(child) => !deaf.contains(child),
            _ => true,
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(agrees(&history))
    });
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}
