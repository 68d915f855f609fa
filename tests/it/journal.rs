//! The promise: what the daemon did can be read while it runs and from its file, and a full disk costs lines of the file
//! only, counted, never the daemon and never what is in memory.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use proctor::actors::journal::file::NAME;
use proctor::actors::journal::ring::ENTRIES_MAX;
use proctor::actors::journal::{Entry, Journal, JournalArguments, JournalServer, What};
use proctor::actors::server::spawn;
use proctor::actors::space::Room;
use proctor::actors::store::Health;
use proctor::domain::supervision::Kind;
use proctor::domain::tree::TreeNode;

use crate::cli_scan::{Served, job_of_line, world};
use crate::disk_world::Disk;
use crate::support::soon;

fn parse(text: &str) -> Vec<Entry> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

fn words(entries: &[Entry]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| match &entry.what {
            What::Job { said, .. } => said.event.as_str(),
            What::Daemon { event, .. } => event.as_str(),
        })
        .collect()
}

#[test]
fn the_life_of_a_daemon_and_of_its_jobs_is_in_the_journal() {
    let home = world();
    let served = Served::start(&home);
    let scan = home.run(&["scan", "target", "--tools", "finds"]).expect(1);
    let job = job_of_line(scan.stderr.lines().find(|line| line.starts_with("scanning ")).unwrap());
    let shown = home.run(&["events"]).expect(0).stdout;
    assert!(shown.contains("started") && shown.contains(&format!("{job}  ended  done")), "{shown}");
    let lines = home.run(&["events", "--json"]).expect(0).stdout;
    let of_job: Vec<_> = parse(&lines)
        .into_iter()
        .filter(|entry| matches!(&entry.what, What::Job { job: id, .. } if id.to_string() == job))
        .collect();
    let told = words(&of_job);
    assert_eq!(
        (told[..4].to_vec(), told.last()),
        (vec!["submitted", "started", "snapshot_taken", "planned"], Some(&"ended"))
    );
    assert_eq!(served.stop(), Some(0));
    let file = fs::read_to_string(home.path().join(".local/state/proctor").join(NAME)).unwrap();
    let kept = parse(&file);
    // The engine may have been found before: it is looked for while the rest still starts.
    let at = |word| words(&kept).iter().position(|other| *other == word);
    assert!(at("started").is_some() && at("started") < at("ended"), "{file}");
    assert_eq!(words(&kept).last(), Some(&"draining"), "what was said last is written, too: {file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_counted_lines_and_never_the_ring() {
    let disk = Disk::new(1 << 20);
    let journal = Journal::default();
    let arguments = JournalArguments {
        directory: disk.at(""),
        journal: journal.clone(),
        tree: Arc::new(|| TreeNode::starting("root", Kind::Supervisor)),
        health: Health::default(),
        room: Room::default(),
    };
    let actor = spawn::<JournalServer>(arguments).await.unwrap();
    let read = || parse(&fs::read_to_string(disk.at(NAME)).unwrap_or_default());
    let reaches = |count: usize, what: &'static str| async move {
        soon(what, async {
            while read().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    };
    journal.say(What::daemon("started", "before"));
    reaches(1, "the first line").await;
    disk.fill();
    let said = ENTRIES_MAX * 3;
    for number in 0..said {
        journal.say(What::daemon("refused", format!("entry {number}")));
    }
    let ring = journal.entries();
    assert_eq!(ring.len(), ENTRIES_MAX);
    assert_eq!(ring.last().unwrap().what, What::daemon("refused", format!("entry {}", said - 1)));
    disk.free();
    // What was written and what lines of their own count as lost are all that was said, however often the disk was tried.
    let accounted = || {
        let of = |line: &Entry| match &line.what {
            What::Daemon { event, detail } if event == "lost" => {
                detail.split(' ').next().unwrap().parse::<usize>().unwrap()
            }
            _ => 1,
        };
        read().iter().map(of).sum::<usize>()
    };
    soon("an account of everything", async {
        while accounted() != 1 + said {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(read().len() > ENTRIES_MAX, "what the ring still had was written");
    assert!(!actor.address.is_closed());
}
