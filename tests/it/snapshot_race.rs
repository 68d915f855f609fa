//! Promise: a tree that changes while it is copied cannot lead out of itself, nor fail its job.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::snapshot_world::{SOURCE, World, paths};

#[test]
fn a_snapshot_stays_as_it_was_when_the_tree_is_edited_and_deleted() {
    let world = World::new();
    world.source();
    let snapshot = world.take().unwrap();
    world.write("app.py", "changed");
    fs::remove_dir_all(world.target.join("web")).unwrap();
    assert_eq!(fs::read_to_string(snapshot.root.join("app.py")).unwrap(), "import ast\n");
    assert!(snapshot.root.join("web/three.js/index.js").exists());
}

/// Runs `change` on another thread again and again while `body` runs.
fn while_changing(change: impl Fn() + Sync, body: impl FnOnce()) {
    /// Also when `body` panics: the scope waits for the other thread.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = End(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                change();
            }
        });
        body();
        drop(end);
    });
}

/// A directory and a link change places, many times while the files between their names are read.
#[test]
fn a_directory_that_turns_into_a_link_under_the_walk_never_leads_out() {
    let world = World::new();
    let outside = world.snapshots.parent().unwrap().join("outside");
    for inside in [&outside, &outside.join("inner")] {
        fs::create_dir_all(inside).unwrap();
        fs::write(inside.join("a.py"), "SECRET").unwrap();
    }
    for directory in ["first", "zlast"] {
        world.write(&format!("{directory}/a.py"), "public");
        world.write(&format!("{directory}/inner/a.py"), "public");
        symlink(&outside, world.target.join(format!("{directory}.link"))).unwrap();
    }
    world.write("leaf.py", "public");
    symlink(outside.join("a.py"), world.target.join("leaf.py.link")).unwrap();
    for file in 0..50 {
        world.write(&format!("m{file:02}.py"), "public");
    }
    let swap = || {
        for name in ["first", "zlast", "leaf.py"] {
            let (one, other) = (world.target.join(name), world.target.join(format!("{name}.link")));
            renameat2(AT_FDCWD, &one, AT_FDCWD, &other, RenameFlags::RENAME_EXCHANGE).unwrap();
        }
    };
    while_changing(swap, || {
        let mut caught = 0;
        for _ in 0..60 {
            let snapshot = world.take().unwrap();
            assert!(snapshot.files.len() >= 50);
            for file in &snapshot.files {
                let content = fs::read_to_string(snapshot.root.join(&file.path)).unwrap();
                assert_eq!(content, "public", "{}", file.path);
            }
            caught += snapshot.left_out.len();
        }
        assert!(caught > 0, "no directory was caught turning into a link: the race was not run");
    });
    assert_eq!(world.left_behind(), 0);
}

#[test]
fn files_that_are_rewritten_and_deleted_under_the_walk_never_fail_the_job() {
    let world = World::new();
    world.source();
    let each = |deed: &dyn Fn(&Path)| {
        for directory in 0..20 {
            deed(&world.target.join(format!("d{directory:02}")));
        }
    };
    // Whichever side wins, both go on: that is the point.
    let change = || {
        each(&|here| drop(fs::create_dir(here)));
        each(&|here| drop(fs::write(here.join("a.py"), "x = 1\n")));
        each(&|here| drop(fs::remove_file(here.join("a.py"))));
        each(&|here| drop(fs::remove_dir(here)));
    };
    while_changing(change, || {
        let mut moving = 0;
        for _ in 0..60 {
            let snapshot = world.take().unwrap();
            assert!(SOURCE.iter().all(|path| paths(&snapshot).contains(path)), "{snapshot:?}");
            moving += snapshot.files.len() - SOURCE.len();
        }
        assert!(moving > 0, "no changing file was ever seen: the race was not run");
    });
    assert_eq!(world.left_behind(), 0);
}
