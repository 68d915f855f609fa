use super::*;

const MIB: u64 = 1 << 20;

/// A directory that looks like a cgroup.
fn cgroup(at: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(at).unwrap();
    for (name, text) in files {
        fs::write(at.join(name), text).unwrap();
    }
}

fn unified(at: &Path, max: &str, current: u64, inactive: u64) {
    let statistics = format!("anon 1\ninactive_file {inactive}\nactive_file 7\n");
    let current = current.to_string();
    cgroup(at, &[("memory.max", max), ("memory.current", &current), ("memory.stat", &statistics)]);
}

fn read(unified: bool, point: &Path, own: &Path) -> (Scope, Reading) {
    Meter::of(MemoryCgroup { unified, point: point.to_owned(), own: own.to_owned() }).read().unwrap()
}

#[test]
fn the_tightest_limit_on_the_way_up_is_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (root, slice) = (folder.path(), folder.path().join("system.slice"));
    let (service, own) = (slice.join("proctor.service"), slice.join("proctor.service/proctor"));
    unified(root, "max", 900 * MIB, 0);
    unified(&slice, &format!("{}\n", 64 * MIB), 60 * MIB, 30 * MIB);
    unified(&service, &format!("{}\n", 32 * MIB), 20 * MIB, 4 * MIB);
    unified(&own, "max\n", 5 * MIB, 0);
    let reading = Reading { used: 16 * MIB, limit: 32 * MIB };
    assert_eq!(read(true, root, &own), (Scope::Cgroup(service.clone()), reading));
    fs::write(service.join("memory.high"), (16 * MIB).to_string()).unwrap();
    assert_eq!(read(true, root, &own).1, Reading { limit: 16 * MIB, ..reading });
}

#[test]
fn version_1_counts_what_is_below() {
    let folder = tempfile::tempdir().unwrap();
    let limit = (8 * MIB).to_string();
    let files = [
        ("memory.limit_in_bytes", limit.as_str()),
        ("memory.usage_in_bytes", "5000"),
        ("memory.stat", "inactive_file 1\ntotal_inactive_file 2000\n"),
    ];
    cgroup(folder.path(), &files);
    let reading = Reading { used: 3_000, limit: 8 * MIB };
    assert_eq!(read(false, folder.path(), folder.path()).1, reading);
}

#[test]
fn without_a_limit_below_the_host_the_host_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    for max in ["max", "9223372036854771712"] {
        unified(folder.path(), max, MIB, 0);
        let (scope, reading) = read(true, folder.path(), folder.path());
        assert_eq!(scope, Scope::Host);
        assert!(reading.used > 0 && reading.used <= reading.limit, "{reading:?}");
    }
    assert!(Meter::detect().read().unwrap().1.limit > 0);
}
