use super::*;
use crate::actors::process::ended::Obstacle;

fn truth(text: &str, seen: How, led_by_bubblewrap: bool) -> How {
    Told::parse(text).truth(seen, led_by_bubblewrap, Path::new("/bin/x"), b"bwrap: no\n")
}

fn not_started(how: &How, wanted: Obstacle, part: &str) -> bool {
    matches!(how, How::NotStarted { obstacle, detail } if *obstacle == wanted && detail.contains(part))
}

#[test]
fn a_tool_that_leads_its_run_ends_as_it_is_seen() {
    for how in [How::Exited(0), How::Exited(113), How::Exited(139), How::Signalled(11)] {
        assert_eq!(truth("started 0 7 1\n", how.clone(), false), how);
    }
}

#[test]
fn behind_bubblewrap_the_word_of_process_1_counts() {
    let started = "started 1 7 1\n";
    let end = |word: &str, seen| truth(&format!("{started}{word}\n"), seen, true);
    assert_eq!(end("exited 139", How::Exited(139)), How::Exited(139));
    assert_eq!(end("signalled 11", How::Exited(139)), How::Signalled(11));
    assert_eq!(end("exited 0", How::Signalled(9)), How::Exited(0), "killed while it waited for orphans");
    assert_eq!(truth(started, How::Exited(137), true), How::Signalled(9), "process 1 was killed");
    assert_eq!(truth(started, How::Signalled(9), true), How::Signalled(9), "bwrap was killed");
    assert!(not_started(&truth(started, How::Exited(1), true), Obstacle::Other, "before the tool"));
}

#[test]
fn who_says_nothing_has_started_nothing() {
    let how = truth("", How::Exited(1), true);
    assert!(not_started(&how, Obstacle::Other, "bwrap: no"), "{how:?}");
    assert!(not_started(&truth("", How::Exited(0), false), Obstacle::Other, "before the tool"));
    assert_eq!(truth("", How::Signalled(9), false), How::Signalled(9));
}

#[test]
fn a_failure_is_told_apart_from_a_missing_program() {
    let missing = truth("started 0 0 0\nfailed 2 execute the program\n", How::Exited(113), false);
    assert!(not_started(&missing, Obstacle::Missing, "execute the program"), "{missing:?}");
    assert!(!not_started(&missing, Obstacle::Missing, "sandbox"));
    let hidden = truth("started 1 7 1\nfailed 2 execute the program\n", How::Exited(113), true);
    assert!(not_started(&hidden, Obstacle::Missing, "sandbox_readable"), "{hidden:?}");
    let blocked = truth("failed 1 give up capabilities\n", How::Exited(113), false);
    assert!(not_started(&blocked, Obstacle::Other, "give up capabilities"), "{blocked:?}");
}

#[test]
fn a_tool_has_started_when_it_was_told_so() {
    let cases = [
        ("", false),
        ("failed 1 x\n", false),
        ("started 1 7 1\n", true),
        ("started 0 0 0\nexited 0\n", true),
    ];
    for (text, started) in cases {
        assert_eq!(Told::parse(text).has_started(), started, "{text:?}");
    }
}

#[test]
fn what_was_done_to_a_run_wins() {
    assert_eq!(truth("", How::TimedOut, true), How::TimedOut);
    assert_eq!(truth("started 1 7 1\nexited 0\n", How::Cancelled, true), How::Cancelled);
}

#[test]
fn torn_and_foreign_lines_say_nothing() {
    assert_eq!(Told::parse("started 1\nexited x\nfailed\nhello 1\nsignalled"), Told::default());
    let built = Built { bubblewrap: true, landlock_abi: 7, seccomp: false };
    assert_eq!(Told::parse("started 1 7 0\n").built, built);
    assert_eq!(built.to_string(), "bubblewrap, landlock 7");
    assert_eq!(Built::default().to_string(), "none");
}
