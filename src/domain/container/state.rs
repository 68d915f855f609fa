//! How a container stands, as far as is known.
//!
//! ```text
//! Created ──▶ Running ◀──▶ Paused
//!    └───────────┴────────────┴──▶ Exited ──▶ (stays: how it ended is more than that it is gone)
//!    └───────────┴────────────┴──▶ Gone        removed before its end was seen
//! ```
//! Reports come late, twice and out of order: nothing leads out of an end.

/// See the module's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    Created,
    Running(Health),
    /// Frozen by somebody: it takes connections and answers nothing.
    Paused,
    Exited(Exit),
    Gone,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Of its first process; 128 + the signal's number when one ended it.
    pub code: i64,
    /// The kernel ended one of its processes at its memory limit.
    pub oom_killed: bool,
}

/// What the container's own health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It has none.
    Unasked,
    Starting,
    Healthy,
    Unhealthy,
}

/// Something that was reported of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    Started,
    Paused,
    Unpaused,
    Health(Health),
    /// The kernel ended one of its processes, perhaps not the first.
    OutOfMemory,
    Died {
        code: i64,
    },
    Removed,
}

impl ContainerState {
    /// What it is after a report.
    pub fn after(self, happening: Happening) -> Self {
        match (self, happening) {
            (Self::Exited(exit), Happening::OutOfMemory) => Self::Exited(Exit { oom_killed: true, ..exit }),
            (Self::Exited(_) | Self::Gone, _) => self,
            (Self::Created, Happening::Started) => Self::Running(Health::Unasked),
            (Self::Paused, Happening::Unpaused) => Self::Running(Health::Unasked),
            (Self::Created | Self::Running(_), Happening::Health(health)) => Self::Running(health),
            (_, Happening::Paused) => Self::Paused,
            (_, Happening::Died { code }) => Self::Exited(Exit { code, oom_killed: false }),
            (_, Happening::Removed) => Self::Gone,
            (_, Happening::Started | Happening::Unpaused | Happening::Health(_) | Happening::OutOfMemory) => {
                self
            }
        }
    }

    /// What it is after somebody looked at it and saw `seen`.
    pub fn after_look(self, seen: Self) -> Self {
        match (self, seen) {
            (Self::Exited(known), Self::Exited(exit)) => {
                Self::Exited(Exit { oom_killed: known.oom_killed || exit.oom_killed, ..exit })
            }
            (Self::Exited(_) | Self::Gone, _) => self,
            // The look was taken before the start that was heard of since.
            (Self::Running(_) | Self::Paused, Self::Created) => self,
            (_, seen) => seen,
        }
    }

    /// Whether nothing more will become of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Exited(_) | Self::Gone)
    }

    /// For people.
    pub fn word(self) -> String {
        match self {
            Self::Created => "created".to_owned(),
            Self::Running(Health::Unhealthy) => "running, unhealthy".to_owned(),
            Self::Running(_) => "running".to_owned(),
            Self::Paused => "paused".to_owned(),
            Self::Exited(Exit { code, oom_killed: true }) => {
                format!("ended with {code}, out of memory")
            }
            Self::Exited(Exit { code, oom_killed: false }) => format!("ended with {code}"),
            Self::Gone => "gone".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: ContainerState = ContainerState::Running(Health::Unasked);
    const KILLED: ContainerState = ContainerState::Exited(Exit { code: 137, oom_killed: false });

    fn after(happenings: &[Happening]) -> ContainerState {
        happenings.iter().fold(ContainerState::Created, |state, happening| state.after(*happening))
    }

    #[test]
    fn a_life_is_followed() {
        use Happening::{Died, Paused, Removed, Started, Unpaused};
        assert_eq!(after(&[Started]), RUNNING);
        assert_eq!(after(&[Started, Paused]), ContainerState::Paused);
        assert_eq!(after(&[Started, Paused, Unpaused]), RUNNING);
        assert_eq!(after(&[Started, Died { code: 137 }]), KILLED);
        assert_eq!(after(&[Started, Removed]), ContainerState::Gone);
        let healthy = [Started, Happening::Health(Health::Healthy)];
        assert_eq!(after(&healthy), ContainerState::Running(Health::Healthy));
    }

    #[test]
    fn nothing_leads_out_of_an_end() {
        use Happening::{Died, Removed, Started};
        assert_eq!(after(&[Died { code: 137 }, Started, Removed, Died { code: 0 }]), KILLED);
        assert_eq!(KILLED.after_look(RUNNING), KILLED);
        assert_eq!(ContainerState::Gone.after_look(RUNNING), ContainerState::Gone);
        assert!(KILLED.is_over() && ContainerState::Gone.is_over() && !RUNNING.is_over());
    }

    #[test]
    fn out_of_memory_is_told_whenever_it_is_heard() {
        let oom = ContainerState::Exited(Exit { code: 137, oom_killed: true });
        assert_eq!(KILLED.after(Happening::OutOfMemory), oom);
        assert_eq!(KILLED.after_look(oom), oom);
        assert_eq!(oom.after_look(KILLED), oom);
        assert_eq!(RUNNING.after(Happening::OutOfMemory), RUNNING, "its first process may live on");
    }

    #[test]
    fn a_look_from_before_the_start_changes_nothing() {
        assert_eq!(RUNNING.after_look(ContainerState::Created), RUNNING);
        assert_eq!(ContainerState::Created.after_look(RUNNING), RUNNING);
        assert_eq!(RUNNING.after_look(ContainerState::Gone), ContainerState::Gone);
    }
}
