//! The promise: whatever a tool does, its run ends in bounded time, is told apart from every other end, and leaves nothing.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proctor::actors::process::{Containment, How, MemoryLimit, Obstacle, run};
use tokio_util::sync::CancellationToken;

use crate::process_world::{PATIENCE, World, alone_after, containments, processes_of, text, until};

/// What each mode of `fake-tool` must end as, when nobody interferes.
pub const ENDS: &[(&[&str], How)] = &[
    (&["succeed"], How::Exited(0)),
    (&["fail"], How::Exited(3)),
    (&["fail", "113"], How::Exited(113)),
    (&["fail", "255"], How::Exited(255)),
    (&["findings"], How::Exited(1)),
    (&["garbage"], How::Exited(0)),
    (&["half"], How::Exited(0)),
    (&["die"], How::Signalled(11)),
    (&["die", "KILL"], How::Signalled(9)),
    (&["die", "TERM"], How::Signalled(15)),
    (&["linger"], How::Exited(0)),
    (&["hold-pipe"], How::Exited(0)),
    (&["escape"], How::Exited(0)),
    (&["escape-and-hold"], How::Exited(0)),
    (&["write-home"], How::Exited(0)),
    (&["flood", "3000000"], How::Flooded),
    (&["flood-stderr", "3000000"], How::Flooded),
    (&["flood-both", "3000000"], How::Flooded),
];

#[tokio::test]
async fn every_end_has_its_name_and_leaves_nothing() {
    for containment in containments() {
        for (words, how) in ENDS {
            let world = World::new();
            let mut command = world.tool(words);
            command.limits.output_bytes = 1 << 20;
            command.containment = containment.clone();
            let ended = world.run(command).await;
            assert_eq!((&ended.how, ended.stuck), (how, false), "{words:?} under {containment}");
            world.assert_empty();
        }
    }
}

/// The modes that never end, and whether they obey SIGTERM.
pub const ENDLESS: &[(&[&str], bool)] = &[
    (&["hang"], true),
    (&["obey-term"], true),
    (&["obey-below"], true),
    (&["stop-itself"], true),
    (&["ignore-term"], false),
    (&["escape-and-hang"], true),
    (&["fork-bomb", "50"], true),
];

#[tokio::test]
async fn a_deadline_ends_what_does_not_end() {
    for containment in containments() {
        for (words, obeys) in ENDLESS {
            let world = World::new();
            let mut command = world.tool(words);
            command.limits.wall = Duration::from_millis(300);
            // A tool that obeys must not be made to wait for the end of the grace.
            command.limits.grace = if *obeys { PATIENCE } else { Duration::from_millis(300) };
            command.containment = containment.clone();
            let ended = world.run(command).await;
            assert_eq!((&ended.how, ended.stuck), (&How::TimedOut, false), "{words:?} under {containment}");
            assert!(ended.elapsed < PATIENCE, "{words:?} took {:?}", ended.elapsed);
            world.assert_empty();
        }
    }
}

#[tokio::test]
async fn a_cancel_ends_what_does_not_end() {
    for containment in containments() {
        for (words, _) in ENDLESS {
            let world = World::new();
            let cancel = CancellationToken::new();
            let mut command = world.tool(words);
            command.containment = containment.clone();
            let stop = async {
                until("the tool runs", || !processes_of(world.path()).is_empty()).await;
                cancel.cancel();
            };
            let (ended, ()) = tokio::join!(run(command, cancel.clone()), stop);
            assert_eq!((&ended.how, ended.stuck), (&How::Cancelled, false), "{words:?} under {containment}");
            world.assert_empty();
        }
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_before_it_begins_starts_nothing() {
    let world = World::new();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ended = run(world.tool(&["succeed"]), cancel).await;
    assert_eq!(ended.how, How::Cancelled);
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn sigterm_gives_the_tool_and_its_children_time_for_last_words() {
    for (mode, words) in [("obey-term", "said goodbye"), ("obey-below", "child said goodbye")] {
        let world = World::new();
        let mut command = world.tool(&[mode]);
        command.limits.wall = Duration::from_secs(1);
        command.limits.grace = PATIENCE;
        let ended = world.run(command).await;
        assert_eq!(ended.how, How::TimedOut);
        assert_eq!(text(&ended.stdout.head), format!("ready\n{words}\n"));
        world.assert_empty();
    }
}

#[tokio::test]
async fn a_process_that_left_session_and_environment_dies_where_there_are_cgroups() {
    for containment in containments() {
        if !containment.holds_everything() {
            continue;
        }
        let world = World::new();
        let mut command = world.tool(&["escape-bare", world.path().to_str().unwrap()]);
        command.containment = containment;
        assert_eq!(world.run(command).await.how, How::Exited(0));
        world.assert_empty();
    }
}

#[tokio::test]
async fn the_end_of_one_run_does_not_touch_another() {
    for containment in containments() {
        let (bystander, world) = (World::new(), World::new());
        let cancel = CancellationToken::new();
        let mut standing = bystander.tool(&["hang"]);
        standing.containment = containment.clone();
        let others = async {
            until("the bystander runs", || !processes_of(bystander.path()).is_empty()).await;
            for words in [&["escape"][..], &["die", "KILL"], &["linger"], &["flood", "3000000"]] {
                let mut command = world.tool(words);
                command.limits.output_bytes = 1 << 20;
                command.containment = containment.clone();
                world.run(command).await;
            }
            assert_ne!(processes_of(bystander.path()), [], "the bystander was killed under {containment}");
            cancel.cancel();
        };
        let (ended, ()) = tokio::join!(run(standing, cancel.clone()), others);
        assert_eq!(ended.how, How::Cancelled);
    }
}

#[tokio::test]
async fn what_cannot_start_says_whether_it_is_missing() {
    let world = World::new();
    let script = |name: &str, text: &str, mode: u32| {
        let path = world.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let cases = [
        ("/nowhere/tool".into(), Obstacle::Missing),
        ("no-such-tool".into(), Obstacle::Missing),
        (script("no-interpreter", "#!/nowhere/interpreter\n", 0o700), Obstacle::Missing),
        (script("not-executable", "#!/bin/sh\n", 0o600), Obstacle::Other),
        (world.path().to_owned(), Obstacle::Other),
        ("some/relative/tool".into(), Obstacle::Other),
    ];
    for (program, expected) in cases {
        let mut command = world.tool(&[]);
        command.program = program;
        let How::NotStarted { obstacle, detail } = world.run(command.clone()).await.how else {
            panic!("{} started", command.program.display());
        };
        assert_eq!(obstacle, expected, "{}: {detail}", command.program.display());
    }
}

#[tokio::test]
async fn a_missing_working_directory_is_not_a_missing_tool() {
    let world = World::new();
    let mut command = world.tool(&["succeed"]);
    command.cwd = Some("/nowhere".into());
    let how = world.run(command).await.how;
    assert!(
        matches!(&how, How::NotStarted { obstacle: Obstacle::Other, detail } if detail.contains("/nowhere")),
        "{how:?}"
    );
}

#[tokio::test]
async fn a_missing_shim_is_not_a_missing_tool() {
    let world = World::new();
    let mut command = world.tool(&["succeed"]);
    command.shim = Some("/nowhere/shim".into());
    let how = world.run(command).await.how;
    assert!(matches!(&how, How::NotStarted { obstacle: Obstacle::Other, .. }), "{how:?}");
}

/// This very test is such a program: as its own shim it would run no test at all, and exit with 0.
#[tokio::test]
async fn a_program_without_a_shim_starts_nothing() {
    let world = World::new();
    let mut command = world.tool(&["succeed"]);
    command.shim = None;
    let how = world.run(command).await.how;
    assert!(
        matches!(&how, How::NotStarted { obstacle: Obstacle::Other, detail } if detail.contains("shim")),
        "{how:?}"
    );
}

#[tokio::test]
async fn a_daemon_started_with_sigchld_ignored_sees_every_exit() {
    let test = "process::a_daemon_started_with_sigchld_ignored_sees_every_exit";
    if !alone_after("trap '' CHLD", test) {
        return;
    }
    let world = World::new();
    let ended = world.run(world.tool(&["fail", "7"])).await;
    assert_eq!((ended.how, ended.usage.is_some()), (How::Exited(7), true));
    world.assert_empty();
}

#[tokio::test]
async fn memory_is_limited_where_it_can_be_and_the_run_says_so() {
    for containment in containments() {
        for (bytes, outcome) in [("1000", MemoryLimit::Kept), ("400000000", MemoryLimit::Exceeded)] {
            let world = World::new();
            let mut command = world.tool(&["eat-memory", bytes]);
            command.limits.memory_bytes = Some(64 << 20);
            command.limits.output_bytes = u64::MAX;
            command.containment = containment.clone();
            let expected = if containment.limits_memory() { outcome } else { MemoryLimit::NotEnforced };
            assert_eq!(world.run(command).await.memory_limit, expected, "{bytes} bytes under {containment}");
            world.assert_empty();
        }
    }
}

#[tokio::test]
async fn a_fork_bomb_meets_the_limit_of_processes() {
    let world = World::new();
    let mut command = world.tool(&["fork-bomb", "50"]);
    command.limits.processes = 20;
    command.limits.wall = Duration::from_secs(2);
    let ended = world.run(command).await;
    if Containment::detected().limits_processes() {
        // The shell gives up at the first fork that fails.
        assert_eq!(ended.how, How::Exited(2), "{}", text(&ended.stderr.head));
        assert!(text(&ended.stderr.head).contains("fork"));
    } else {
        assert_eq!(ended.how, How::TimedOut);
    }
    world.assert_empty();
}

#[tokio::test]
async fn a_run_says_what_it_cost() {
    let world = World::new();
    let usage = world.run(world.tool(&["busy", "200000"])).await.usage.unwrap();
    assert!(usage.cpu > Duration::from_millis(20), "{usage:?}");
    assert!(usage.max_rss_bytes > 500_000, "{usage:?}");
}
