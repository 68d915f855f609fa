use std::sync::{Arc, Mutex};

use super::*;

/// What each write was told, in order.
type Told = Arc<Mutex<Vec<(&'static str, String)>>>;

struct World {
    connection: Connection,
    told: Told,
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(open::DATABASE);
        let connection = open::writer(&path).unwrap();
        Self { connection, told: Told::default(), _directory: directory, path }
    }

    /// A write of two rows that then ends as `outcome` says.
    fn order(&self, name: &'static str, outcome: fn(&Connection) -> Result<(), StoreError>) -> Order {
        let (told, path) = (Arc::clone(&self.told), self.path.clone());
        Box::new(move |connection| {
            let write = |connection: &Connection| {
                for half in ["a", "b"] {
                    connection.execute("INSERT INTO meta VALUES (?1, '')", [format!("{name}{half}")])?;
                }
                outcome(connection)
            };
            let result = connection.and_then(write);
            Done {
                kept: result.is_ok(),
                fault: fault_of(&result),
                answer: Box::new(move |committed| {
                    // Seen by somebody else at the moment of the answer: it is committed.
                    let rows = keys(&open::reader(&path).unwrap())
                        .iter()
                        .filter(|key| key.starts_with(name))
                        .count();
                    told.lock().unwrap().push((name, format!("{} {committed:?} {rows}", result.is_ok())));
                }),
            }
        })
    }

    fn told(&self) -> Vec<(&'static str, String)> {
        self.told.lock().unwrap().clone()
    }
}

fn keys(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT key FROM meta ORDER BY key").unwrap();
    let keys = statement.query_map([], |row| row.get(0)).unwrap();
    keys.map(Result::unwrap).collect()
}

fn ok(_: &Connection) -> Result<(), StoreError> {
    Ok(())
}

fn fails(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("INSERT INTO meta VALUES ('one', NULL)", [])?;
    Ok(())
}

#[test]
fn a_group_is_answered_after_its_commit_and_a_write_that_fails_takes_back_itself_only() {
    let world = World::new();
    let orders = vec![world.order("x", ok), world.order("y", fails), world.order("z", ok)];
    assert!(commit_group(&world.connection, orders).is_ok());
    assert_eq!(keys(&world.connection), ["xa", "xb", "za", "zb"]);
    let expected = [("x", "true Yes 2"), ("y", "false Yes 0"), ("z", "true Yes 2")];
    assert_eq!(world.told(), expected.map(|(name, what)| (name, what.to_owned())));
}

/// As SQLite does it by itself on a full disk or an I/O error.
fn rolls_everything_back(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("ROLLBACK")?;
    Ok(())
}

#[test]
fn a_group_that_is_rolled_back_under_its_writes_is_unknown_and_the_rest_was_not_tried() {
    let world = World::new();
    let orders = vec![world.order("x", ok), world.order("y", rolls_everything_back), world.order("z", ok)];
    assert!(matches!(commit_group(&world.connection, orders), Err(Trouble::Unknown { .. })));
    assert!(keys(&world.connection).is_empty());
    let told = world.told();
    assert_eq!(told[0], ("z", "false Yes 0".to_owned()));
    for (name, what) in &told[1..] {
        assert!(what.starts_with("true Unknown"), "{name}: {what}");
    }
}

fn fills_the_disk(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("INSERT INTO meta VALUES ('large', hex(zeroblob(4000000)))", [])?;
    Ok(())
}

#[test]
fn a_full_disk_is_an_answer_and_the_next_write_goes_on() {
    let world = World::new();
    let pages: u32 = world.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = |pages: u32| {
        world.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(pages + 4);
    let trouble = commit_group(&world.connection, vec![world.order("x", fills_the_disk)]);
    let Err(Trouble::Unknown { fault: Some(fault), .. }) = trouble else { panic!("{trouble:?}") };
    assert_eq!(fault.kind, FaultKind::Full);
    assert!(world.told()[0].1.starts_with("false"), "{:?}", world.told());
    assert!(keys(&world.connection).is_empty());
    limit(pages + 10_000);
    let orders = vec![world.order("y", fills_the_disk)];
    assert!(commit_group(&world.connection, orders).is_ok());
    assert_eq!(keys(&world.connection), ["large", "ya", "yb"]);
}

#[test]
fn a_lock_that_cannot_be_had_writes_nothing_and_says_so() {
    let world = World::new();
    world.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = open::writer(&world.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let trouble = commit_group(&world.connection, vec![world.order("x", ok)]);
    assert!(matches!(trouble, Err(Trouble::Waits(_))), "{trouble:?}");
    assert_eq!(world.told(), [("x", "false Yes 0".to_owned())]);
    other.execute_batch("ROLLBACK").unwrap();
    commit_group(&world.connection, vec![world.order("y", ok)]).unwrap();
    assert_eq!(keys(&world.connection), ["ya", "yb"]);
}
