//! The promise: inside of a sandbox a run ends as it does outside: by its own name, in bounded time, with nothing left.

use std::time::Duration;

use proctor::actors::process::sandbox::Walls;
use proctor::actors::process::{Command, Containment, How, MemoryLimit, Obstacle, Sandbox, run};
use tokio_util::sync::CancellationToken;

use crate::process::{ENDLESS, ENDS};
use crate::process_world::{PATIENCE, World, containments, processes_of, text, until};
use crate::sandbox_world::{ALL, NO_BUBBLEWRAP};

const BOTH: [Walls; 2] = [ALL, NO_BUBBLEWRAP];

fn walled(mut command: Command, walls: Walls) -> Command {
    command.sandbox = Some(Sandbox { walls: Some(walls), required: true, ..Sandbox::default() });
    command
}

/// With all that holds a run, and with groups and tokens alone.
fn strongest_and_weakest() -> [Containment; 2] {
    [Containment::detected().clone(), Containment::process_group()]
}

#[tokio::test]
async fn every_end_has_its_name_and_leaves_nothing() {
    // What bwrap says of a signal, from a tool that says it itself.
    let impostor: (&[&str], How) = (&["fail", "139"], How::Exited(139));
    for walls in BOTH {
        for containment in strongest_and_weakest() {
            for (words, how) in ENDS.iter().chain([&impostor]) {
                let world = World::new();
                let mut command = walled(world.tool(words), walls);
                command.limits.output_bytes = 1 << 20;
                command.containment = containment.clone();
                let ended = world.run(command).await;
                let what = format!("{words:?} under {containment} with {walls:?}: {ended:?}");
                assert_eq!((&ended.how, ended.stuck), (how, false), "{what}");
                assert_eq!((ended.walls.bubblewrap, ended.walls.seccomp), (walls.bubblewrap, true), "{what}");
                assert!(ended.walls.landlock_abi > 0, "{what}");
                world.assert_empty();
            }
        }
    }
}

#[tokio::test]
async fn a_deadline_and_a_cancel_end_what_does_not_end() {
    for walls in BOTH {
        for (index, (words, _)) in ENDLESS.iter().enumerate() {
            let world = World::new();
            let cancel = CancellationToken::new();
            let mut command = walled(world.tool(words), walls);
            command.containment = strongest_and_weakest()[index % 2].clone();
            let stop = async {
                let is_tool = |line: &String| line.contains("fake-tool") && !line.contains("__");
                until("the tool runs", || processes_of(world.path()).iter().any(|(_, line)| is_tool(line)))
                    .await;
                cancel.cancel();
            };
            let (ended, ()) = tokio::join!(run(command, cancel.clone()), stop);
            let what = format!("{words:?} with {walls:?}: {ended:?}");
            assert_eq!((&ended.how, ended.stuck), (&How::Cancelled, false), "{what}");
            assert!(ended.elapsed < PATIENCE, "{what}");
            world.assert_empty();
        }
    }
}

#[tokio::test]
async fn sigterm_gives_the_tool_and_its_children_time_for_last_words() {
    for (mode, words) in [("obey-term", "said goodbye"), ("obey-below", "child said goodbye")] {
        for walls in BOTH {
            let world = World::new();
            let mut command = walled(world.tool(&[mode]), walls);
            command.limits.wall = Duration::from_secs(2);
            command.limits.grace = PATIENCE;
            let ended = world.run(command).await;
            assert_eq!(ended.how, How::TimedOut);
            assert_eq!(text(&ended.stdout.head), format!("ready\n{words}\n"), "{walls:?}");
            world.assert_empty();
        }
    }
}

#[tokio::test]
async fn a_cancel_at_any_moment_of_the_start_is_obeyed_at_once() {
    // SIGTERM would reach bwrap alone while that is at work.
    for index in 0..40 {
        let world = World::new();
        let cancel = CancellationToken::new();
        let mut command = walled(world.tool(&["hang"]), ALL);
        command.limits.grace = PATIENCE;
        let stop = async {
            tokio::time::sleep(Duration::from_micros(500 * index)).await;
            cancel.cancel();
        };
        let (ended, ()) = tokio::join!(run(command, cancel.clone()), stop);
        assert_eq!((&ended.how, ended.stuck), (&How::Cancelled, false));
        assert!(ended.elapsed < PATIENCE / 2, "after {index}: {:?}", ended.elapsed);
    }
}

#[tokio::test]
async fn a_missing_program_and_a_missing_interpreter_are_told_apart_from_a_failure() {
    use std::os::unix::fs::PermissionsExt;
    for walls in BOTH {
        let world = World::new();
        let path = world.path().join("no-interpreter");
        std::fs::write(&path, "#!/nowhere/interpreter\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        for program in [path, "/nowhere/tool".into()] {
            let mut command = walled(world.tool(&[]), walls);
            command.program = program;
            let how = world.run(command).await.how;
            assert!(
                matches!(&how, How::NotStarted { obstacle: Obstacle::Missing, .. }),
                "{walls:?}: {how:?}"
            );
        }
        let mut command = walled(world.tool(&["succeed"]), walls);
        // It is there, and nobody showed it to the tool.
        let hidden = tempfile::tempdir_in("/var/tmp").unwrap();
        command.cwd = Some(hidden.path().to_owned());
        let how = world.run(command).await.how;
        let ended_as_told = match walls.bubblewrap {
            true => matches!(&how, How::NotStarted { obstacle: Obstacle::Missing, .. }),
            // Landlock looks at opening, and a tool need not open where it is.
            false => how == How::Exited(0),
        };
        assert!(ended_as_told, "{walls:?}: {how:?}");
    }
}

#[tokio::test]
async fn cost_and_memory_are_seen_through_the_sandbox() {
    for walls in BOTH {
        let world = World::new();
        let ended = world.run(walled(world.tool(&["busy"]), walls)).await;
        let usage = ended.usage.unwrap();
        assert!(usage.cpu > Duration::from_millis(20), "{walls:?}: {usage:?}");
        if Containment::detected().limits_memory() {
            let mut command = walled(world.tool(&["eat-memory"]), walls);
            command.limits.memory_bytes = Some(64 << 20);
            let ended = world.run(command).await;
            assert_eq!(ended.memory_limit, MemoryLimit::Exceeded, "{walls:?}: {ended:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_run_is_a_dead_run_at_whatever_moment_it_is_dropped() {
    let worlds: Vec<World> = (0..60).map(|_| World::new()).collect();
    for (index, world) in worlds.iter().enumerate() {
        let mut command = walled(world.tool(&["escape-and-hang"]), BOTH[index % 2]);
        command.containment = containments()[index % 3].clone();
        let moment = Duration::from_micros(400 * index as u64);
        assert!(tokio::time::timeout(moment, run(command, CancellationToken::new())).await.is_err());
    }
    for world in &worlds {
        until("no process and no private directory is left", || {
            let private =
                std::fs::read_dir(world.path()).unwrap().any(|entry| entry.unwrap().path().is_dir());
            !private && processes_of(world.path()).is_empty()
        })
        .await;
    }
}
