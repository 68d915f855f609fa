//! The promise: a tool that turns on us reaches nothing but its own run, under bubblewrap and without it, and a tool that does
//! its work notices nothing.

use proctor::actors::process::sandbox::Walls;
use proctor::actors::process::{How, Obstacle, Sandbox, run, survey};
use tokio_util::sync::CancellationToken;

use crate::sandbox_world::{ALL, NO_BUBBLEWRAP, Prison, Said};

/// Where an attempt must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Everywhere,
    /// Landlock does not know it; `docs/sandbox.md` says so.
    ByBubblewrap,
}

use Held::{ByBubblewrap, Everywhere};

/// Name, arguments (`{name}` stands for a thing of the prison), where it is held.
const ATTEMPTS: &[(&str, &str, Held)] = &[
    ("create:in-snapshot", "{snapshot}/new", Everywhere),
    ("write:snapshot", "{snapshot}/app.py", Everywhere),
    ("map_for_writing:snapshot", "{snapshot}/app.py", Everywhere),
    ("reopen_for_writing:snapshot", "{snapshot}/app.py", Everywhere),
    ("write:rules", "{rules}/r.yaml", Everywhere),
    ("write:tool-config", "{tool_config}/c.toml", Everywhere),
    ("create:in-etc", "/etc/proctor-escape", Everywhere),
    ("create:in-usr", "/usr/proctor-escape", Everywhere),
    ("write:database", "{proctor.db}", Everywhere),
    ("read:token", "{token}", Everywhere),
    ("read:ssh", "{home}/.ssh/id", Everywhere),
    ("read:shadow", "/etc/shadow", Everywhere),
    ("read:other-run", "{run-b}/work/report", Everywhere),
    ("execute:hidden", "{bin}/hidden", Everywhere),
    ("through_symlink", "{work},{proctor.db}", Everywhere),
    ("through_hard_link", "{work},{token}", Everywhere),
    ("through_dots", "{work},{token}", Everywhere),
    ("through_directory_swap", "{work},{proctor.db}", Everywhere),
    ("move_out", "{work},{home}", Everywhere),
    ("read:environ", "/proc/{bystander}/environ", Everywhere),
    ("open_for_writing:mem", "/proc/{bystander}/mem", Everywhere),
    ("read:through-root", "/proc/{bystander}/root{token}", Everywhere),
    ("read:daemon-environ", "/proc/{daemon}/environ", Everywhere),
    ("see_process", "{bystander}", Everywhere),
    ("read:cmdline", "/proc/{bystander}/cmdline", ByBubblewrap),
    ("unix:docker", "{docker.sock}", Everywhere),
    ("abstract", "{abstract}", Everywhere),
    ("tcp", "{tcp}", Everywhere),
    ("udp", "{udp}", Everywhere),
    ("listen", "", Everywhere),
    ("packet_socket", "", Everywhere),
    ("netlink", "", Everywhere),
    ("attach", "{bystander}", Everywhere),
    ("vm_read", "{bystander}", Everywhere),
    ("reaches:kcmp", "kcmp,{bystander},{bystander},0,0,0", Everywhere),
    ("pidfd_kill", "{bystander}", Everywhere),
    ("kill:probe", "{bystander},0", Everywhere),
    ("kill:daemon", "{daemon},0", Everywhere),
    ("mount_over", "{work}", Everywhere),
    ("remount", "{snapshot}", Everywhere),
    ("reaches:chroot", "chroot,0", Everywhere),
    ("reaches:pivot_root", "pivot_root,0,0", Everywhere),
    ("reaches:open_tree", "open_tree,-1,0,0", Everywhere),
    ("reaches:fsopen", "fsopen,0,0", Everywhere),
    ("reaches:unshare", "unshare,0x10000000", Everywhere),
    ("reaches:setns", "setns,-1,0", Everywhere),
    ("clone_namespace", "", Everywhere),
    ("thread_in_namespace", "", Everywhere),
    ("reaches:keyctl", "keyctl,0,-2,1,0,0", Everywhere),
    ("reaches:add_key", "add_key,0,0,0,0,-2", Everywhere),
    ("reaches:bpf", "bpf,-1,0,0", Everywhere),
    ("reaches:perf", "perf_event_open,0,0,-1,-1,0", Everywhere),
    ("reaches:userfaultfd", "userfaultfd,-1", Everywhere),
    ("reaches:io_uring", "io_uring_setup,0,0", Everywhere),
    ("reaches:kexec", "kexec_load,0,0,0,-1", Everywhere),
    ("reaches:module", "init_module,0,0,0", Everywhere),
    ("reaches:reboot", "reboot,0,0,0,0", Everywhere),
    ("reaches:swap", "swapon,0,0", Everywhere),
    ("reaches:acct", "acct,1", Everywhere),
    ("reaches:handle", "open_by_handle_at,-1,0,0", Everywhere),
    ("reaches:hostname", "sethostname,0,-1", Everywhere),
    ("open_for_writing:core-pattern", "/proc/sys/kernel/core_pattern", Everywhere),
    ("open_for_writing:sysrq", "/proc/sysrq-trigger", Everywhere),
    ("device", "{work}", Everywhere),
    ("set_id:user", "{work},4000", Everywhere),
    ("set_id:group", "{work},2000", Everywhere),
    ("create_set_id", "{work}", Everywhere),
    ("type_on_terminal", "", Everywhere),
    ("capabilities", "", Everywhere),
    // Not known to landlock: it looks at opening, not at what names a file.
    ("chmod:snapshot", "{snapshot}/app.py", ByBubblewrap),
    ("touch:snapshot", "{snapshot}/app.py", ByBubblewrap),
];

/// What an honest tool does.
const WORK: &[(&str, &str)] = &[
    ("read:snapshot", "{snapshot}/app.py"),
    ("read:rules", "{rules}/r.yaml"),
    ("read:tool-config", "{tool_config}/c.toml"),
    ("rewrite:work", "{work}"),
    ("home", ""),
    ("temporary", ""),
    ("threads", ""),
    ("pool", ""),
    ("child", ""),
    ("pair", ""),
    ("devices", ""),
    ("itself", ""),
    ("tls", ""),
];

fn filled(prison: &Prison, name: &str, arguments: &str) -> String {
    let mut text = arguments.to_owned();
    let here = [
        ("{work}", prison.path("run-a/work").display().to_string()),
        ("{bystander}", prison.bystander().to_string()),
        ("{daemon}", std::process::id().to_string()),
        ("{abstract}", prison.abstract_name.clone()),
        ("{tcp}", prison.tcp.local_addr().unwrap().port().to_string()),
        ("{udp}", prison.udp.local_addr().unwrap().port().to_string()),
    ];
    for (mark, value) in here {
        text = text.replace(mark, &value);
    }
    // Every other mark is a path of the prison.
    while let Some((before, rest)) = text.split_once('{') {
        let (mark, after) = rest.split_once('}').unwrap();
        text = format!("{before}{}{after}", prison.path(mark).display());
    }
    format!("{name}={text}")
}

/// Each on its own ground: an attempt may leave something in the way of the next.
async fn outcomes(sandbox: impl Fn(&Prison) -> Option<Sandbox>) -> Vec<(&'static str, Held, Said)> {
    let mut prison = Prison::new();
    let attempts: Vec<String> =
        ATTEMPTS.iter().map(|(name, arguments, _)| filled(&prison, name, arguments)).collect();
    let said = prison.try_all(sandbox(&prison), &attempts).await;
    assert!(prison.bystander_lives());
    ATTEMPTS.iter().map(|(name, _, held)| (*name, *held, said[*name].clone())).collect()
}

#[tokio::test]
async fn every_way_out_is_closed() {
    for walls in [ALL, NO_BUBBLEWRAP] {
        let outcomes = outcomes(|prison| Some(prison.sandbox(walls))).await;
        let held = |held: Held| walls.bubblewrap || held == Everywhere;
        let wrong: Vec<_> = outcomes
            .into_iter()
            .filter(|(_, where_held, said)| held(*where_held) != matches!(said, Said::Held(_)))
            .collect();
        assert!(wrong.is_empty(), "with {walls:?}: {wrong:#?}");
    }
}

#[tokio::test]
async fn every_way_out_is_open_without_walls() {
    // Else the attempts prove nothing. Some need root, and some a kernel that has what they ask for.
    let root = nix::unistd::geteuid().is_root();
    let absent = |error: &str| ["Function not implemented", "No such file or directory"].contains(&error);
    let outcomes = outcomes(|_| None).await;
    let wrong: Vec<_> = outcomes
        .into_iter()
        .filter(|(_, _, said)| match said {
            Said::Escaped(_) => false,
            Said::Held(error) => root && !absent(error),
            Said::Broken(_) => true,
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_an_honest_tool_does_works() {
    for walls in [ALL, NO_BUBBLEWRAP, Walls::NONE] {
        let prison = Prison::new();
        let work: Vec<String> =
            WORK.iter().map(|(name, arguments)| filled(&prison, name, arguments)).collect();
        let said = prison.try_all(Some(prison.sandbox(walls)), &work).await;
        let wrong: Vec<_> = said.iter().filter(|(_, said)| !matches!(said, Said::Escaped(_))).collect();
        assert!(wrong.is_empty(), "with {walls:?}: {wrong:#?}");
    }
}

#[tokio::test]
async fn a_tool_that_may_use_the_network_reaches_it_and_no_more() {
    for walls in [ALL, NO_BUBBLEWRAP] {
        let prison = Prison::new();
        let sandbox = Sandbox { network: true, ..prison.sandbox(walls) };
        let tries: Vec<String> = [
            ("tcp", "{tcp}"),
            ("udp", "{udp}"),
            ("listen", ""),
            ("unix", "{docker.sock}"),
            ("abstract", "{abstract}"),
        ]
        .map(|(name, arguments)| filled(&prison, name, arguments))
        .to_vec();
        let said = prison.try_all(Some(sandbox), &tries).await;
        for name in ["tcp", "udp", "listen"] {
            assert!(matches!(said[name], Said::Escaped(_)), "{name} with {walls:?}: {said:?}");
        }
        for name in ["unix", "abstract"] {
            assert!(matches!(said[name], Said::Held(_)), "{name} with {walls:?}: {said:?}");
        }
        assert!(prison.tcp.accept().is_ok());
        assert_eq!(prison.udp.recv(&mut [0; 16]).unwrap(), b"escaped".len());
    }
}

#[tokio::test]
async fn this_machine_has_every_wall() {
    let survey = survey(Some(env!("CARGO_BIN_EXE_proctor").into())).await;
    assert_eq!(survey.walls(), Walls::ALL, "{survey}");
}

#[tokio::test]
async fn a_required_sandbox_without_a_wall_around_files_starts_nothing() {
    let prison = Prison::new();
    let only_seccomp = Walls { seccomp: true, ..Walls::NONE };
    let mut sandbox = prison.sandbox(only_seccomp);
    let order = [filled(&prison, "rewrite:work", "{work}")];
    assert!(matches!(prison.try_all(Some(sandbox.clone()), &order).await["rewrite:work"], Said::Escaped(_)));
    sandbox.required = true;
    let ended = run(prison.command(Some(sandbox), &order), CancellationToken::new()).await;
    assert!(matches!(&ended.how, How::NotStarted { obstacle: Obstacle::NoSandbox, .. }), "{ended:?}");
}
