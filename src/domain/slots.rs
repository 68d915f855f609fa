//! CPU and memory slots for tool runs: what a tool weighs comes from its manifest, what the host bears from
//! configuration. Pure: the jobs manager grants what this says.

use std::collections::BTreeMap;

use super::ids::RunId;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    run: RunId,
    weight: Weight,
    /// Seconds of CPU the tool is known for. The longest first: what is long and starts last ends last
    /// (Graham 1969: longest processing time first is within 4/3 of the best schedule).
    cost: u32,
    /// Arrival, so that equals stay in order and the oldest is never passed over without end.
    ticket: u64,
}

/// Grants and returns slots.
#[derive(Debug)]
pub struct Slots {
    capacity: Weight,
    granted: BTreeMap<RunId, Weight>,
    waiting: Vec<Waiting>,
    next_ticket: u64,
}

/// A waiting run that this many later ones have overtaken is served before anything else.
const OVERTAKEN_MAX: u64 = 32;

impl Slots {
    /// A capacity of nothing would hold every run for ever: it is taken as one core and 256 MiB.
    pub fn new(capacity: Weight) -> Self {
        let capacity = Weight { cpu: capacity.cpu.max(1), memory_mib: capacity.memory_mib.max(256) };
        Self { capacity, granted: BTreeMap::new(), waiting: Vec::new(), next_ticket: 0 }
    }

    /// A run asks. One that weighs more than there is runs alone rather than never.
    pub fn ask(&mut self, run: RunId, weight: Weight, cost: u32) {
        let weight = weight.at_most(self.capacity);
        self.waiting.push(Waiting { run, weight, cost, ticket: self.next_ticket });
        self.next_ticket += 1;
    }

    /// A run no longer waits, or gives back what it had. Harmless for a run that is unknown.
    pub fn give_back(&mut self, run: RunId) {
        self.granted.remove(&run);
        self.waiting.retain(|waiting| waiting.run != run);
    }

    /// The runs that may start now; they hold their slots from here on.
    pub fn grant(&mut self) -> Vec<RunId> {
        let oldest = self.waiting.iter().map(|waiting| waiting.ticket).min().unwrap_or(self.next_ticket);
        let overdue = self.next_ticket - oldest > OVERTAKEN_MAX;
        if overdue {
            self.waiting.sort_by_key(|waiting| waiting.ticket);
        } else {
            self.waiting.sort_by_key(|waiting| (std::cmp::Reverse(waiting.cost), waiting.ticket));
        }
        let mut used = self.granted.values().fold(Weight::default(), |sum, weight| sum.plus(*weight));
        let mut started = Vec::new();
        let mut blocked = false;
        self.waiting.retain(|waiting| {
            let after = used.plus(waiting.weight);
            if blocked || !after.fits(self.capacity) {
                // An overdue run keeps what becomes free: were smaller ones let past, it might never fit.
                blocked |= overdue;
                return true;
            }
            used = after;
            started.push((waiting.run, waiting.weight));
            false
        });
        self.granted.extend(started.iter().copied());
        started.into_iter().map(|(run, _)| run).collect()
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

    fn weight(cpu: u32, memory_mib: u32) -> Weight {
        Weight { cpu, memory_mib }
    }

    #[test]
    fn the_longest_starts_first_and_small_ones_fill_the_gaps() {
        let mut slots = Slots::new(weight(2, 1024));
        slots.ask(run(1), weight(1, 100), 1);
        slots.ask(run(2), weight(2, 100), 60);
        slots.ask(run(3), weight(1, 100), 5);
        assert_eq!(slots.grant(), [run(2)]);
        slots.give_back(run(2));
        assert_eq!(slots.grant(), [run(3), run(1)]);
    }

    #[test]
    fn a_run_heavier_than_the_host_runs_alone() {
        let mut slots = Slots::new(weight(2, 1024));
        slots.ask(run(1), weight(64, 1 << 20), 1);
        slots.ask(run(2), weight(1, 10), 0);
        assert_eq!(slots.grant(), [run(1)]);
        slots.give_back(run(1));
        assert_eq!(slots.grant(), [run(2)]);
    }

    #[test]
    fn a_heavy_run_is_not_overtaken_without_end() {
        let mut slots = Slots::new(weight(2, 1024));
        slots.ask(run(200), weight(1, 1), 9);
        assert_eq!(slots.grant(), [run(200)]);
        slots.ask(run(0), weight(2, 1), 0);
        let mut holding = run(200);
        for number in 1..100 {
            slots.ask(run(number), weight(1, 1), 9);
            assert_eq!(slots.grant(), [run(number)], "a small one always fits beside the other");
            slots.give_back(holding);
            holding = run(number);
            if number == 31 {
                break;
            }
        }
        slots.ask(run(150), weight(1, 1), 9);
        assert_eq!(slots.grant(), [], "the overdue one keeps what is free");
        slots.give_back(holding);
        assert_eq!(slots.grant(), [run(0)]);
    }

    proptest! {
        /// Never more granted than there is, and everything is served in the end.
        #[test]
        fn capacity_holds_and_nobody_starves(asks in prop::collection::vec((1u32..4, 1u32..2048, 0u32..100), 1..60)) {
            let capacity = weight(2, 2048);
            let mut slots = Slots::new(capacity);
            for (number, (cpu, memory, cost)) in asks.iter().enumerate() {
                slots.ask(run(u8::try_from(number).unwrap_or(u8::MAX)), weight(*cpu, *memory), *cost);
            }
            let mut served = 0;
            while served < asks.len() {
                let started = slots.grant();
                let used = slots.granted.values().fold(Weight::default(), |sum, weight| sum.plus(*weight));
                prop_assert!(used.fits(capacity));
                prop_assert!(!started.is_empty());
                served += started.len();
                for run in started {
                    slots.give_back(run);
                }
            }
            prop_assert_eq!(slots.counts(), (0, 0));
        }
    }
}
