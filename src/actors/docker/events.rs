//! The engine's events, in our words, each once. A stream that is opened again begins with the last event of the one before,
//! so events are told apart by time, object and action.

use std::collections::BTreeSet;

use bollard::models::EventMessage;

use crate::domain::container::{Happening, Health};

/// What was taken from a stream so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where the first stream begins, in nanoseconds of our clock: the engine's may be another.
    began: i64,
    /// Nanoseconds of the engine's clock at the latest event; 0 before the first.
    latest: i64,
    /// The events of that very nanosecond: (object, action).
    at_latest: BTreeSet<(String, String)>,
}

/// An event about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub container: String,
    pub happening: Happening,
}

impl Seen {
    /// From a point in time on, in seconds of the Unix clock.
    pub fn since(unix_s: i64) -> Self {
        Self { began: unix_s.saturating_mul(NANOS), ..Self::default() }
    }

    /// For the request that opens a stream: `seconds.nanoseconds`.
    pub fn resume(&self) -> String {
        let from = if self.latest == 0 { self.began } else { self.latest };
        format!("{}.{:09}", from.div_euclid(NANOS), from.rem_euclid(NANOS))
    }

    /// What an event says, unless it was heard before or says nothing of a container's life.
    pub fn take(&mut self, event: &EventMessage) -> Option<Told> {
        let actor = event.actor.as_ref()?;
        let (container, action) = (actor.id.clone()?, event.action.clone()?);
        self.is_new(event.time_nano.unwrap_or_default(), &container, &action).then_some(())?;
        let said = |name: &str| actor.attributes.as_ref()?.get(name).cloned();
        // With arguments behind a colon: `health_status: healthy`, `exec_create: sh`.
        let (verb, rest) = action.split_once(": ").unwrap_or((&action, ""));
        let happening = match verb {
            "start" => Happening::Started,
            "pause" => Happening::Paused,
            "unpause" => Happening::Unpaused,
            "oom" => Happening::OutOfMemory,
            "die" => {
                Happening::Died { code: said("exitCode").and_then(|code| code.parse().ok()).unwrap_or(-1) }
            }
            "destroy" => Happening::Removed,
            "health_status" if rest == "healthy" => Happening::Health(Health::Healthy),
            "health_status" if rest == "unhealthy" => Happening::Health(Health::Unhealthy),
            _ => return None,
        };
        Some(Told { container, happening })
    }

    fn is_new(&mut self, time: i64, container: &str, action: &str) -> bool {
        if time > self.latest {
            self.latest = time;
            self.at_latest.clear();
        }
        time == self.latest && self.at_latest.insert((container.to_owned(), action.to_owned()))
    }
}

/// In a second.
const NANOS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::models::EventActor;

    use super::*;

    fn event(nanos: i64, id: &str, action: &str) -> EventMessage {
        let attributes = HashMap::from([("exitCode".to_owned(), "137".to_owned())]);
        let actor = EventActor { id: Some(id.to_owned()), attributes: Some(attributes) };
        EventMessage {
            action: Some(action.to_owned()),
            actor: Some(actor),
            time_nano: Some(nanos),
            ..EventMessage::default()
        }
    }

    fn take(seen: &mut Seen, nanos: i64, id: &str, action: &str) -> Option<Happening> {
        seen.take(&event(nanos, id, action)).map(|told| told.happening)
    }

    #[test]
    fn the_last_event_of_a_stream_is_not_heard_again_from_the_next() {
        let mut seen = Seen::default();
        assert_eq!(take(&mut seen, 1_500_000_007, "a", "start"), Some(Happening::Started));
        assert_eq!(take(&mut seen, 2_000_000_000, "a", "die"), Some(Happening::Died { code: 137 }));
        assert_eq!(take(&mut seen, 2_000_000_000, "b", "die"), Some(Happening::Died { code: 137 }));
        assert_eq!(seen.resume(), "2.000000000");
        for id in ["a", "b"] {
            assert_eq!(take(&mut seen, 2_000_000_000, id, "die"), None, "{id} again");
        }
        assert_eq!(take(&mut seen, 2_000_000_000, "a", "destroy"), Some(Happening::Removed));
        assert_eq!(take(&mut seen, 1_500_000_007, "a", "start"), None, "from before");
    }

    #[test]
    fn an_engine_whose_clock_is_behind_is_heard() {
        let mut seen = Seen::since(1_000);
        assert_eq!(take(&mut seen, 900 * NANOS, "a", "start"), Some(Happening::Started));
        assert_eq!(seen.resume(), "900.000000000");
    }

    #[test]
    fn what_says_nothing_of_a_life_is_passed_over() {
        let mut seen = Seen::since(10);
        assert_eq!(seen.resume(), "10.000000000");
        for action in ["exec_create: sh", "attach", "create", "health_status: odd", "kill", "oomething"] {
            assert_eq!(take(&mut seen, 11 * NANOS, "a", action), None, "{action}");
        }
        let healthy = take(&mut seen, 12 * NANOS, "a", "health_status: healthy");
        assert_eq!(healthy, Some(Happening::Health(Health::Healthy)));
    }
}
