//! The promise: nothing outlives its run, whether the run ended, was dropped, or its daemon was killed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proctor::actors::process::{Containment, become_subreaper, run, sweep};
use tokio_util::sync::CancellationToken;

use crate::process_world::{World, alone, cgroups_of, containments, processes_of, tool_in, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_run_is_a_dead_run_at_whatever_moment_it_is_dropped() {
    let worlds: Vec<World> = (0..60).map(|_| World::new()).collect();
    for (index, world) in worlds.iter().enumerate() {
        let mut command = world.tool(&["escape-and-hang"]);
        command.containment = containments()[index % 3].clone();
        // From before the spawn to long after it.
        let moment = Duration::from_micros(300 * index as u64);
        assert!(tokio::time::timeout(moment, run(command, CancellationToken::new())).await.is_err());
    }
    for world in &worlds {
        until("no process and no private directory is left", || {
            let private = fs::read_dir(world.path()).unwrap().any(|entry| entry.unwrap().path().is_dir());
            !private && processes_of(world.path()).is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn a_hundred_runs_leave_no_descriptor_child_or_cgroup() {
    if !alone("process_leftovers::a_hundred_runs_leave_no_descriptor_child_or_cgroup") {
        return;
    }
    let world = World::new();
    world.run(world.tool(&["succeed"])).await;
    let before = descriptors();
    let modes = ["succeed", "fail", "linger", "escape", "die"];
    for index in 0..100 {
        let mut command = world.tool(&[modes[index % modes.len()]]);
        command.containment = containments()[index % 3].clone();
        world.run(command).await;
    }
    world.assert_empty();
    assert_eq!(descriptors(), before);
    assert_eq!(children(), Vec::<String>::new(), "children are left, alive or as zombies");
    until("no cgroup is left", || cgroups_of(std::process::id()).is_empty()).await;
}

#[tokio::test]
async fn a_subreaper_buries_the_orphans_of_its_runs() {
    if !alone("process_leftovers::a_subreaper_buries_the_orphans_of_its_runs") {
        return;
    }
    become_subreaper().unwrap();
    let world = World::new();
    for containment in containments() {
        for mode in ["escape", "linger", "hold-pipe", "succeed"] {
            let mut command = world.tool(&[mode]);
            command.containment = containment.clone();
            world.run(command).await;
        }
    }
    // The last orphan may die after the last reaping, and is found by the next.
    until("every orphan is buried", || children().is_empty()).await;
}

#[tokio::test]
async fn a_killed_daemon_takes_its_tools_along_and_the_next_one_sweeps_the_rest() {
    const TEST: &str =
        "process_leftovers::a_killed_daemon_takes_its_tools_along_and_the_next_one_sweeps_the_rest";
    if let Some(scratch) = std::env::var_os("PROCTOR_TEST_DAEMON") {
        // The role of the daemon that is killed: it runs its tool until then.
        let command = tool_in(&PathBuf::from(scratch), &["escape-and-hang"]);
        run(command, CancellationToken::new()).await;
        return;
    }
    let (world, bystander) = (World::new(), World::new());
    let mut daemon = start_daemon(TEST, &world);
    let started = || processes_of(world.path()).iter().map(|(pid, _)| *pid).collect::<Vec<_>>();
    until("the tool and the one that escaped run", || {
        let lines = processes_of(world.path());
        lines.iter().any(|(_, line)| line.starts_with("sleep"))
            && lines.iter().any(|(_, line)| line.contains("escape-and-hang"))
            && lines.len() == 3
    })
    .await;
    let tool = *started().iter().min().unwrap();
    kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), Signal::SIGKILL).unwrap();
    daemon.wait().unwrap();
    until("the tool died with its daemon", || !started().contains(&tool)).await;
    assert!(!started().is_empty(), "what escaped lives: else this test proves nothing");

    let cancel = CancellationToken::new();
    let standing = run(bystander.tool(&["hang"]), cancel.clone());
    let sweeping = async {
        until("a run of a living daemon", || !processes_of(bystander.path()).is_empty()).await;
        let swept = tokio::task::spawn_blocking(sweep).await.unwrap();
        assert!(!swept.incomplete, "{swept:?}");
        assert!(started().is_empty());
        assert_eq!(cgroups_of(daemon.id()), Vec::<PathBuf>::new());
        assert_ne!(processes_of(bystander.path()), [], "a run of a living daemon was swept");
        cancel.cancel();
        swept
    };
    let (_, swept) = tokio::join!(standing, sweeping);
    let layers = Containment::detected().holds_everything();
    assert!(if layers { swept.cgroups > 0 } else { swept.processes > 0 }, "{swept:?}");
}

#[expect(clippy::disallowed_methods, reason = "the test harness itself is started, not a tool")]
fn start_daemon(test: &str, world: &World) -> std::process::Child {
    let mut harness = std::process::Command::new(std::env::current_exe().unwrap());
    let harness = harness.args([test, "--exact"]).env("PROCTOR_TEST_DAEMON", world.path());
    harness.stdout(std::process::Stdio::null()).spawn().unwrap()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Our children, dead or alive.
fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let listed = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap());
    listed.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
