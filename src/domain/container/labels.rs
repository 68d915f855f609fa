//! What every object of ours in an engine carries, and which of those found there belong to nobody any more.

use std::collections::{BTreeMap, HashMap};

use crate::domain::ids::{BootId, DaemonId, JobId, RunId};

/// On everything; its value is the object's word.
pub const PROCTOR: &str = "proctor";
/// Whose it is: the data directory's id, so that two daemons on one engine leave each other alone.
pub const DAEMON: &str = "proctor.daemon";
/// In which life it was made.
pub const BOOT: &str = "proctor.boot";
pub const JOB: &str = "proctor.job";
pub const RUN: &str = "proctor.run";

/// Which daemon this is, and which of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub daemon: DaemonId,
    pub boot: BootId,
}

/// For whom an object was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    pub job: Option<JobId>,
    pub run: Option<RunId>,
}

impl Identity {
    /// The labels of a new object.
    pub fn labels(&self, owner: Owner, word: &str) -> BTreeMap<String, String> {
        let always =
            [(PROCTOR, word.to_owned()), (DAEMON, self.daemon.to_string()), (BOOT, self.boot.to_string())];
        let job = owner.job.map(|job| (JOB, job.to_string()));
        let run = owner.run.map(|run| (RUN, run.to_string()));
        let all = always.into_iter().chain(job).chain(run);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The filter that finds all objects of this daemon, whatever the life.
    pub fn filter(&self) -> String {
        format!("{DAEMON}={}", self.daemon)
    }

    /// Whether an object that was found has nobody: it is ours, and either of another life or held by nobody in this one.
    pub fn is_orphan(&self, labels: &HashMap<String, String>, is_held: bool) -> bool {
        let says = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
        let ours = labels.contains_key(PROCTOR) && says(DAEMON, &self.daemon.to_string());
        ours && !(is_held && says(BOOT, &self.boot.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(daemon: u8, boot: u8) -> Identity {
        let (daemon, boot) = ([daemon; 16], [boot; 16]);
        Identity { daemon: DaemonId::from_random(daemon), boot: BootId::from_random(boot) }
    }

    fn labels(identity: Identity) -> HashMap<String, String> {
        identity.labels(Owner::default(), "app").into_iter().collect()
    }

    #[test]
    fn an_object_says_whose_it_is() {
        let owner = Owner { job: Some(JobId::from_random([3; 16])), run: Some(RunId::from_random([4; 16])) };
        let labels = identity(1, 2).labels(owner, "zap");
        let keys: Vec<&str> = labels.keys().map(String::as_str).collect();
        assert_eq!(keys, [PROCTOR, BOOT, DAEMON, JOB, RUN]);
        assert_eq!((labels[PROCTOR].as_str(), &labels[JOB]), ("zap", &"03".repeat(16)));
        assert_eq!(identity(1, 2).filter(), format!("{DAEMON}={}", "01".repeat(16)));
    }

    #[test]
    fn orphans_are_ours_and_of_nobody() {
        let now = identity(1, 2);
        assert!(now.is_orphan(&labels(identity(1, 1)), false), "an earlier life's");
        assert!(
            now.is_orphan(&labels(identity(1, 1)), true),
            "an earlier life's, of a name that is in use again"
        );
        assert!(now.is_orphan(&labels(now), false), "of this life, and nobody holds it");
        assert!(!now.is_orphan(&labels(now), true), "in use");
        assert!(!now.is_orphan(&labels(identity(9, 2)), false), "another daemon's");
        assert!(!now.is_orphan(&HashMap::new(), false), "somebody else's");
    }
}
