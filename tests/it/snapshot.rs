//! Promise: what the user's tree holds changes no result and executes nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo, setfsuid};
use proctor::actors::jobs::snapshot::{Limits, Policy, SnapshotError, sweep, take};
use tokio_util::sync::CancellationToken;

use super::snapshot_world::{SOURCE, World, named, paths};

#[test]
fn everything_that_is_source_is_copied_and_nobody_can_change_it() {
    let world = World::new();
    world.source();
    let snapshot = world.take().unwrap();
    assert_eq!(paths(&snapshot), SOURCE);
    assert!(snapshot.left_out.is_empty() && snapshot.excluded.is_empty(), "{snapshot:?}");
    for file in &snapshot.files {
        let (copy, original) = (snapshot.root.join(&file.path), world.target.join(&file.path));
        assert_eq!(fs::read(&copy).unwrap(), fs::read(original).unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&copy), mode(copy.parent().unwrap())), (0o444, 0o555), "{copy:?}");
    }
    drop(snapshot);
    assert_eq!(world.left_behind(), 0);
}

#[test]
fn hostile_company_changes_nothing_for_the_source() {
    let world = World::new();
    world.source();
    let clean = world.take().unwrap().files.clone();
    world.write(".git/config", "[core]\nfsmonitor = touch executed\n");
    world.write("sub/.git", "gitdir: ../.git\n");
    world.write("HEAD", "ref: refs/heads/main\n");
    world.write("refs/heads/.git/x", "");
    world.write("objects/.git/x", "");
    for name in [".bandit", ".gitleaks.toml", "web/eslint.config.js", ".checkov.yaml"] {
        world.write(name, "hostile");
    }
    symlink("/etc/passwd", world.target.join("out.py")).unwrap();
    symlink("app.py", world.target.join("in.py")).unwrap();
    symlink(".", world.target.join("loop")).unwrap();
    symlink("nowhere", world.target.join("dangling.py")).unwrap();
    mkfifo(&world.target.join("pipe.py"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(world.target.join("socket.py")).unwrap();
    let excluded = [
        ".bandit",
        ".checkov.yaml",
        ".git",
        ".gitleaks.toml",
        "HEAD",
        "dangling.py",
        "in.py",
        "loop",
        "objects/.git",
        "out.py",
        "pipe.py",
        "refs/heads/.git",
        "socket.py",
        "sub/.git",
        "web/eslint.config.js",
    ];
    world.write("long.py", "x".repeat(5_000_000));
    world.write("large.py", "x = 1\n".repeat(1 << 20));
    world.write("deep.py", format!("{}{}", "(".repeat(3_000), ")".repeat(3_000)));
    world.write("x.py/inside.py", "eval(a)\n");
    world.write(".bandit.d/kept-out/.bandit/inside.py", "eval(a)\n");
    world.write("a\u{1b}[2Jb.py", "eval(a)\n");
    let latin = world.target.join(OsStr::from_bytes(b"caf\xe9.py"));
    fs::write(latin, "eval(a)\n").unwrap();
    let left_out = [
        ".bandit.d/kept-out/.bandit/inside.py",
        "a[2Jb.py",
        "caf\u{fffd}.py",
        "deep.py",
        "large.py",
        "long.py",
        "x.py/inside.py",
    ];

    let snapshot = world.take().unwrap();
    assert_eq!(paths(&snapshot), SOURCE);
    assert_eq!(snapshot.files, clean);
    assert_eq!(named(&snapshot.excluded), excluded);
    assert_eq!(named(&snapshot.left_out), left_out);
    assert_only_plain_files(&snapshot.root);
}

/// Nothing in the copy can lead out of it, be executed or be waited for.
fn assert_only_plain_files(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            assert_only_plain_files(&path);
            continue;
        }
        assert!(metadata.is_file() && !metadata.file_type().is_fifo(), "{path:?}");
        assert_eq!(metadata.permissions().mode() & 0o111, 0, "{path:?}");
    }
}

#[test]
fn an_executable_loses_the_right_to_run_and_keeps_its_content() {
    let world = World::new();
    world.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(world.target.join("run.sh"), fs::Permissions::from_mode(0o6755)).unwrap();
    let snapshot = world.take().unwrap();
    let mode = fs::metadata(snapshot.root.join("run.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o444);
}

#[test]
fn the_digest_tells_contents_and_names_apart_and_nothing_else() {
    let digest = |files: &[(&str, &str)]| {
        let world = World::new();
        for (path, content) in files {
            world.write(path, content);
        }
        world.take().unwrap().digest
    };
    let one = digest(&[("a.py", "1"), ("b.py", "2")]);
    assert_eq!(one, digest(&[("b.py", "2"), ("a.py", "1")]));
    assert_ne!(one, digest(&[("a.py", "2"), ("b.py", "1")]));
    assert_ne!(one, digest(&[("a.py", "1"), ("c.py", "2")]));
    assert_ne!(one, digest(&[("a.py", "1")]));
}

#[test]
fn a_tree_over_a_limit_is_refused_by_its_name_and_leaves_nothing() {
    let world = World::new();
    for file in 0..10 {
        world.write(&format!("d/{file}.py"), "x = 1\n");
    }
    let limits = Limits::default();
    let cases = [
        (Limits { files: 9, ..limits.clone() }, "9 files"),
        (Limits { entries: 10, ..limits.clone() }, "10 directory entries"),
        (Limits { total_bytes: 59, ..limits.clone() }, "59 bytes"),
    ];
    for (limits, words) in cases {
        let error = world.take_within(&limits).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(world.left_behind(), 0);
    }
    let exactly = Limits { files: 10, entries: 11, total_bytes: 60, ..limits };
    assert_eq!(world.take_within(&exactly).unwrap().files.len(), 10);
}

#[test]
fn a_path_that_is_too_deep_or_too_long_is_left_out_and_the_rest_is_kept() {
    let world = World::new();
    world.write("a.py", "1");
    world.write("d/d/d/d/deep.py", "1");
    world.write(&format!("{}.py", "long".repeat(10)), "1");
    let limits = Limits { depth: 3, path_bytes: 30, ..Limits::default() };
    let snapshot = world.take_within(&limits).unwrap();
    assert_eq!(paths(&snapshot), ["a.py"]);
    assert_eq!(named(&snapshot.left_out), ["d/d/d/d", &format!("{}.py", "long".repeat(10))]);
}

/// Root reads everything, so the walk runs on a thread that asks the file system as nobody.
#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_kept() {
    if !Uid::effective().is_root() {
        return unreadable_as_we_are();
    }
    let world = World::new();
    let nobody = Uid::from_raw(65_534);
    for path in [world.target.parent().unwrap(), &world.target, &world.snapshots] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    closed(&world);
    let snapshot = std::thread::scope(|scope| {
        let walk = scope.spawn(|| {
            setfsuid(nobody);
            let snapshot = world.take().unwrap();
            let seen = (snapshot.files.clone(), snapshot.left_out.clone());
            drop(snapshot);
            seen
        });
        walk.join().unwrap()
    });
    assert_eq!(snapshot.0.len(), 1);
    assert_eq!(named(&snapshot.1), ["closed.py", "closed_dir", "names_only/a.py"]);
    assert_eq!(world.left_behind(), 0);
}

fn unreadable_as_we_are() {
    let world = World::new();
    closed(&world);
    let snapshot = world.take().unwrap();
    assert_eq!(named(&snapshot.left_out), ["closed.py", "closed_dir", "names_only/a.py"]);
}

fn closed(world: &World) {
    world.write("open.py", "1");
    world.write("closed.py", "1");
    world.write("closed_dir/a.py", "1");
    world.write("names_only/a.py", "1");
    for (path, mode) in [("closed.py", 0o000), ("closed_dir", 0o000), ("names_only", 0o444)] {
        fs::set_permissions(world.target.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn a_cancelled_copy_leaves_nothing() {
    let world = World::new();
    world.source();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let policy = Policy::new(Vec::<String>::new()).unwrap();
    let destination = world.snapshots.join("one");
    let error = take(&world.target, &destination, &policy, &Limits::default(), &cancel).unwrap_err();
    assert!(matches!(error, SnapshotError::Cancelled), "{error}");
    assert_eq!(world.left_behind(), 0);
}

#[test]
fn a_target_that_is_reached_through_a_link_or_is_no_directory_is_refused() {
    let world = World::new();
    world.source();
    let policy = Policy::new(Vec::<String>::new()).unwrap();
    let refused = |target: &Path| {
        let destination = world.snapshots.join("one");
        match take(target, &destination, &policy, &Limits::default(), &CancellationToken::new()) {
            Err(SnapshotError::Target { errno, .. }) => errno,
            other => panic!("{target:?}: {other:?}"),
        }
    };
    let link = world.target.join("link");
    symlink(world.target.join("web"), &link).unwrap();
    assert_eq!(refused(&link), Errno::ENOTDIR);
    assert_eq!(refused(&link.join("three.js")), Errno::ENOTDIR);
    assert_eq!(refused(&world.target.join("app.py")), Errno::ENOTDIR);
    assert_eq!(refused(&world.target.join("nowhere")), Errno::ENOENT);
    assert_eq!(refused(&world.target.join("web/../web")), Errno::EINVAL);
    assert_eq!(refused(Path::new("web")), Errno::EINVAL);
    assert_eq!(world.left_behind(), 0);
}

#[test]
fn an_empty_directory_is_an_empty_snapshot() {
    let snapshot = World::new();
    fs::create_dir_all(snapshot.target.join("a/b.py")).unwrap();
    let snapshot = snapshot.take().unwrap();
    assert!(snapshot.files.is_empty() && snapshot.left_out.is_empty(), "{snapshot:?}");
}

#[test]
fn the_sweep_removes_what_an_earlier_life_left_and_nothing_beside_it() {
    let world = World::new();
    world.source();
    // A life that is killed drops nothing.
    std::mem::forget(world.take().unwrap());
    fs::write(world.snapshots.join("stray"), "").unwrap();
    symlink(&world.target, world.snapshots.join("link")).unwrap();
    assert_eq!(sweep(&world.snapshots).unwrap(), 3);
    assert_eq!(world.left_behind(), 0);
    assert!(world.target.join("app.py").exists());
    assert_eq!(sweep(&world.snapshots.join("nowhere")).unwrap(), 0);
}
