//! What is asked of the sandbox, and what came of it. Plain data.

use std::fmt;
use std::path::PathBuf;

/// What a run may see and touch besides the system's programs and libraries, its own program, and its private `HOME`
/// and `TMPDIR`. Absolute paths; one that does not exist is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Files and directories, with all that is below them, to read and execute.
    pub readable: Vec<PathBuf>,
    /// The same, to change as well.
    pub writable: Vec<PathBuf>,
    /// Whether it may talk to other machines and to this one.
    pub network: bool,
    /// Whether to start nothing rather than start without a wall around the file system.
    pub required: bool,
    /// The walls to build: `None` is every one that works on this machine.
    pub walls: Option<Walls>,
}

impl Sandbox {
    /// Whether bubblewrap stands between the daemon and the tool.
    pub(in super::super) fn has_bubblewrap(&self) -> bool {
        self.walls.is_some_and(|walls| walls.bubblewrap)
    }
}

/// A choice of walls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walls {
    pub bubblewrap: bool,
    pub landlock: bool,
    pub seccomp: bool,
}

impl Walls {
    pub const NONE: Self = Self { bubblewrap: false, landlock: false, seccomp: false };
    pub const ALL: Self = Self { bubblewrap: true, landlock: true, seccomp: true };

    /// Whether files are out of reach.
    pub const fn guards_files(self) -> bool {
        self.bubblewrap || self.landlock
    }
}

/// The walls a run had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Built {
    pub bubblewrap: bool,
    /// The version of the kernel's interface that was enforced, from 1; 0 is no wall.
    pub landlock_abi: u8,
    pub seccomp: bool,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bubblewrap, landlock_abi, seccomp } = *self;
        let landlock = format!("landlock {landlock_abi}");
        let walls = [(bubblewrap, "bubblewrap"), (landlock_abi > 0, &landlock), (seccomp, "seccomp")];
        let names: Vec<&str> = walls.into_iter().filter_map(|(there, name)| there.then_some(name)).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}
