//! The wall of rules: files, ports, and signals and abstract sockets beyond the sandbox, refused by the kernel. What it does
//! not know: who changes a file's mode, owner or times, and (up to version 8) sockets in the file system.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use nix::errno::Errno;

use super::view::Entry;

/// The newest version whose rights were looked at here. On an older kernel the rest is left out.
const KNOWN: ABI = ABI::V7;

/// The rights nobody gets, whatever they may write: devices are doors out.
fn devices() -> BitFlags<AccessFs> {
    AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev
}

/// Restricts this thread and all that it becomes or starts; the version that is enforced.
pub(super) fn enforce(view: &[Entry], network: bool) -> Result<u8, Errno> {
    let status = rules(view, network).map_err(|_| Errno::EINVAL)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Err(Errno::EOPNOTSUPP),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi.min(KNOWN) as u8),
        (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => Err(Errno::EOPNOTSUPP),
    }
}

fn rules(view: &[Entry], network: bool) -> Result<landlock::RestrictionStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?;
    if !network {
        // Handled, and no rule for any port.
        ruleset = ruleset.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let (mut readable, mut writable) = (vec![PathBuf::from("/proc")], Vec::new());
    for entry in view {
        match entry {
            Entry::Readable(path) => readable.push(path.clone()),
            Entry::Writable(path) | Entry::Own(path) => writable.push(path.clone()),
            // What it leads to has a rule of its own.
            Entry::Link { .. } => {}
        }
    }
    ruleset
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(KNOWN)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(KNOWN) & !devices()))?
        .restrict_self()
}
