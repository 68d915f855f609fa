use super::*;

const EVERY: [Sockets; 4] = [
    Sockets { network: false, local: false },
    Sockets { network: false, local: true },
    Sockets { network: true, local: false },
    Sockets { network: true, local: true },
];

/// The kernel takes no more instructions.
const INSTRUCTIONS_MAX: usize = 4096;

#[test]
fn every_filter_compiles_and_fits_the_kernel() {
    for sockets in EVERY {
        for program in programs(sockets).unwrap() {
            assert!(
                !program.is_empty() && program.len() < INSTRUCTIONS_MAX,
                "{sockets:?}: {}",
                program.len()
            );
        }
    }
}

#[test]
fn no_call_is_refused_that_every_program_makes() {
    let needed = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_execve,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_prctl,
        libc::SYS_socketpair,
        libc::SYS_seccomp,
        libc::SYS_landlock_restrict_self,
    ];
    let rules = refused(EVERY[0]).unwrap();
    for call in needed {
        assert!(!rules.contains_key(&call), "{call}");
    }
    // With arguments that matter: never the whole call.
    for call in [libc::SYS_clone, libc::SYS_ioctl, libc::SYS_openat, libc::SYS_fchmodat, libc::SYS_socket] {
        assert!(rules.get(&call).is_some_and(|rules| !rules.is_empty()), "{call}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_second_number_of_a_call_is_refused_as_the_first() {
    let rules = refused(EVERY[0]).unwrap();
    for (call, rule) in rules.iter().filter(|(call, _)| **call < 0x4000_0000) {
        assert_eq!(rules.get(&(call + 0x4000_0000)), Some(rule));
    }
}
