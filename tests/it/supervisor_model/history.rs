//! What may happen, and how a random history of it is made.

use std::time::Duration;

use proctor::actors::supervise::{Restart, Strategy};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

/// More restarts than this within the period, and the supervisor gives up.
pub const RESTARTS_MAX: u32 = 3;
/// Not a whole number of seconds, as all times of a history are: no restart is ever exactly one period old.
pub const PERIOD: Duration = Duration::from_millis(9_500);
/// How long a child is asked before it is killed.
pub const STOP_PATIENCE: Duration = Duration::from_secs(1);
pub const NAMES: usize = 5;

/// How a start goes that is not fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Transient,
    Permanent,
    Ignore,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// `start_child`
    Start(usize, Restart),
    Terminate(usize),
    Restart(usize),
    Delete(usize),
    /// The child ends by itself.
    Crash(usize),
    Kill(usize),
    Finish(usize),
    /// Its next starts go like this.
    WillFail(usize, Vec<Fault>),
    /// It does not hear the next request to stop.
    GoDeaf(usize),
    /// Time passes.
    Wait(u64),
    /// The supervisor stops.
    Stop,
}

#[derive(Debug, Clone)]
pub struct History {
    pub strategy: Strategy,
    pub children: Vec<Restart>,
    pub faults: Vec<(usize, Vec<Fault>)>,
    pub steps: Vec<Step>,
}

fn restart() -> impl proptest::strategy::Strategy<Value = Restart> {
    prop_oneof![3 => Just(Restart::Permanent), 2 => Just(Restart::Transient), 2 => Just(Restart::Temporary)]
}

fn faults() -> impl proptest::strategy::Strategy<Value = Vec<Fault>> {
    let fault =
        prop_oneof![4 => Just(Fault::Transient), 1 => Just(Fault::Permanent), 1 => Just(Fault::Ignore)];
    prop::collection::vec(fault, 1..3)
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    let child = || 0..NAMES;
    prop_oneof![
        4 => (child(), restart()).prop_map(|(child, restart)| Step::Start(child, restart)),
        2 => child().prop_map(Step::Terminate),
        2 => child().prop_map(Step::Restart),
        1 => child().prop_map(Step::Delete),
        6 => child().prop_map(Step::Crash),
        2 => child().prop_map(Step::Kill),
        2 => child().prop_map(Step::Finish),
        2 => (child(), faults()).prop_map(|(child, faults)| Step::WillFail(child, faults)),
        2 => child().prop_map(Step::GoDeaf),
        3 => (1_u64..9).prop_map(Step::Wait),
        1 => Just(Step::Stop),
    ]
}

pub fn history() -> impl proptest::strategy::Strategy<Value = History> {
    let strategy = prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne),
        Just(Strategy::OneForAll),
        Just(Strategy::Dynamic { cap: 3 }),
    ];
    let children = prop::collection::vec(restart(), 0..NAMES);
    let first_faults = prop::collection::vec((0..NAMES, faults()), 0..2);
    (strategy, children, first_faults, prop::collection::vec(step(), 1..30)).prop_map(
        |(strategy, children, faults, steps)| {
            let is_dynamic = matches!(strategy, Strategy::Dynamic { .. });
            // A dynamic supervisor begins empty.
            let children = if is_dynamic { Vec::new() } else { children };
            // Independent children are retried beside the first starts of later ones, in an order that nobody
            // promises: there only the last one may fail while the supervisor boots.
            let may_fail = |child: usize| strategy != Strategy::OneForOne || child + 1 >= children.len();
            let faults = faults.into_iter().filter(|(child, _)| may_fail(*child)).collect();
            History { strategy, children, faults, steps }
        },
    )
}

pub fn name(child: usize) -> String {
    format!("c{child}")
}

/// What is to be seen of a supervisor after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Child and state, in order.
    pub table: Vec<(String, String)>,
    /// What was started and ended since the step before, in order.
    pub trace: Vec<String>,
    /// How the step's request was answered.
    pub answer: Option<Reply>,
    /// None while it lives; then whether it melted.
    pub melted: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Done,
    NotStarted,
    AlreadyStarted,
    AlreadyPresent,
    NotFound,
    AtCap,
}
