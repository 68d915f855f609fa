//! The machine alone, under any order of events: starts and ends take their time, requests come in between, old events
//! come again. What must hold at every moment, whatever happens.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proctor::domain::restart::{Backoff, Intensity, Jitter};
use proctor::domain::supervision::{
    Action, ChildId, Event, Exit, Generation, Moment, Refusal, Restart, Shutdown, StartError, Strategy,
    Supervision, Ticket,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, TestRunner};

use super::history::{NAMES, name};
use super::machine::rules;

/// Each number picks what happens next among all that could.
#[derive(Debug, Clone)]
struct Chaos {
    strategy: Strategy,
    picks: Vec<(u16, u16)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Starting,
    Running,
}

struct World {
    machine: Supervision,
    now: Duration,
    lives: HashMap<Generation, (ChildId, Life)>,
    timers: Vec<(ChildId, Generation)>,
    past: Vec<Event>,
    asked: HashSet<Ticket>,
    tickets: u64,
    finished: bool,
}

impl World {
    fn new(strategy: Strategy) -> Self {
        let intensity = Intensity { restarts: 6, period: Duration::from_secs(20) };
        let mut machine = Supervision::new(strategy, intensity);
        if !matches!(strategy, Strategy::Dynamic { .. }) {
            for (child, restart) in
                [Restart::Permanent, Restart::Transient, Restart::Temporary].into_iter().enumerate()
            {
                let backoff = Backoff {
                    first: Duration::from_secs(1),
                    cap: Duration::from_secs(4),
                    steady: Duration::ZERO,
                };
                let shutdown =
                    Shutdown::Drain { drain: Duration::from_secs(2), stop: Duration::from_secs(1) };
                assert!(machine.add(
                    name(child).into(),
                    proctor::domain::supervision::Rules { backoff, shutdown, ..rules(restart) }
                ));
            }
        }
        let mut world = Self {
            machine,
            now: Duration::ZERO,
            lives: HashMap::new(),
            timers: Vec::new(),
            past: Vec::new(),
            asked: HashSet::new(),
            tickets: 0,
            finished: false,
        };
        let actions = world.machine.boot(world.moment());
        world.carry_out(actions);
        world
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, jitter: Jitter(128) }
    }

    fn step(&mut self, event: Event) {
        self.past.push(event.clone());
        let actions = self.machine.step(event, self.moment());
        self.carry_out(actions);
    }

    fn happens(&mut self, what: u16, to: u16) {
        self.now += Duration::from_millis(u64::from(to % 700));
        let child: ChildId = name(usize::from(to) % NAMES).into();
        match what % 12 {
            0..=3 => self.a_life_moves(to),
            4 => self.a_timer_fires(to),
            5 => self.ask(|machine, ticket, moment| {
                machine.start_child(child, rules(Restart::Permanent), ticket, moment)
            }),
            6 => self.ask(|machine, ticket, moment| machine.terminate_child(&child, ticket, moment)),
            7 => self.ask(|machine, ticket, moment| machine.restart_child(&child, ticket, moment)),
            8 => drop(self.machine.delete_child(&child)),
            9 if to.is_multiple_of(8) => {
                self.step(if to.is_multiple_of(64) { Event::Hurry } else { Event::Stop })
            }
            9 | 10 => self.the_past_repeats(to),
            _ => self.a_life_ends(to, Exit::Abnormal("crash".to_owned())),
        }
    }

    fn life(&self, pick: u16) -> Option<(Generation, ChildId, Life)> {
        let mut lives: Vec<_> = self.lives.iter().collect();
        lives.sort_by_key(|(generation, _)| **generation);
        let (generation, (id, life)) = lives.get(usize::from(pick) % lives.len().max(1))?;
        Some((**generation, id.clone(), *life))
    }

    fn a_life_moves(&mut self, pick: u16) {
        match self.life(pick) {
            Some((generation, id, Life::Starting)) if pick.is_multiple_of(5) => {
                self.lives.remove(&generation);
                let error = match pick % 3 {
                    0 => StartError::Permanent("missing".to_owned()),
                    1 => StartError::Ignore,
                    _ => StartError::Transient("taken".to_owned()),
                };
                self.step(Event::StartFailed(id, generation, error));
            }
            Some((generation, id, Life::Starting)) => {
                self.lives.insert(generation, (id.clone(), Life::Running));
                self.step(Event::Started(id, generation));
            }
            Some((_, _, Life::Running)) if pick.is_multiple_of(3) => self.a_life_ends(pick, Exit::Normal),
            Some((_, _, Life::Running)) | None => {}
        }
    }

    fn a_life_ends(&mut self, pick: u16, exit: Exit) {
        if let Some((generation, id, Life::Running)) = self.life(pick) {
            self.lives.remove(&generation);
            self.step(Event::Exited(id, generation, exit));
        }
    }

    fn a_timer_fires(&mut self, pick: u16) {
        if !self.timers.is_empty() {
            let (id, timer) = self.timers.remove(usize::from(pick) % self.timers.len());
            self.step(Event::TimerFired(id, timer));
        }
    }

    fn the_past_repeats(&mut self, pick: u16) {
        let Some(event) = self.past.get(usize::from(pick) % self.past.len().max(1)).cloned() else {
            return;
        };
        let is_of_now = match &event {
            Event::Started(_, generation)
            | Event::StartFailed(_, generation, _)
            | Event::Exited(_, generation, _) => self.lives.contains_key(generation),
            Event::TimerFired(..) => false,
            Event::Stop | Event::Hurry => true,
        };
        if !is_of_now {
            self.step(event);
        }
    }

    fn ask(
        &mut self,
        request: impl FnOnce(&mut Supervision, Ticket, Moment) -> Result<Vec<Action>, Refusal>,
    ) {
        self.tickets += 1;
        let (ticket, moment) = (Ticket(self.tickets), self.moment());
        if let Ok(actions) = request(&mut self.machine, ticket, moment) {
            self.asked.insert(ticket);
            self.carry_out(actions);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            assert!(!self.finished, "{action:?} after the end");
            match action {
                Action::Start(id, generation) => {
                    let twin = self.lives.values().find(|(other, _)| *other == id);
                    assert!(twin.is_none(), "{id} lives twice");
                    self.assert_turn_of(&id);
                    self.lives.insert(generation, (id, Life::Starting));
                }
                Action::Schedule(id, timer, _) => self.timers.push((id, timer)),
                Action::Answer(ticket, _) => {
                    assert!(self.asked.remove(&ticket), "{ticket:?} is answered twice")
                }
                Action::Abandon(_, generation) => drop(self.lives.remove(&generation)),
                Action::Finished(_) => self.finished = true,
                Action::Kill(..) | Action::Stop(..) | Action::Drain(..) | Action::Cancel(..) => {}
                Action::Booted | Action::Restarting(..) => {}
            }
        }
        if self.finished {
            assert!(self.lives.is_empty(), "left behind: {:?}", self.lives);
        }
    }

    /// Who depends on whom: nobody starts before those it depends on are up, or down for good.
    fn assert_turn_of(&self, id: &ChildId) {
        if matches!(self.machine.strategy(), Strategy::RestForOne | Strategy::OneForAll) {
            let before = self.machine.children().take_while(|child| child.id != *id);
            let mut late =
                before.filter(|child| ["pending", "starting", "restarting"].contains(&child.status.word()));
            assert!(late.next().is_none(), "{id} starts too early");
        }
    }

    /// From any moment on, a stop comes to an end, though nobody dies by himself.
    fn ends(&mut self) {
        self.step(Event::Stop);
        for _ in 0..1_000 {
            if self.finished {
                return assert!(self.asked.is_empty(), "never answered: {:?}", self.asked);
            }
            assert!(!self.timers.is_empty(), "nothing will ever happen");
            self.a_timer_fires(0);
        }
        panic!("it does not end");
    }
}

#[test]
fn ten_thousand_interleavings_keep_order_and_come_to_an_end() {
    let strategy = prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne),
        Just(Strategy::OneForAll),
        Just(Strategy::Dynamic { cap: 4 }),
    ];
    let chaos = (strategy, prop::collection::vec((any::<u16>(), any::<u16>()), 1..80))
        .prop_map(|(strategy, picks)| Chaos { strategy, picks });
    let mut runner =
        TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&chaos, |chaos| {
        let mut world = World::new(chaos.strategy);
        for (what, to) in chaos.picks {
            if world.finished {
                break;
            }
            world.happens(what, to);
        }
        if !world.finished {
            world.ends();
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
