//! The sandbox of one run, worked out: all that the shim needs to build it.

use nix::errno::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::super::told::Failure;
use super::view::{self, Entry, Surroundings};
use super::wish::{Built, Sandbox, Walls};
use super::{landlock, seccomp};

/// The walls to build, and what is inside of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Enclosure {
    pub walls: Walls,
    pub network: bool,
    /// Parents before what is below them.
    pub view: Vec<Entry>,
}

impl Enclosure {
    /// `None` when no wall is to be built. Looks at the file system.
    pub(in super::super) fn new(sandbox: &Sandbox, surroundings: &Surroundings<'_>) -> Option<Self> {
        let walls = sandbox.walls.unwrap_or(Walls::NONE);
        let view = || view::view(sandbox, surroundings, walls.bubblewrap);
        (walls != Walls::NONE).then(|| Self { walls, network: sandbox.network, view: view() })
    }

    /// Builds the inner walls around this process and all that it becomes or starts.
    pub(in super::super) fn close(&self) -> Result<Built, Failure> {
        let Walls { bubblewrap, landlock, seccomp } = self.walls;
        let nothing = CapabilitySet::empty();
        let none = CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
        // A tool of a daemon that is root; `no_new_privs` keeps it from getting them back.
        set_capabilities(None, none)
            .map_err(|error| Failure::new("give up capabilities", Errno::from_raw(error.raw_os_error())))?;
        let mut built = Built { bubblewrap, ..Built::default() };
        if landlock {
            built.landlock_abi = landlock::enforce(&self.view, self.network)
                .map_err(|errno| Failure::new("enforce landlock", errno))?;
        }
        if seccomp {
            // Last: nothing that builds a wall is allowed after it.
            seccomp::enforce(seccomp::Sockets { network: self.network, local: bubblewrap })
                .map_err(|_| Failure::new("install the filter of system calls", Errno::EINVAL))?;
            built.seccomp = true;
        }
        Ok(built)
    }
}
