//! Group commit: what waits goes into one transaction, and each caller hears of its own write after the COMMIT. One fsync
//! serves them all. A write that fails takes back itself only; a COMMIT that fails leaves every write of its group
//! *unknown*: after a failed fsync a refused row was found in the file (`reliability.md` §C), so nobody is told "no".
//!
//! ```text
//! writing ──a COMMIT fails──▶ unsettled ──opened anew, log copied and cut──▶ writing
//!    │                           └─ refuses what comes, tries again at each write and every second
//!    └──the file is damaged──▶ over: the next life checks the file, and says so
//! ```
//! Reads have a connection of their own and go on through all of it.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use super::health::Health;
use super::worker::{Intake, Wait};
use crate::faults;
use crate::store::open;
use crate::store::{Fault, FaultKind, StoreError};

/// Writes of one transaction: past some dozens the fsync is no longer what a write costs, and the last one of a group
/// waits for all others.
const GROUP_MAX: usize = 64;
/// How often a disk that failed is tried while nobody writes: readiness must come back without a client's help.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A write. It is called once: with the connection inside the group's transaction, or with the reason why it will not
/// be.
pub type Order = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Done + Send>;

/// A write that was tried.
pub struct Done {
    /// Whether its changes stay in the transaction.
    pub kept: bool,
    /// What it met of the disk's failures.
    pub fault: Option<Fault>,
    /// Answers the caller: with the write's own result, if the group was committed.
    pub answer: Box<dyn FnOnce(Committed)>,
}

/// How a group ended.
#[derive(Debug, Clone)]
pub enum Committed {
    Yes,
    Unknown { why: String },
}

/// What the writer's thread holds.
pub(super) struct Writer {
    path: PathBuf,
    stage: Stage,
    health: Health,
}

enum Stage {
    Writing(Connection),
    /// After a COMMIT that failed; what the disk has to do with it.
    Unsettled(Option<Fault>),
    Damaged,
}

impl Writer {
    pub fn new(path: PathBuf, connection: Connection, health: Health) -> Self {
        health.works();
        Self { path, stage: Stage::Writing(connection), health }
    }

    /// Works until the intake ends, or the file is found damaged.
    pub fn serve(mut self, intake: &Intake<Order>) {
        while !matches!(self.stage, Stage::Damaged) {
            let waited = match self.health.fault() {
                None => intake.wait(),
                Some(_) => intake.wait_at_most(PROBE_EVERY),
            };
            let group = match waited {
                Wait::Job(first) => {
                    let rest = std::iter::from_fn(|| intake.more());
                    std::iter::once(first).chain(rest).take(GROUP_MAX).collect()
                }
                Wait::Nothing => vec![probe()],
                Wait::Over { in_order } => return self.finish(in_order),
            };
            self.write(group);
        }
    }

    fn write(&mut self, group: Vec<Order>) {
        self.settle();
        match &self.stage {
            Stage::Writing(connection) => match commit_group(connection, group) {
                Ok(()) => self.health.works(),
                Err(Trouble::Waits(why)) => tracing::warn!(why, "another program holds the database"),
                Err(Trouble::Met(fault)) => self.fails(fault),
                Err(Trouble::Unknown { why, fault }) => {
                    tracing::error!(
                        why,
                        "a group of writes was not acknowledged; opening the database again"
                    );
                    self.stage = Stage::Unsettled(fault.clone());
                    fault.into_iter().for_each(|fault| self.fails(fault));
                    // Now, so that who asks again finds the truth.
                    self.settle();
                }
            },
            Stage::Unsettled(fault) => refuse(group, fault.as_ref()),
            Stage::Damaged => {}
        }
    }

    fn fails(&mut self, fault: Fault) {
        if fault.kind == FaultKind::Damaged {
            self.stage = Stage::Damaged;
        }
        self.health.fails(fault);
    }

    /// Opens the database again after a COMMIT that failed.
    fn settle(&mut self) {
        let Stage::Unsettled(before) = &mut self.stage else { return };
        match open::settled_writer(&self.path) {
            Ok(connection) => self.stage = Stage::Writing(connection),
            Err(error) => match error.fault() {
                Some(fault) => {
                    *before = Some(fault.clone());
                    self.fails(fault);
                }
                None => tracing::warn!(%error, "the store is not settled yet"),
            },
        }
    }

    /// An orderly end leaves nothing to recover.
    fn finish(self, in_order: bool) {
        let Stage::Writing(connection) = self.stage else { return };
        if in_order && let Err(error) = open::checkpoint(&connection) {
            tracing::warn!(%error, "the log was not copied into the database; the next start does it");
        }
    }
}

/// A write of nobody's, to see whether the disk takes one.
fn probe() -> Order {
    Box::new(|connection| {
        let sql = "INSERT INTO meta (key, value) VALUES ('probe', '1')
                   ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1";
        let written = connection.and_then(|connection| Ok(connection.execute(sql, [])?));
        Done { kept: written.is_ok(), fault: fault_of(&written), answer: Box::new(drop) }
    })
}

/// The disk's part in a result.
pub(super) fn fault_of<T>(result: &Result<T, StoreError>) -> Option<Fault> {
    match result {
        Err(StoreError::Disk(fault)) => Some(fault.clone()),
        _ => None,
    }
}

/// Nothing of them was written.
fn refuse(orders: impl IntoIterator<Item = Order>, fault: Option<&Fault>) {
    for order in orders {
        let why = fault.cloned().map_or(StoreError::Busy, StoreError::Disk);
        (order(Err(why)).answer)(Committed::Yes);
    }
}

/// What became of a group that was not simply committed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was not begun: another program's lock.
    Waits(String),
    /// It was committed; some of its writes met this.
    Met(Fault),
    /// Whether it is on the disk is unknown.
    Unknown { why: String, fault: Option<Fault> },
}

impl Trouble {
    fn unknown(error: &rusqlite::Error, met: Option<Fault>) -> Self {
        Self::Unknown { why: error.to_string(), fault: met.or_else(|| Fault::of(error)) }
    }
}

/// Runs the orders in one transaction and answers them all.
pub(super) fn commit_group(connection: &Connection, orders: Vec<Order>) -> Result<(), Trouble> {
    metrics::histogram!("proctor_store_group_writes").record(orders.len() as f64);
    let mut orders = orders.into_iter();
    let mut done = Vec::new();
    // IMMEDIATE: a lock that cannot be had is met here, not in the middle of a write.
    let outcome = match connection.execute_batch("BEGIN IMMEDIATE") {
        Err(error) if Fault::of(&error).is_none() => Err(Trouble::Waits(error.to_string())),
        Err(error) => Err(Trouble::unknown(&error, None)),
        Ok(()) => in_transaction(connection, &mut orders, &mut done)
            .map_err(|error| Trouble::unknown(&error, met(&done))),
    };
    let (committed, fault) = match &outcome {
        Err(Trouble::Unknown { why, fault }) => (Committed::Unknown { why: why.clone() }, fault.as_ref()),
        _ => (Committed::Yes, None),
    };
    // Orders that were not tried wrote nothing, whatever became of the others.
    refuse(orders, fault);
    let met = met(&done);
    done.into_iter().for_each(|one| (one.answer)(committed.clone()));
    match (outcome, met) {
        (Ok(()), Some(fault)) => Err(Trouble::Met(fault)),
        (outcome, _) => outcome,
    }
}

fn met(done: &[Done]) -> Option<Fault> {
    done.iter().find_map(|one| one.fault.clone())
}

fn in_transaction(
    connection: &Connection,
    orders: &mut impl Iterator<Item = Order>,
    done: &mut Vec<Done>,
) -> rusqlite::Result<()> {
    for order in orders {
        connection.execute_batch("SAVEPOINT one")?;
        let one = order(Ok(connection));
        let kept = one.kept;
        done.push(one);
        // A full disk or an I/O error may have rolled everything back, and the writes before this one with it.
        if connection.is_autocommit() {
            let rolled_back = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
            return Err(rusqlite::Error::SqliteFailure(rolled_back, None));
        }
        connection.execute_batch(if kept { "RELEASE one" } else { "ROLLBACK TO one; RELEASE one" })?;
    }
    faults::point("store.before_commit");
    connection.execute_batch("COMMIT")?;
    faults::point("store.after_commit");
    Ok(())
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
