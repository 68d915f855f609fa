//! What is made of a machine's mounts and of our place in them.

use super::*;

const HYBRID_MOUNTS: &str = "\
    cgroup /nowhere/pids cgroup rw,relatime,pids 0 0\n\
    cgroup /nowhere/memory cgroup rw,relatime,memory 0 0\n\
    cgroup /nowhere/systemd cgroup rw,name=systemd 0 0\n\
    tmpfs /tmp tmpfs rw 0 0\n\
    cgroup2 /nowhere/unified cgroup2 rw 0 0\n";

#[test]
fn a_hybrid_machine_gives_version_2_first() {
    let layers = layers(HYBRID_MOUNTS, "4:memory:/a\n8:pids:/\n1:name=systemd:/\n0::/");
    let found: Vec<_> = layers.iter().map(|layer| (layer.kind, layer.base.to_str())).collect();
    let expected = [
        (Kind::Unified { pids: false, memory: false }, Some("/nowhere/unified")),
        (Kind::Pids, Some("/nowhere/pids")),
        (Kind::Memory, Some("/nowhere/memory")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn our_place_is_read_per_hierarchy() {
    let membership = "4:cpu,memory:/a:b/c\n8:pids:/\n0::/user.slice\n";
    assert_eq!(place(membership, "memory"), Some("/a:b/c"));
    assert_eq!(place(membership, ""), Some("/user.slice"));
    assert_eq!(place(membership, "freezer"), None);
}

#[test]
fn what_cannot_be_written_is_no_layer() {
    let layers = layers(HYBRID_MOUNTS, "8:pids:/\n0::/");
    assert!(layers.into_iter().filter_map(Layer::tried).next().is_none());
}

/// Not a cgroup, but it reads like one that has everything already: then nobody is moved anywhere.
#[test]
fn what_is_handed_down_already_is_not_asked_for() {
    let base = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(base.path().join("cgroup.controllers"), "cpu memory pids\n").expect("a file");
    std::fs::write(base.path().join("cgroup.subtree_control"), "memory pids\n").expect("a file");
    assert_eq!(unified(base.path()), Kind::Unified { pids: true, memory: true });
    assert!(!base.path().join(DAEMON).exists());
}

#[test]
fn the_words_for_people_name_the_layers() {
    assert_eq!(Containment::process_group().to_string(), "process group");
    let hybrid = Containment { layers: layers(HYBRID_MOUNTS, "4:memory:/a\n8:pids:/\n0::/") };
    assert_eq!(hybrid.to_string(), "process group, cgroup v2, cgroup v1 pids, cgroup v1 memory");
    assert_eq!(hybrid.legacy().to_string(), "process group, cgroup v1 pids, cgroup v1 memory");
}
