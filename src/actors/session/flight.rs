//! Which requests of one session run, and which wait for their turn. Pure: it decides, the session acts.

use std::collections::{HashMap, VecDeque};

use crate::protocol::jsonrpc::Id;

/// Requests by id. `W` is work that waits, `H` holds running work.
#[derive(Debug)]
pub struct Flight<W, H> {
    running_max: usize,
    running: HashMap<Id, H>,
    parked: VecDeque<(Id, W)>,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<W> {
    /// There is a place: start it, then say so with [`Flight::started`].
    Start(W),
    /// It waits; [`Flight::next_up`] will hand it out.
    Parked,
    /// Its id is in use; the request that has it goes on.
    Duplicate,
}

/// What a cancel met.
#[derive(Debug, PartialEq, Eq)]
pub enum Cancelled<'a, W, H> {
    /// End it; its place is free when it has ended.
    Running(&'a H),
    /// It never started.
    Parked(W),
    /// Answered already, or never there: nothing to do.
    Unknown,
}

impl<W, H> Flight<W, H> {
    pub fn new(running_max: usize) -> Self {
        Self { running_max, running: HashMap::new(), parked: VecDeque::new() }
    }

    pub fn offer(&mut self, id: &Id, work: W) -> Offer<W> {
        let parked = self.parked.iter().any(|(waiting, _)| waiting == id);
        if parked || self.running.contains_key(id) {
            return Offer::Duplicate;
        }
        if self.has_place() && self.parked.is_empty() {
            return Offer::Start(work);
        }
        self.parked.push_back((id.clone(), work));
        Offer::Parked
    }

    pub fn started(&mut self, id: Id, handle: H) {
        self.running.insert(id, handle);
    }

    pub fn ended(&mut self, id: &Id) {
        self.running.remove(id);
    }

    /// The next to start, if one waits and there is a place: first come, first served.
    pub fn next_up(&mut self) -> Option<(Id, W)> {
        if self.has_place() { self.parked.pop_front() } else { None }
    }

    pub fn cancel(&mut self, id: &Id) -> Cancelled<'_, W, H> {
        if let Some(at) = self.parked.iter().position(|(waiting, _)| waiting == id) {
            return self.parked.remove(at).map_or(Cancelled::Unknown, |(_, work)| Cancelled::Parked(work));
        }
        self.running.get(id).map_or(Cancelled::Unknown, Cancelled::Running)
    }

    fn has_place(&self) -> bool {
        self.running.len() < self.running_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        serde_json::from_str(&number.to_string()).expect("an id")
    }

    #[test]
    fn what_waits_starts_in_order_as_places_become_free() {
        let mut flight = Flight::<&str, ()>::new(1);
        assert_eq!(flight.offer(&id(0), "a"), Offer::Start("a"));
        flight.started(id(0), ());
        assert_eq!(flight.offer(&id(1), "b"), Offer::Parked);
        assert_eq!(flight.offer(&id(2), "c"), Offer::Parked);
        assert_eq!(flight.next_up(), None);
        flight.ended(&id(0));
        assert_eq!(flight.next_up(), Some((id(1), "b")));
        assert_eq!(flight.offer(&id(3), "d"), Offer::Parked, "nobody overtakes who waits");
    }

    #[test]
    fn an_id_in_use_is_refused_whether_it_runs_or_waits() {
        let mut flight = Flight::<&str, ()>::new(1);
        flight.started(id(0), ());
        assert_eq!(flight.offer(&id(1), "b"), Offer::Parked);
        assert_eq!(flight.offer(&id(0), "x"), Offer::Duplicate);
        assert_eq!(flight.offer(&id(1), "x"), Offer::Duplicate);
        flight.ended(&id(0));
        assert_eq!(flight.offer(&id(0), "x"), Offer::Parked, "free again once answered");
    }

    #[test]
    fn a_cancel_finds_what_runs_and_what_waits() {
        let mut flight = Flight::<&str, u8>::new(1);
        flight.started(id(0), 7);
        assert_eq!(flight.offer(&id(1), "b"), Offer::Parked);
        assert_eq!(flight.cancel(&id(0)), Cancelled::Running(&7));
        assert_eq!(flight.cancel(&id(1)), Cancelled::Parked("b"));
        assert_eq!(flight.cancel(&id(1)), Cancelled::Unknown);
        assert_eq!(flight.next_up(), None, "a cancelled call keeps its place until it has ended");
    }
}
