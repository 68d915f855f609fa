//! The room on the host: which runs hold a slot, and who waits for one.

use std::collections::HashMap;

use super::JobsMessage;
use crate::actors::jobs::run_slot::RunSlot;
use crate::actors::mailbox::{Address, Reply};
use crate::domain::adaptive::Strain;
use crate::domain::ids::{RunId, ToolName};
use crate::domain::slots::{Slots, Weight};

pub(super) struct Grants {
    slots: Slots,
    asking: HashMap<RunId, Reply<RunSlot>>,
    /// Where a slot is given back.
    jobs: Address<JobsMessage>,
}

impl Grants {
    pub(super) fn new(capacity: Weight, jobs: Address<JobsMessage>) -> Self {
        Self { slots: Slots::new(capacity), asking: HashMap::new(), jobs }
    }

    pub(super) fn ask(
        &mut self,
        run: RunId,
        tool: ToolName,
        weight: Weight,
        cost: u32,
        reply: Reply<RunSlot>,
    ) {
        self.slots.ask(run, tool, weight, cost);
        self.asking.insert(run, reply);
        self.grant();
    }

    pub(super) fn give_back(&mut self, run: RunId, strain: Strain) {
        self.asking.remove(&run);
        self.slots.give_back(run, strain);
        self.grant();
    }

    /// Those who left without their slot (a cancelled job's runs) are forgotten first, so that they do not pile up behind
    /// a long one. Who leaves after that gives the slot back by dropping the answer it cannot receive.
    fn grant(&mut self) {
        let Self { asking, slots, .. } = self;
        asking
            .extract_if(|_, reply| reply.is_abandoned())
            .for_each(|(run, _)| slots.give_back(run, Strain::Unknown));
        for run in self.slots.grant() {
            if let Some(reply) = self.asking.remove(&run) {
                reply.send(RunSlot::new(run, self.jobs.clone()));
            }
        }
        self.export();
    }

    fn export(&self) {
        let gauge = |name: &'static str, value: usize| {
            metrics::gauge!(name).set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)))
        };
        let (granted, waiting) = self.slots.counts();
        gauge("proctor_runs_running", granted);
        gauge("proctor_runs_waiting", waiting);
        for (tool, runs) in self.slots.allowances() {
            metrics::gauge!("proctor_tool_allowance", "tool" => tool.0.clone()).set(f64::from(runs));
        }
    }
}
