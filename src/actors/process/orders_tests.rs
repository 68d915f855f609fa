use super::*;

fn orders() -> Orders {
    let view = vec![
        Entry::Readable("/a b".into()),
        Entry::Writable("/w".into()),
        Entry::Own("/tmp".into()),
        Entry::Link { at: "/bin".into(), to: "usr/bin".into() },
    ];
    let walls = Walls { bubblewrap: true, landlock: false, seccomp: true };
    Orders {
        parent: 42,
        file_bytes: 1,
        open_files: 2,
        cgroups: vec!["/a b/cgroup.procs".into(), "/c:d/cgroup.procs".into()],
        bubblewrap: Some("/usr/bin/bwrap".into()),
        task: Task {
            cwd: "/c".into(),
            tmp: "/t".into(),
            enclosure: Some(Enclosure { walls, network: false, view }),
            program: "/bin/x".into(),
            args: vec!["--".into(), "__exec-shim".into(), "".into(), OsString::from_vec(vec![0xFF])],
        },
    }
}

#[test]
fn orders_survive_the_command_line() {
    assert!(Orders::read(orders().into_words().into_iter()).is_ok_and(|read| read == orders()));
    let mut plain = orders();
    (plain.bubblewrap, plain.task.enclosure) = (None, None);
    assert!(Orders::read(plain.clone().into_words().into_iter()).is_ok_and(|read| read == plain));
}

#[test]
fn a_task_survives_its_file() {
    let task = orders().task;
    assert!(Task::from_bytes(&task.to_bytes()).is_ok_and(|read| read == task));
}

#[test]
fn torn_orders_are_refused() {
    let words = orders().into_words();
    let whole = words.len() - orders().task.args.len();
    for length in 0..whole {
        let torn = words.iter().take(length).cloned();
        assert!(Orders::read(torn).is_err(), "{length} of {whole} words");
    }
    assert!(Orders::read(["x", "2", "3"].map(OsString::from).into_iter()).is_err());
}
