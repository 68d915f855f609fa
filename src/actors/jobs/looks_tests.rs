use std::time::Duration;

use super::*;
use crate::actors::server::spawn;

fn arguments() -> LooksArguments {
    LooksArguments { policy: Policy::new(std::iter::empty::<&str>()).unwrap(), limits: Limits::default() }
}

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(tree.path().join(name), text).unwrap();
    }
    tree
}

async fn look(looks: &crate::actors::mailbox::Address<LooksMessage>, target: &tempfile::TempDir) -> Seen {
    let target = target.path().canonicalize().unwrap();
    looks.call(|reply| LooksMessage::Look { target, reply }, Duration::from_secs(10)).await.unwrap()
}

#[tokio::test]
async fn a_look_sees_what_a_snapshot_would_hold() {
    let looks = spawn::<Looks>(arguments()).await.unwrap().address;
    let (one, other) = (tree(&[("a.py", "1"), ("b.py", "2")]), tree(&[("a.py", "1"), ("b.py", "3")]));
    let seen = look(&looks, &one).await.unwrap();
    let destination = tempfile::tempdir().unwrap();
    let LooksArguments { policy, limits } = arguments();
    let target = one.path().canonicalize().unwrap();
    let copy = snapshot::take(
        &target,
        &destination.path().join("copy"),
        &policy,
        &limits,
        &CancellationToken::new(),
    );
    assert_eq!(copy.unwrap().digest, seen);
    assert_ne!(look(&looks, &other).await.unwrap(), seen);
    std::fs::write(one.path().join("b.py"), "3").unwrap();
    assert_eq!(look(&looks, &one).await, look(&looks, &other).await, "the newest content is read");
}

#[tokio::test]
async fn a_target_that_cannot_be_read_says_so_and_holds_up_nobody() {
    let looks = spawn::<Looks>(arguments()).await.unwrap().address;
    let gone = tree(&[]);
    let target = gone.path().canonicalize().unwrap();
    gone.close().unwrap();
    let seen =
        looks.call(|reply| LooksMessage::Look { target, reply }, Duration::from_secs(10)).await.unwrap();
    assert!(seen.unwrap_err().contains("cannot be opened"));
    assert!(look(&looks, &tree(&[("a", "")])).await.is_ok());
}
