use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().canonicalize().unwrap();
    for folder in ["data/work", "home", "tmp", "other"] {
        std::fs::create_dir_all(path.join(folder)).unwrap();
    }
    (place, path)
}

fn view_of(sandbox: &Sandbox, path: &Path, bubblewrap: bool) -> Vec<Entry> {
    let (home, tmp) = (path.join("home"), path.join("tmp"));
    view(sandbox, &Surroundings { program: Path::new("/bin/sh"), home: &home, tmp: &tmp }, bubblewrap)
}

#[test]
fn it_shows_what_was_given_and_the_system_and_nothing_else() {
    let (_place, path) = place();
    let sandbox = Sandbox {
        readable: vec![path.join("data"), "/nowhere".into()],
        writable: vec![path.join("data/work")],
        ..Sandbox::default()
    };
    let view = view_of(&sandbox, &path, true);
    let below: Vec<_> = view.iter().filter(|entry| entry.path().starts_with(&path)).collect();
    let expected = [
        Entry::Readable(path.join("data")),
        Entry::Writable(path.join("home")),
        Entry::Writable(path.join("tmp")),
        Entry::Writable(path.join("data/work")),
    ];
    assert_eq!(below.len(), expected.len(), "{below:?}");
    assert!(expected.iter().all(|entry| view.contains(entry)), "{below:?}");
    for hidden in ["/", "/etc", "/home", "/root", "/run", "/var", "/proc", "/sys", "/etc/shadow", "/nowhere"]
    {
        assert!(view.iter().all(|entry| entry.path() != Path::new(hidden)), "{hidden}");
    }
    assert!(view.iter().any(|entry| matches!(entry, Entry::Readable(usr) if usr == Path::new("/usr"))));
}

#[test]
fn parents_come_before_what_is_below_them() {
    let (_place, path) = place();
    let sandbox = Sandbox {
        readable: vec![path.join("data/work"), path.join("data")],
        writable: vec![path.join("data/work")],
        ..Sandbox::default()
    };
    let view = view_of(&sandbox, &path, true);
    for (index, entry) in view.iter().enumerate() {
        let later = view[index + 1..].iter();
        assert!(
            later.clone().all(|next| next.path() == entry.path() || !entry.path().starts_with(next.path()))
        );
    }
    let work = view.iter().rfind(|entry| entry.path() == path.join("data/work"));
    assert!(matches!(work, Some(Entry::Writable(_))), "what may be written comes last: {work:?}");
}

#[test]
fn a_link_is_shown_with_what_it_leads_to() {
    let (_place, path) = place();
    std::os::unix::fs::symlink(path.join("other"), path.join("link")).unwrap();
    std::os::unix::fs::symlink(path.join("other"), path.join("data/inner")).unwrap();
    let sandbox = Sandbox {
        readable: vec![path.join("link"), path.join("data"), path.join("data/inner")],
        ..Sandbox::default()
    };
    let view = view_of(&sandbox, &path, true);
    assert!(view.contains(&Entry::Readable(path.join("other"))));
    assert!(view.contains(&Entry::Readable(path.join("link"))), "the path it was given by");
    // Mounted over a link, it would land where the link leads.
    assert!(!view.contains(&Entry::Readable(path.join("data/inner"))), "its directory shows it already");
}

#[test]
fn without_a_dev_of_its_own_a_tool_has_harmless_devices() {
    let (_place, path) = place();
    let own = |bubblewrap| {
        let view = view_of(&Sandbox::default(), &path, bubblewrap);
        view.iter().filter(|entry| matches!(entry, Entry::Own(_))).count()
    };
    assert_eq!((own(true), own(false)), (OWN.len(), SHARED_DEVICES.len()));
}
