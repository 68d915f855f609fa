//! How many runs of one tool may go side by side, when the host shows that it bears fewer than the weights say: additive
//! increase, multiplicative decrease (Chiu and Jain 1989), per tool.
//!
//! ```text
//! free ──thrashed beside others──▶ half of what ran ──good runs in a row──▶ one more … up to the bound of the weights
//! ```
//! One burst is one decrease: of runs that were granted before it, no other counts.

use std::collections::BTreeMap;

use super::deadline::EndedBy;
use super::ids::ToolName;
use super::outcome::{FailureReason, Outcome};

/// Good runs in a row after which one more may go beside the others: few enough to recover within minutes, enough to
/// see that it was not luck.
pub const GOOD_RUNS: u32 = 5;

/// What a run says of the strain it was under, from least to most telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strain {
    Unknown,
    /// It made a statement.
    Good,
    /// It ran out of memory, or of a time that it has enough of when alone.
    Thrashed,
}

/// What a call says. A short deadline of a caller's is no strain, nor is a tool that crashes.
pub const fn strain(outcome: &Outcome, ended_by: EndedBy) -> Strain {
    match outcome {
        Outcome::Findings { .. } | Outcome::Clean => Strain::Good,
        Outcome::Failed(failure) => match (failure.reason, ended_by) {
            (FailureReason::MemoryExceeded, _) | (FailureReason::TimedOut, EndedBy::OwnLimit) => {
                Strain::Thrashed
            }
            _ => Strain::Unknown,
        },
        Outcome::NotApplicable { .. } | Outcome::Cancelled => Strain::Unknown,
    }
}

/// The allowances of tools that have thrashed. Others are bound by their weights only.
#[derive(Debug, Default)]
pub struct Adaptive {
    tools: BTreeMap<ToolName, Allowance>,
    /// Decreases so far, of all tools.
    epoch: u64,
}

#[derive(Debug, Clone, Copy)]
struct Allowance {
    runs: u32,
    /// Good runs since the last change.
    good: u32,
    /// When it was decreased.
    epoch: u64,
}

impl Adaptive {
    /// Whether one more run of the tool may go beside `running` of its kind.
    pub fn allows(&self, tool: &ToolName, running: u32) -> bool {
        self.tools.get(tool).is_none_or(|allowance| running < allowance.runs)
    }

    /// What a run remembers that is granted now.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A run is over that was granted at `epoch`, went beside at most `beside - 1` of its kind, and could go beside
    /// `bound - 1` by their weights.
    pub fn ended(&mut self, tool: &ToolName, strain: Strain, epoch: u64, beside: u32, bound: u32) {
        let is_of_now = self.tools.get(tool).is_none_or(|allowance| epoch >= allowance.epoch);
        match strain {
            Strain::Thrashed if beside > 1 && is_of_now => self.decrease(tool, beside),
            Strain::Good if is_of_now => self.increase(tool, bound),
            // Alone it cannot have been the others; and it breaks the row.
            Strain::Thrashed => {
                if let Some(allowance) = self.tools.get_mut(tool) {
                    allowance.good = 0;
                }
            }
            Strain::Good | Strain::Unknown => {}
        }
    }

    fn decrease(&mut self, tool: &ToolName, beside: u32) {
        self.epoch += 1;
        let allowed = self.tools.get(tool).map_or(beside, |allowance| allowance.runs.min(beside));
        let allowance = Allowance { runs: (allowed / 2).max(1), good: 0, epoch: self.epoch };
        self.tools.insert(tool.clone(), allowance);
    }

    fn increase(&mut self, tool: &ToolName, bound: u32) {
        let Some(allowance) = self.tools.get_mut(tool) else { return };
        allowance.good += 1;
        if allowance.good >= GOOD_RUNS {
            allowance.good = 0;
            allowance.runs = (allowance.runs + 1).min(bound);
        }
    }

    /// Tools that have thrashed, and how many runs of each may go side by side.
    pub fn allowances(&self) -> impl Iterator<Item = (&ToolName, u32)> {
        self.tools.iter().map(|(tool, allowance)| (tool, allowance.runs))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tool() -> ToolName {
        ToolName("t".to_owned())
    }

    fn allowed(adaptive: &Adaptive) -> Option<u32> {
        adaptive.allowances().next().map(|(_, runs)| runs)
    }

    #[test]
    fn a_burst_halves_once_and_good_runs_win_it_back_one_by_one() {
        let mut adaptive = Adaptive::default();
        let before = adaptive.epoch();
        (0..8).for_each(|_| adaptive.ended(&tool(), Strain::Thrashed, before, 8, 8));
        assert_eq!(allowed(&adaptive), Some(4));
        assert!(adaptive.allows(&tool(), 3) && !adaptive.allows(&tool(), 4));
        for expected in [Some(5), Some(6), Some(7), Some(8), Some(8)] {
            (0..GOOD_RUNS).for_each(|_| adaptive.ended(&tool(), Strain::Good, adaptive.epoch(), 4, 8));
            assert_eq!(allowed(&adaptive), expected);
        }
    }

    #[test]
    fn a_run_alone_says_nothing_about_others() {
        let mut adaptive = Adaptive::default();
        adaptive.ended(&tool(), Strain::Thrashed, 0, 1, 8);
        assert_eq!(allowed(&adaptive), None);
    }

    #[test]
    fn a_short_deadline_is_no_strain() {
        let timed_out = || {
            Outcome::Failed(crate::domain::outcome::Failure {
                reason: FailureReason::TimedOut,
                detail: String::new(),
                advice: None,
                stderr_tail: String::new(),
                retryable: true,
            })
        };
        assert_eq!(strain(&timed_out(), EndedBy::Deadline), Strain::Unknown);
        assert_eq!(strain(&timed_out(), EndedBy::OwnLimit), Strain::Thrashed);
    }

    proptest! {
        /// Whatever happens one run may always go, and never more than the weights allow.
        #[test]
        fn never_none_and_never_more_than_the_weights_allow(
            steps in prop::collection::vec((0_u8..3, 1_u32..20, 0_u64..3), 1..300),
            bound in 1_u32..20,
        ) {
            let mut adaptive = Adaptive::default();
            for (strain, beside, age) in steps {
                let strain = [Strain::Unknown, Strain::Good, Strain::Thrashed][usize::from(strain)];
                let epoch = adaptive.epoch().saturating_sub(age);
                adaptive.ended(&tool(), strain, epoch, beside.min(bound), bound);
                prop_assert!(adaptive.allows(&tool(), 0));
                prop_assert!(allowed(&adaptive).is_none_or(|runs| (1..=bound).contains(&runs)));
            }
        }
    }
}
