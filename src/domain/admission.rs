//! Which job may come in, and which may start next. Bounded per principal and in all; started in turn over the
//! principals, so that one who submits a hundred jobs does not starve one who submits one.

use std::collections::{BTreeMap, VecDeque};

use super::ids::{JobId, Principal};

/// How many jobs may be where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that run at the same time; each holds a snapshot of its target on disk.
    pub running: usize,
    /// Jobs of one principal that wait.
    pub queued_per_principal: usize,
    /// Jobs that wait in all.
    pub queued: usize,
}

/// Why a job was not let in. Always before anything was stored or started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{limit} of your jobs are waiting already: wait for one to end")]
    PrincipalQueueFull { limit: usize },
    #[error("{limit} jobs are waiting already: try again later")]
    QueueFull { limit: usize },
    #[error("the daemon is shutting down: submit again after its restart")]
    Draining,
}

/// The waiting and the running.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    /// In the order of their next turn; a principal is here while it has a waiting job.
    turns: VecDeque<Principal>,
    waiting: BTreeMap<Principal, VecDeque<JobId>>,
    waiting_count: usize,
    running: BTreeMap<JobId, Principal>,
    draining: bool,
}

impl Admission {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            turns: VecDeque::new(),
            waiting: BTreeMap::new(),
            waiting_count: 0,
            running: BTreeMap::new(),
            draining: false,
        }
    }

    /// Whether a job of `principal` would be let in now. Asked before the job is stored.
    pub fn check(&self, principal: &Principal) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::Draining);
        }
        if self.waiting_count >= self.limits.queued {
            return Err(Refusal::QueueFull { limit: self.limits.queued });
        }
        let own = self.waiting.get(principal).map_or(0, VecDeque::len);
        if own >= self.limits.queued_per_principal {
            return Err(Refusal::PrincipalQueueFull { limit: self.limits.queued_per_principal });
        }
        Ok(())
    }

    /// Takes a stored job in, behind the others of its principal.
    pub fn enqueue(&mut self, job: JobId, principal: Principal) {
        let queue = self.waiting.entry(principal.clone()).or_default();
        if queue.is_empty() {
            self.turns.push_back(principal);
        }
        queue.push_back(job);
        self.waiting_count += 1;
    }

    /// The next job to start, if one may start now. It counts as running from here on.
    pub fn start_next(&mut self) -> Option<JobId> {
        if self.draining || self.running.len() >= self.limits.running {
            return None;
        }
        let principal = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&principal)?;
        let job = queue.pop_front()?;
        self.waiting_count -= 1;
        if queue.is_empty() {
            self.waiting.remove(&principal);
        } else {
            self.turns.push_back(principal.clone());
        }
        self.running.insert(job, principal);
        Some(job)
    }

    /// A running job is over.
    pub fn ended(&mut self, job: JobId) {
        self.running.remove(&job);
    }

    /// Takes a waiting job out; false when it does not wait (any more).
    pub fn withdraw(&mut self, job: JobId) -> bool {
        let Some(principal) = self
            .waiting
            .iter()
            .find(|(_, queue)| queue.contains(&job))
            .map(|(principal, _)| principal.clone())
        else {
            return false;
        };
        if let Some(queue) = self.waiting.get_mut(&principal) {
            queue.retain(|waiting| *waiting != job);
            if queue.is_empty() {
                self.waiting.remove(&principal);
                self.turns.retain(|turn| *turn != principal);
            }
        }
        self.waiting_count -= 1;
        true
    }

    /// From now on nobody comes in and nobody starts.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    pub fn running(&self) -> usize {
        self.running.len()
    }

    pub fn waiting(&self) -> usize {
        self.waiting_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { running: 2, queued_per_principal: 3, queued: 4 };

    fn job(number: u8) -> JobId {
        JobId::from_random([number; 16])
    }

    fn principal(name: &str) -> Principal {
        Principal(name.to_owned())
    }

    #[test]
    fn principals_take_turns() {
        let mut admission = Admission::new(Limits { running: 10, ..LIMITS });
        for number in 1..=3 {
            admission.enqueue(job(number), principal("greedy"));
        }
        admission.enqueue(job(9), principal("polite"));
        let order: Vec<_> = std::iter::from_fn(|| admission.start_next()).collect();
        assert_eq!(order, [job(1), job(9), job(2), job(3)]);
    }

    #[test]
    fn no_more_run_than_may() {
        let mut admission = Admission::new(LIMITS);
        for number in 1..=3 {
            admission.enqueue(job(number), principal("a"));
        }
        assert!(admission.start_next().is_some() && admission.start_next().is_some());
        assert_eq!(admission.start_next(), None);
        admission.ended(job(1));
        assert_eq!(admission.start_next(), Some(job(3)));
    }

    #[test]
    fn each_refusal_names_its_limit() {
        let mut admission = Admission::new(LIMITS);
        for number in 1..=3 {
            admission.enqueue(job(number), principal("a"));
        }
        assert_eq!(admission.check(&principal("a")), Err(Refusal::PrincipalQueueFull { limit: 3 }));
        assert_eq!(admission.check(&principal("b")), Ok(()));
        admission.enqueue(job(4), principal("b"));
        assert_eq!(admission.check(&principal("c")), Err(Refusal::QueueFull { limit: 4 }));
        admission.drain();
        assert_eq!(admission.check(&principal("c")), Err(Refusal::Draining));
    }

    #[test]
    fn a_withdrawn_job_never_starts_and_gives_its_place_back() {
        let mut admission = Admission::new(LIMITS);
        admission.enqueue(job(1), principal("a"));
        assert!(admission.withdraw(job(1)));
        assert!(!admission.withdraw(job(1)));
        assert_eq!((admission.waiting(), admission.start_next()), (0, None));
        admission.enqueue(job(2), principal("a"));
        assert_eq!(admission.start_next(), Some(job(2)));
    }
}
