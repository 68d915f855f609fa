//! Group commit: what waits goes into one transaction, and each caller hears of its own write after the COMMIT. One fsync
//! serves them all. A write that fails takes back itself only; a COMMIT that fails leaves every write of its group
//! *unknown*: after a failed fsync a refused row was found in the file (`reliability.md` §C), so nobody is told "no".

use std::path::PathBuf;

use rusqlite::Connection;

use super::worker::Intake;
use crate::store::{StoreError, open};

/// Writes of one transaction: past some dozens the fsync is no longer what a write costs, and the last one of a group
/// waits for all others.
const GROUP_MAX: usize = 64;

/// A write. It is called once: with the connection inside the group's transaction, or with the reason why it will not
/// be.
pub type Order = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Done + Send>;

/// A write that was tried.
pub struct Done {
    /// Whether its changes stay in the transaction.
    pub kept: bool,
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
    pub path: PathBuf,
    pub connection: Connection,
}

impl Writer {
    /// Works until the intake ends, or until the database cannot be opened again.
    pub(super) fn serve(mut self, intake: &Intake<Order>) {
        while let Some(first) = intake.wait() {
            let rest = std::iter::from_fn(|| intake.more());
            let group = std::iter::once(first).chain(rest).take(GROUP_MAX).collect();
            let committed = commit_group(&self.connection, group);
            let Committed::Unknown { why } = committed else {
                continue;
            };
            tracing::error!(why, "a group of writes was not acknowledged; opening the database again");
            match open::writer(&self.path) {
                Ok(connection) => self.connection = connection,
                Err(error) => {
                    tracing::error!(%error, "the store cannot go on");
                    return;
                }
            }
        }
    }
}

/// Runs the orders in one transaction and answers them all.
pub(super) fn commit_group(connection: &Connection, orders: Vec<Order>) -> Committed {
    metrics::histogram!("proctor_store_group_writes").record(orders.len() as f64);
    let mut orders = orders.into_iter();
    let mut done = Vec::new();
    let committed = match in_transaction(connection, &mut orders, &mut done) {
        Ok(()) => Committed::Yes,
        Err(error) => Committed::Unknown { why: error.to_string() },
    };
    // Orders that were not tried wrote nothing, whatever became of the others.
    for order in orders {
        (order(Err(StoreError::Busy)).answer)(Committed::Yes);
    }
    for one in done {
        (one.answer)(committed.clone());
    }
    committed
}

fn in_transaction(
    connection: &Connection,
    orders: &mut impl Iterator<Item = Order>,
    done: &mut Vec<Done>,
) -> rusqlite::Result<()> {
    // IMMEDIATE: a lock that cannot be had is met here, not in the middle of a write.
    connection.execute_batch("BEGIN IMMEDIATE")?;
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
    connection.execute_batch("COMMIT")
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
