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
    /// Let in and being stored: each has its place in the queue already.
    expected: BTreeMap<JobId, Principal>,
    /// In the order of their next turn; a principal is here while it has a waiting job.
    turns: VecDeque<Principal>,
    waiting: BTreeMap<Principal, VecDeque<JobId>>,
    running: BTreeMap<JobId, Principal>,
    draining: bool,
}

impl Admission {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            expected: BTreeMap::new(),
            turns: VecDeque::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            draining: false,
        }
    }

    /// Gives a job of `principal` a place, before it is stored, or says why there is none.
    pub fn expect(&mut self, job: JobId, principal: &Principal) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::Draining);
        }
        if self.waiting() >= self.limits.queued {
            return Err(Refusal::QueueFull { limit: self.limits.queued });
        }
        let expected = self.expected.values().filter(|other| *other == principal).count();
        if self.waiting.get(principal).map_or(0, VecDeque::len) + expected >= self.limits.queued_per_principal
        {
            return Err(Refusal::PrincipalQueueFull { limit: self.limits.queued_per_principal });
        }
        self.expected.insert(job, principal.clone());
        Ok(())
    }

    /// Takes a job in, behind the others of its principal. It needs no place of its own: it was expected, or it waited in
    /// an earlier life.
    pub fn enqueue(&mut self, job: JobId, principal: Principal) {
        self.queue_of(principal).push_back(job);
        self.expected.remove(&job);
    }

    /// Takes a job in that had its turn and lost it: it goes first.
    pub fn put_back(&mut self, job: JobId, principal: Principal) {
        self.running.remove(&job);
        self.queue_of(principal).push_front(job);
    }

    fn queue_of(&mut self, principal: Principal) -> &mut VecDeque<JobId> {
        let queue = self.waiting.entry(principal.clone()).or_default();
        if queue.is_empty() {
            self.turns.push_back(principal);
        }
        queue
    }

    /// The next job to start, if one may start now. It counts as running from here on. A job that `may_start` holds back
    /// keeps its place, and others pass, those of its principal, too: who has one token for everything must not wait for a
    /// tool that is down with what never asked for it.
    pub fn start_next(&mut self, may_start: impl Fn(JobId) -> bool) -> Option<JobId> {
        if self.draining || self.running.len() >= self.limits.running {
            return None;
        }
        let ready = |principal| self.waiting.get(principal)?.iter().position(|job| may_start(*job));
        let (turn, place) =
            self.turns.iter().enumerate().find_map(|(turn, owner)| Some((turn, ready(owner)?)))?;
        let principal = self.turns.remove(turn)?;
        let queue = self.waiting.get_mut(&principal)?;
        let job = queue.remove(place)?;
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

    /// Takes a job out that is expected or waits; false when it does neither (any more).
    pub fn withdraw(&mut self, job: JobId) -> bool {
        if self.expected.remove(&job).is_some() {
            return true;
        }
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
        true
    }

    /// How many jobs start before this one, if nothing is held back; `None` when it does not wait. Principals take turns,
    /// so of each other's queue only as many go first as this job has before it in its own, and one more of those whose
    /// turn is sooner.
    pub fn ahead_of(&self, job: JobId) -> Option<usize> {
        let mut sooner = true;
        let (mut own, mut others) = (None, Vec::new());
        for principal in &self.turns {
            let queue = self.waiting.get(principal)?;
            match queue.iter().position(|waiting| *waiting == job) {
                Some(position) => {
                    own = Some(position);
                    sooner = false;
                }
                None => others.push((queue.len(), usize::from(sooner))),
            }
        }
        let own = own?;
        Some(own + others.into_iter().map(|(length, first)| length.min(own + first)).sum::<usize>())
    }

    /// From now on nobody comes in and nobody starts.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Jobs that have a place in the queue.
    pub fn waiting(&self) -> usize {
        self.expected.len() + self.waiting.values().map(VecDeque::len).sum::<usize>()
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

    fn start(admission: &mut Admission) -> Option<JobId> {
        admission.start_next(|_| true)
    }

    #[test]
    fn principals_take_turns() {
        let mut admission = Admission::new(Limits { running: 10, ..LIMITS });
        for number in 1..=3 {
            admission.enqueue(job(number), principal("greedy"));
        }
        admission.enqueue(job(9), principal("polite"));
        let order: Vec<_> = std::iter::from_fn(|| start(&mut admission)).collect();
        assert_eq!(order, [job(1), job(9), job(2), job(3)]);
    }

    #[test]
    fn no_more_run_than_may() {
        let mut admission = Admission::new(LIMITS);
        for number in 1..=3 {
            admission.enqueue(job(number), principal("a"));
        }
        assert!(start(&mut admission).is_some() && start(&mut admission).is_some());
        assert_eq!(start(&mut admission), None);
        admission.ended(job(1));
        assert_eq!(start(&mut admission), Some(job(3)));
    }

    #[test]
    fn each_refusal_names_its_limit() {
        let mut admission = Admission::new(LIMITS);
        for number in 1..=2 {
            admission.enqueue(job(number), principal("a"));
        }
        assert_eq!(admission.expect(job(3), &principal("a")), Ok(()));
        let full = Err(Refusal::PrincipalQueueFull { limit: 3 });
        assert_eq!(
            admission.expect(job(4), &principal("a")),
            full,
            "a place is kept while the job is stored"
        );
        assert_eq!(admission.expect(job(5), &principal("b")), Ok(()));
        assert_eq!(admission.expect(job(6), &principal("c")), Err(Refusal::QueueFull { limit: 4 }));
        assert!(admission.withdraw(job(5)));
        assert_eq!(admission.expect(job(6), &principal("c")), Ok(()));
        admission.drain();
        assert_eq!(admission.expect(job(7), &principal("c")), Err(Refusal::Draining));
    }

    #[test]
    fn a_withdrawn_job_never_starts_and_gives_its_place_back() {
        let mut admission = Admission::new(LIMITS);
        admission.enqueue(job(1), principal("a"));
        assert!(admission.withdraw(job(1)));
        assert!(!admission.withdraw(job(1)));
        assert_eq!((admission.waiting(), start(&mut admission)), (0, None));
        admission.enqueue(job(2), principal("a"));
        assert_eq!(start(&mut admission), Some(job(2)));
    }

    #[test]
    fn a_job_put_back_goes_first_and_one_held_back_lets_others_pass() {
        let mut admission = Admission::new(LIMITS);
        admission.enqueue(job(1), principal("a"));
        admission.enqueue(job(2), principal("a"));
        admission.enqueue(job(3), principal("b"));
        assert_eq!(start(&mut admission), Some(job(1)));
        admission.put_back(job(1), principal("a"));
        assert_eq!(admission.running(), 0);
        admission.enqueue(job(4), principal("a"));
        for other in [3, 2] {
            assert_eq!(admission.start_next(|waiting| waiting != job(1)), Some(job(other)));
            admission.ended(job(other));
        }
        assert_eq!(admission.start_next(|waiting| ![job(1), job(4)].contains(&waiting)), None);
        assert_eq!(start(&mut admission), Some(job(1)), "its place was kept");
    }

    proptest::proptest! {
        /// What a client is told comes true: started one by one, each job starts after as many as were ahead of it.
        #[test]
        fn a_place_in_the_queue_is_what_the_turns_will_make_it(owners in proptest::collection::vec(0_u8..4, 1..24), started in 0_usize..6) {
            let mut admission = Admission::new(Limits { running: 100, queued_per_principal: 100, queued: 100 });
            for (number, owner) in (0_u8..).zip(&owners) {
                admission.enqueue(job(number), principal(&owner.to_string()));
            }
            for _ in 0..started.min(owners.len() - 1) {
                start(&mut admission);
            }
            let told: BTreeMap<JobId, Option<usize>> =
                (0_u8..).zip(&owners).map(|(number, _)| (job(number), admission.ahead_of(job(number)))).collect();
            let order: Vec<_> = std::iter::from_fn(|| start(&mut admission)).collect();
            for (place, job) in order.iter().enumerate() {
                proptest::prop_assert_eq!(told[job], Some(place));
            }
        }
    }
}
