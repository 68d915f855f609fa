use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use super::*;

const ROOMY: ContextLimits = ContextLimits { bytes: 1 << 20, files: 100 };

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn names(context: &BuildContext) -> Vec<String> {
    context.entries.iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn the_last_pattern_wins() {
    let ignored = Ignored::parse("# comment\n\n*.log\n/build/\n**/cache\n!keep.log\nsrc/*.tmp\n").unwrap();
    for path in ["a.log", "build", "build/x/y", "a/b/cache/z"] {
        assert!(ignored.holds(Path::new(path)), "{path}");
    }
    for path in ["keep.log", "a/b.log", "src/deep/a.tmp", "builds", "Dockerfile"] {
        assert!(!ignored.holds(Path::new(path)), "{path}");
    }
    assert!(matches!(Ignored::parse("ok\n[a"), Err(ContextError::Pattern { line: 2, .. })));
}

#[test]
fn what_is_left_out_is_not_sent() {
    let files = [
        ("Dockerfile", "FROM x"),
        (".dockerignore", "*\n!src\nsrc/secret\n"),
        ("src/app.py", "1"),
        ("src/secret/key", "2"),
        ("other/file", "3"),
    ];
    let folder = tree(&files);
    let context = BuildContext::read(folder.path(), "Dockerfile", ROOMY).unwrap();
    assert_eq!(names(&context), [".dockerignore", "Dockerfile", "src", "src/app.py"]);
}

#[test]
fn limits_are_kept_before_anything_is_sent() {
    let folder = tree(&[("Dockerfile", "FROM x"), ("large", &"x".repeat(100))]);
    let few = |bytes, files| BuildContext::read(folder.path(), "Dockerfile", ContextLimits { bytes, files });
    assert!(matches!(few(50, 9), Err(ContextError::TooLarge { limit: 50, what: "bytes", .. })));
    assert!(matches!(few(500, 1), Err(ContextError::TooLarge { limit: 1, what: "files", .. })));
    assert_eq!(few(500, 9).unwrap().bytes, 106);
}

#[test]
fn a_directory_without_a_dockerfile_is_none_to_build_from() {
    let folder = tree(&[("sub/Dockerfile", "FROM x")]);
    for outside in ["Dockerfile", "../Dockerfile", "/etc/passwd", "sub"] {
        let read = BuildContext::read(folder.path(), outside, ROOMY);
        assert!(matches!(read, Err(ContextError::NoDockerfile { .. })), "{outside}");
    }
    assert!(BuildContext::read(folder.path(), "sub/Dockerfile", ROOMY).is_ok());
}

/// Path, and what the archive has there.
async fn unpacked(context: BuildContext) -> BTreeMap<String, String> {
    let bytes: Vec<Bytes> = context.stream().map(Result::unwrap).collect().await;
    let bytes = bytes.concat();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text =
            entry.link_name().unwrap().map(|link| format!("-> {}", link.display())).unwrap_or_default();
        entry.read_to_string(&mut text).unwrap();
        (entry.path().unwrap().display().to_string(), text)
    });
    entries.collect()
}

#[tokio::test]
async fn a_directory_arrives_as_it_is_with_its_links_as_links() {
    let long = format!("deep/{}/{}", "d".repeat(120), "f".repeat(120));
    let large = "x".repeat(3 * PIECE_BYTES + 7);
    let folder = tree(&[("Dockerfile", "FROM x"), (&long, "long"), ("large", &large)]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
    nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let context =
        BuildContext::read(folder.path(), "Dockerfile", ContextLimits { bytes: 1 << 30, files: 99 }).unwrap();
    let sent = unpacked(context).await;
    assert_eq!(sent["out"], "-> /etc/passwd");
    assert_eq!((sent[&long].as_str(), sent["large"].len()), ("long", large.len()));
    assert!(!sent.contains_key("pipe"), "{:?}", sent.keys());
}

#[test]
fn files_for_a_container_carry_their_owner() {
    let file = FileIn { path: "/a/b".into(), mode: 0o640, owner: (1000, 1001), content: b"text".to_vec() };
    let bytes = archive_of(&[file]).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    let header = entry.header();
    assert_eq!(entry.path().unwrap().display().to_string(), "a/b");
    assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mode().unwrap()), (1000, 1001, 0o640));
}
