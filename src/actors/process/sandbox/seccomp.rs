//! The wall of system calls: a list of what no analyser needs, refused with "operation not permitted". A list of what is
//! refused and not of what is allowed: runtimes differ and change, and an analyser that is killed for a harmless call is a
//! scan lost. The walls around files and processes do not rest on this one.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// Refused whatever the arguments.
const REFUSED: &[i64] = &[
    // Other processes' memory, files and secrets.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    // What is mounted, and which namespace one is in.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Large pieces of the kernel with a history of holes, and ways around this very filter.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // The machine as a whole.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
];

/// The same, of this architecture alone.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// The flags of `clone` that make namespaces: inside of one of its own a process is root again.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Requests to a terminal that type on it: what the daemon's user typed last is what the shell behind it runs next.
const TYPING: &[u64] = &[0x5412 /* TIOCSTI */, 0x541C /* TIOCLINUX */];

/// A file that others run as its owner.
const SET_ID_BITS: &[u32] = &[libc::S_ISUID, libc::S_ISGID];

/// Which calls take a file's mode, and in which argument.
const MODES: &[(i64, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (libc::SYS_fchmodat2, 2),
    (libc::SYS_mknodat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, 1),
];

/// Those that take one only when their flags, the argument before it, ask for a new file; else it is any number.
const MODES_OF_NEW_FILES: &[(i64, u8)] = &[
    (libc::SYS_openat, 3),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 2),
];

/// Which kinds of sockets a tool may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sockets {
    /// To other machines, and to ask for addresses.
    pub network: bool,
    /// To sockets in the file system. Only where none that matter are in sight: Docker's is root.
    pub local: bool,
}

/// Filters this thread and all that it becomes or starts.
pub(super) fn enforce(sockets: Sockets) -> Result<(), seccompiler::Error> {
    for program in programs(sockets)? {
        apply_filter(&program)?;
    }
    Ok(())
}

fn programs(sockets: Sockets) -> Result<[BpfProgram; 2], seccompiler::Error> {
    // Its flags are behind a pointer, where no filter sees them. Told that it does not exist, the C library takes `clone`.
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new()), (libc::SYS_openat2, Vec::new())]);
    Ok([program(refused(sockets)?, libc::EPERM)?, program(absent, libc::ENOSYS)?])
}

fn refused(sockets: Sockets) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
    let flags = NAMESPACES.iter().map(|flag| bits(0, u64::from(flag.unsigned_abs())));
    rules.insert(libc::SYS_clone, flags.collect::<Result<_, _>>()?);
    let requests = TYPING.iter().map(|request| equals(1, *request));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    for (call, argument) in MODES {
        let modes = SET_ID_BITS.iter().map(|bit| bits(*argument, u64::from(*bit)));
        rules.insert(*call, modes.collect::<Result<_, _>>()?);
    }
    for (call, argument) in MODES_OF_NEW_FILES {
        let modes = SET_ID_BITS.iter().map(|bit| new_file_bits(*argument, u64::from(*bit)));
        rules.insert(*call, modes.collect::<Result<_, _>>()?);
    }
    rules.insert(libc::SYS_socket, vec![sockets.others()?]);
    Ok(both_interfaces(rules))
}

impl Sockets {
    /// Every family but those that are allowed.
    fn others(self) -> Result<SeccompRule, seccompiler::BackendError> {
        let network: &[i32] =
            if self.network { &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] } else { &[] };
        let local: &[i32] = if self.local { &[libc::AF_UNIX] } else { &[] };
        // At least one condition: a rule without any is an error.
        let allowed = [libc::AF_UNSPEC].iter().chain(network).chain(local);
        let family = |family: &i32| u64::from(family.unsigned_abs());
        let differs =
            |wanted| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family(wanted));
        SeccompRule::new(allowed.map(differs).collect::<Result<_, _>>()?)
    }
}

fn new_file_bits(argument: u8, mode: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let create = u64::from(libc::O_CREAT.unsigned_abs());
    SeccompRule::new(vec![has(argument - 1, create)?, has(argument, mode)?])
}

fn bits(argument: u8, bits: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![has(argument, bits)?])
}

fn has(argument: u8, bits: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), bits)
}

fn equals(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
    SeccompRule::new(vec![condition])
}

/// On x86-64 every call has a second number, of the interface for 32-bit pointers, where the kernel has that.
#[cfg(target_arch = "x86_64")]
fn both_interfaces(mut rules: BTreeMap<i64, Vec<SeccompRule>>) -> BTreeMap<i64, Vec<SeccompRule>> {
    const X32: i64 = 0x4000_0000;
    let second: Vec<_> = rules.iter().map(|(call, rules)| (call + X32, rules.clone())).collect();
    rules.extend(second);
    rules
}

#[cfg(not(target_arch = "x86_64"))]
fn both_interfaces(rules: BTreeMap<i64, Vec<SeccompRule>>) -> BTreeMap<i64, Vec<SeccompRule>> {
    rules
}

fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<BpfProgram, seccompiler::Error> {
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
