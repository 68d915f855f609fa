use std::fs;

use rusqlite::Connection;

use super::*;
use crate::store::open::{self, DATABASE};

const COMMITS: u32 = 20;

/// A database as a kill leaves it: the log holds commits that the file does not.
struct Crashed {
    directory: tempfile::TempDir,
}

impl Crashed {
    fn new() -> Self {
        let live = tempfile::tempdir().unwrap();
        let path = live.path().join(DATABASE);
        let connection = open::writer(&path).unwrap();
        checkpoint(&connection);
        for number in 0..COMMITS {
            connection.execute("INSERT INTO meta VALUES (?1, hex(zeroblob(3000)))", [number]).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal", "-shm"] {
            fs::copy(beside(&path, suffix), beside(&directory.path().join(DATABASE), suffix)).unwrap();
        }
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(DATABASE)
    }

    fn log(&self) -> Vec<u8> {
        fs::read(beside(&self.path(), "-wal")).unwrap()
    }

    fn with_log(&self, log: &[u8]) -> Result<Held, LogError> {
        fs::write(beside(&self.path(), "-wal"), log).unwrap();
        check(&self.path())
    }

    /// Rows that SQLite finds, which truncates and says nothing.
    fn rows(&self) -> u32 {
        let connection = Connection::open(self.path()).unwrap();
        connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap()
    }
}

fn checkpoint(connection: &Connection) {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

#[test]
fn a_log_as_a_kill_leaves_it_is_whole() {
    let crashed = Crashed::new();
    let held = check(&crashed.path()).unwrap();
    assert!(held.committed >= COMMITS && held.dropped == 0, "{held:?}");
    assert_eq!(crashed.rows(), COMMITS);
}

#[test]
fn wherever_the_log_is_damaged_or_cut_what_was_acknowledged_is_missed() {
    let crashed = Crashed::new();
    let log = crashed.log();
    for at in (0..log.len()).step_by(997).chain([0, 8, 16, 24, 31, 32, log.len() - 1]) {
        let mut damaged = log.clone();
        damaged[at] ^= 0x40;
        assert!(crashed.with_log(&damaged).is_err(), "byte {at}");
        assert!(crashed.with_log(&log[..at]).is_err(), "cut at {at}");
    }
    fs::remove_file(beside(&crashed.path(), "-wal")).unwrap();
    assert!(check(&crashed.path()).is_err(), "a log that is gone");
    // Sqlite itself says nothing.
    assert_eq!(crashed.rows(), 0);
}

#[test]
fn without_its_index_a_torn_end_is_a_crash_and_a_gap_is_damage() {
    let crashed = Crashed::new();
    fs::remove_file(beside(&crashed.path(), "-shm")).unwrap();
    let log = crashed.log();
    let mut gap = log.clone();
    gap[log.len() / 2] ^= 1;
    let error = crashed.with_log(&gap).unwrap_err();
    assert!(error.to_string().contains("does not add up after frame"), "{error}");
    let mut torn = log.clone();
    *torn.last_mut().unwrap() ^= 1;
    let held = crashed.with_log(&torn).unwrap();
    assert!(held.dropped > 0, "{held:?}");
    crashed.with_log(&log[..log.len() - 1]).unwrap();
    assert_eq!(crashed.rows(), COMMITS - 1, "the last one is taken for a write under way");
}

#[test]
fn frames_of_an_earlier_generation_are_no_damage() {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join(DATABASE);
    let connection = open::writer(&path).unwrap();
    for number in 0..COMMITS {
        connection.execute("INSERT INTO meta VALUES (?1, hex(zeroblob(3000)))", [number]).unwrap();
    }
    // The log is copied but not cut: the next commit begins it anew over the old frames.
    connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
    connection.execute("INSERT INTO meta VALUES ('new', '')", []).unwrap();
    let held = check(&path).unwrap();
    assert!((1..COMMITS).contains(&held.committed) && held.dropped == 0, "{held:?}");
}

#[test]
fn no_log_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATABASE);
    assert_eq!(check(&path).unwrap(), Held::default());
    drop(open::writer(&path).unwrap());
    assert_eq!(check(&path).unwrap(), Held::default());
}
