//! The promise: a tool gets what it was given and nothing of the daemon: no variable, no descriptor, no privilege, no HOME.

use std::collections::BTreeSet;

use proctor::actors::process::{How, Obstacle};

use crate::process_world::{World, alone, text};

#[tokio::test]
async fn the_environment_is_the_given_one() {
    // In a process whose environment has at least one variable more than the given ones.
    if !alone("process_environment::the_environment_is_the_given_one") {
        return;
    }
    let world = World::new();
    let mut command = world.tool(&["env"]);
    command.env = vec![("LANG".into(), "C.UTF-8".into()), ("PATH".into(), "/usr/bin:/bin".into())];
    let ended = world.run(command).await;
    let names: BTreeSet<&str> =
        text(&ended.stdout.head).lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The shell adds PWD.
    assert_eq!(names, BTreeSet::from(["HOME", "LANG", "PATH", "PROCTOR_RUN", "PWD", "TMPDIR"]));
}

#[tokio::test]
async fn home_and_working_directory_are_private_and_go_with_the_run() {
    let world = World::new();
    let ended = world.run(world.tool(&["write-home"])).await;
    let lines: Vec<&str> = text(&ended.stdout.head).lines().collect();
    assert_eq!(lines[0], lines[1], "the neutral working directory is HOME");
    assert!(lines[0].starts_with(world.path().to_str().unwrap()));
    world.assert_empty();
}

#[tokio::test]
async fn a_given_home_and_directory_are_obeyed() {
    let world = World::new();
    let home = tempfile::tempdir().unwrap();
    let mut command = world.tool(&["write-home"]);
    command.env = vec![("HOME".into(), home.path().into())];
    command.cwd = Some("/".into());
    let ended = world.run(command).await;
    assert_eq!(text(&ended.stdout.head), format!("/\n{}\n", home.path().display()));
    assert!(home.path().join("left-behind").exists());
    world.assert_empty();
}

#[tokio::test]
async fn a_bare_name_is_looked_up_in_the_given_path_only() {
    let world = World::new();
    let mut command = world.tool(&["succeed"]);
    let folder = command.program.parent().unwrap().to_owned();
    command.program = "fake-tool".into();
    assert!(matches!(
        world.run(command.clone()).await.how,
        How::NotStarted { obstacle: Obstacle::Missing, .. }
    ));
    let path = std::env::join_paths(["/nowhere".as_ref(), folder.as_path(), "/usr/bin".as_ref()]).unwrap();
    command.env = vec![("PATH".into(), path)];
    assert_eq!(world.run(command).await.how, How::Exited(0));
}

#[tokio::test]
async fn no_descriptor_of_the_daemon_is_inherited() {
    let world = World::new();
    let file = std::fs::File::open("/dev/null").unwrap();
    // Without close-on-exec, as whoever started the daemon may have left it.
    let _leak = nix::unistd::dup(&file).unwrap();
    let ended = world.run(world.tool(&["fds"])).await;
    // 3 is `ls` reading the directory.
    assert_eq!(text(&ended.stdout.head), "0\n1\n2\n3\n");
}

#[tokio::test]
async fn stdin_is_at_its_end() {
    let world = World::new();
    let ended = world.run(world.tool(&["stdin"])).await;
    assert_eq!(text(&ended.stdout.head), "end of file\n");
}

#[tokio::test]
async fn limits_and_privileges_are_set() {
    let world = World::new();
    let mut command = world.tool(&["limits"]);
    command.limits.file_bytes = 1_000_000;
    let ended = world.run(command).await;
    let told = text(&ended.stdout.head);
    let values = |name: &str| {
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("no {name}: {told}"));
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(values("Max open files"), ["1024", "1024"]);
    assert_eq!(values("Max file size"), ["1000000", "1000000"]);
    assert_eq!(values("Max core file size"), ["0", "0"]);
    assert_eq!(values("NoNewPrivs:"), ["1"]);
    // Rust programs ignore SIGPIPE (13); a tool must not inherit that.
    let ignored = u64::from_str_radix(&values("SigIgn:")[0], 16).unwrap();
    assert_eq!(ignored & (1 << 12), 0, "{ignored:x}");
}

#[tokio::test]
async fn a_file_cannot_grow_over_its_limit() {
    let world = World::new();
    let mut command = world.tool(&["big-file", "2000000"]);
    command.limits.file_bytes = 1_000_000;
    // The shell reports the SIGXFSZ (25) of the writer.
    assert_eq!(world.run(command).await.how, How::Exited(128 + 25));
    world.assert_empty();
}

#[tokio::test]
async fn arguments_arrive_unchanged() {
    let world = World::new();
    let words = ["args", "", "a b", "--", "$(id)", "__exec-shim", "*", "new\nline"];
    let ended = world.run(world.tool(&words)).await;
    let expected: String = words[1..].iter().map(|word| format!("[{word}]\n")).collect();
    assert_eq!(text(&ended.stdout.head), expected);
}
