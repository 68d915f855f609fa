//! CPU and memory slots for tool runs: what a tool weighs comes from its manifest, what the host bears from
//! configuration. Pure: the jobs manager grants what this says.

use std::collections::BTreeMap;

use super::adaptive::{Adaptive, Strain};
use super::ids::{RunId, ToolName};

/// What a run takes, or what there is to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Cores the tool keeps busy.
    pub cpu: u32,
    /// Its largest resident size, in MiB.
    pub memory_mib: u32,
}

impl Weight {
    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
        }
    }

    fn fits(self, capacity: Self) -> bool {
        self.cpu <= capacity.cpu && self.memory_mib <= capacity.memory_mib
    }

    fn at_most(self, capacity: Self) -> Self {
        Self { cpu: self.cpu.min(capacity.cpu), memory_mib: self.memory_mib.min(capacity.memory_mib) }
    }
}

/// A run that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    run: RunId,
    tool: ToolName,
    weight: Weight,
    /// Seconds of CPU the tool is known for. The longest first: what is long and starts last ends last
    /// (Graham 1969: longest processing time first is within 4/3 of the best schedule).
    cost: u32,
    /// Arrival, so that equals stay in order and the oldest is never passed over without end.
    ticket: u64,
}

/// A run that holds a slot.
#[derive(Debug)]
struct Granted {
    tool: ToolName,
    weight: Weight,
    /// Of the allowances, when it was granted.
    epoch: u64,
    /// The most runs of its tool that went side by side while it did, itself included.
    beside: u32,
}

/// Grants and returns slots.
#[derive(Debug)]
pub struct Slots {
    capacity: Weight,
    adaptive: Adaptive,
    granted: BTreeMap<RunId, Granted>,
    waiting: Vec<Waiting>,
    next_ticket: u64,
}

/// A waiting run that this many later ones have overtaken is served before anything else.
const OVERTAKEN_MAX: u64 = 32;

impl Slots {
    /// A capacity of nothing would hold every run for ever: it is taken as one core and 256 MiB.
    pub fn new(capacity: Weight) -> Self {
        let capacity = Weight { cpu: capacity.cpu.max(1), memory_mib: capacity.memory_mib.max(256) };
        Self {
            capacity,
            adaptive: Adaptive::default(),
            granted: BTreeMap::new(),
            waiting: Vec::new(),
            next_ticket: 0,
        }
    }

    /// A run asks. One that weighs more than there is runs alone rather than never.
    pub fn ask(&mut self, run: RunId, tool: ToolName, weight: Weight, cost: u32) {
        let weight = weight.at_most(self.capacity);
        self.waiting.push(Waiting { run, tool, weight, cost, ticket: self.next_ticket });
        self.next_ticket += 1;
    }

    /// A run no longer waits, or gives back what it had and says what strain it was under. Harmless for a run that is
    /// unknown.
    pub fn give_back(&mut self, run: RunId, strain: Strain) {
        if let Some(Granted { tool, weight, epoch, beside }) = self.granted.remove(&run) {
            self.adaptive.ended(&tool, strain, epoch, beside, self.bound(weight));
        }
        self.waiting.retain(|waiting| waiting.run != run);
    }

    /// How many runs of one weight fit side by side.
    fn bound(&self, weight: Weight) -> u32 {
        let by = |capacity: u32, weight: u32| capacity.checked_div(weight).unwrap_or(u32::MAX);
        by(self.capacity.cpu, weight.cpu).min(by(self.capacity.memory_mib, weight.memory_mib)).max(1)
    }

    /// The runs that may start now; they hold their slots from here on.
    pub fn grant(&mut self) -> Vec<RunId> {
        let overdue = self.sort_waiting();
        let mut used = self.used();
        let mut started = Vec::new();
        let mut blocked = false;
        for waiting in std::mem::take(&mut self.waiting) {
            let after = used.plus(waiting.weight);
            // Who waits for others of its own tool takes nothing from those who do not.
            if !self.adaptive.allows(&waiting.tool, self.running(&waiting.tool)) {
                self.waiting.push(waiting);
            } else if blocked || !after.fits(self.capacity) {
                // An overdue run keeps what becomes free: were smaller ones let past, it might never fit.
                blocked |= overdue;
                self.waiting.push(waiting);
            } else {
                used = after;
                started.push(waiting.run);
                self.start(waiting);
            }
        }
        started
    }

    /// Puts the next first; whether the oldest has been passed over too often.
    fn sort_waiting(&mut self) -> bool {
        let oldest = self.waiting.iter().map(|waiting| waiting.ticket).min().unwrap_or(self.next_ticket);
        let overdue = self.next_ticket - oldest > OVERTAKEN_MAX;
        if overdue {
            self.waiting.sort_by_key(|waiting| waiting.ticket);
        } else {
            self.waiting.sort_by_key(|waiting| (std::cmp::Reverse(waiting.cost), waiting.ticket));
        }
        overdue
    }

    fn start(&mut self, Waiting { run, tool, weight, .. }: Waiting) {
        let beside = self.running(&tool) + 1;
        for other in self.granted.values_mut().filter(|granted| granted.tool == tool) {
            other.beside = other.beside.max(beside);
        }
        let epoch = self.adaptive.epoch();
        self.granted.insert(run, Granted { tool, weight, epoch, beside });
    }

    fn running(&self, tool: &ToolName) -> u32 {
        let running = self.granted.values().filter(|granted| granted.tool == *tool).count();
        u32::try_from(running).unwrap_or(u32::MAX)
    }

    fn used(&self) -> Weight {
        self.granted.values().fold(Weight::default(), |sum, granted| sum.plus(granted.weight))
    }

    /// Tools that have thrashed, and how many runs of each may go side by side.
    pub fn allowances(&self) -> impl Iterator<Item = (&ToolName, u32)> {
        self.adaptive.allowances()
    }

    /// Runs that hold a slot, and runs that wait for one.
    pub fn counts(&self) -> (usize, usize) {
        (self.granted.len(), self.waiting.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(number: u8) -> RunId {
        RunId::from_random([number; 16])
    }

    fn tool() -> ToolName {
        ToolName("t".to_owned())
    }

    fn weight(cpu: u32, memory_mib: u32) -> Weight {
        Weight { cpu, memory_mib }
    }

    #[test]
    fn the_longest_starts_first_and_small_ones_fill_the_gaps() {
        let mut slots = Slots::new(weight(2, 1024));
        slots.ask(run(1), tool(), weight(1, 100), 1);
        slots.ask(run(2), tool(), weight(2, 100), 60);
        slots.ask(run(3), tool(), weight(1, 100), 5);
        assert_eq!(slots.grant(), [run(2)]);
        slots.give_back(run(2), Strain::Unknown);
        assert_eq!(slots.grant(), [run(3), run(1)]);
    }

    #[test]
    fn a_run_heavier_than_the_host_runs_alone() {
        let mut slots = Slots::new(weight(2, 1024));
        slots.ask(run(1), tool(), weight(64, 1 << 20), 1);
        slots.ask(run(2), tool(), weight(1, 10), 0);
        assert_eq!(slots.grant(), [run(1)]);
        slots.give_back(run(1), Strain::Unknown);
        assert_eq!(slots.grant(), [run(2)]);
    }

    #[test]
    fn a_heavy_run_is_not_overtaken_without_end() {
        let mut slots = Slots::new(weight(2, 1024));
        slots.ask(run(200), tool(), weight(1, 1), 9);
        assert_eq!(slots.grant(), [run(200)]);
        slots.ask(run(0), tool(), weight(2, 1), 0);
        let mut holding = run(200);
        for number in 1..100 {
            slots.ask(run(number), tool(), weight(1, 1), 9);
            assert_eq!(slots.grant(), [run(number)], "a small one always fits beside the other");
            slots.give_back(holding, Strain::Unknown);
            holding = run(number);
            if number == 31 {
                break;
            }
        }
        slots.ask(run(150), tool(), weight(1, 1), 9);
        assert_eq!(slots.grant(), [], "the overdue one keeps what is free");
        slots.give_back(holding, Strain::Unknown);
        assert_eq!(slots.grant(), [run(0)]);
    }

    #[test]
    fn a_tool_that_thrashed_goes_fewer_at_a_time_and_holds_up_no_other() {
        let mut slots = Slots::new(weight(8, 8192));
        (0..4).for_each(|number| slots.ask(run(number), tool(), weight(1, 1), 9));
        assert_eq!(slots.grant().len(), 4);
        (0..4).for_each(|number| slots.give_back(run(number), Strain::Thrashed));
        assert_eq!(slots.allowances().collect::<Vec<_>>(), [(&tool(), 2)]);
        (10..14).for_each(|number| slots.ask(run(number), tool(), weight(1, 1), 9));
        slots.ask(run(20), ToolName("other".to_owned()), weight(1, 1), 1);
        assert_eq!(slots.grant(), [run(10), run(11), run(20)]);
        slots.give_back(run(10), Strain::Good);
        assert_eq!(slots.grant(), [run(12)]);
    }

    proptest! {
        /// However tools thrash, everything is served in the end, and capacity holds.
        #[test]
        fn nobody_starves_of_strain(asks in prop::collection::vec((0_u8..3, 1_u32..3, 0_u8..3), 1..100)) {
            let mut slots = Slots::new(weight(6, 4096));
            let mut strains = BTreeMap::new();
            for (number, (kind, cpu, strain)) in asks.iter().enumerate() {
                let run = run(u8::try_from(number).unwrap_or(u8::MAX));
                slots.ask(run, ToolName(kind.to_string()), weight(*cpu, 10), u32::from(*kind));
                strains.insert(run, [Strain::Unknown, Strain::Good, Strain::Thrashed][usize::from(*strain)]);
            }
            let mut served = 0;
            while served < asks.len() {
                let started = slots.grant();
                prop_assert!(!started.is_empty());
                prop_assert!(slots.used().fits(weight(6, 4096)));
                served += started.len();
                started.into_iter().for_each(|run| slots.give_back(run, strains[&run]));
            }
            prop_assert_eq!(slots.counts(), (0, 0));
        }

        /// Never more granted than there is, and everything is served in the end.
        #[test]
        fn capacity_holds_and_nobody_starves(asks in prop::collection::vec((1u32..4, 1u32..2048, 0u32..100), 1..60)) {
            let capacity = weight(2, 2048);
            let mut slots = Slots::new(capacity);
            for (number, (cpu, memory, cost)) in asks.iter().enumerate() {
                slots.ask(run(u8::try_from(number).unwrap_or(u8::MAX)), tool(), weight(*cpu, *memory), *cost);
            }
            let mut served = 0;
            while served < asks.len() {
                let started = slots.grant();
                let used = slots.used();
                prop_assert!(used.fits(capacity));
                prop_assert!(!started.is_empty());
                served += started.len();
                for run in started {
                    slots.give_back(run, Strain::Unknown);
                }
            }
            prop_assert_eq!(slots.counts(), (0, 0));
        }
    }
}
