//! The tables, as numbered migrations. A migration that was released is never edited: a change is a new one.
//!
//! Rows have integer keys, which keep the pages of one job together; ids are unique columns beside them. Times are
//! RFC 3339 in UTC, so that they sort as text.

use rusqlite::Connection;

/// Migration `n` (from 1) takes a database from version `n - 1` to `n`.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_jobs.sql"),
    include_str!("schema/0002_attempts.sql"),
    include_str!("schema/0003_web.sql"),
];

/// The database cannot be brought to this version's schema.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "the database has schema version {found}, this proctor knows {known}: it was written by a newer one"
    )]
    FromTheFuture { found: usize, known: usize },
    #[error("migration {number} failed and was rolled back: {source}")]
    Failed { number: usize, source: rusqlite::Error },
}

/// The version this code reads and writes.
pub const fn version() -> usize {
    MIGRATIONS.len()
}

/// Applies what is missing, each migration in one transaction with its number.
pub fn migrate(connection: &mut Connection) -> Result<(), MigrationError> {
    let failed = |number| move |source| MigrationError::Failed { number, source };
    let found: usize =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed(0))?;
    if found > MIGRATIONS.len() {
        return Err(MigrationError::FromTheFuture { found, known: MIGRATIONS.len() });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        let number = index + 1;
        apply(connection, migration, number).map_err(failed(number))?;
    }
    Ok(())
}

/// Foreign keys are off meanwhile, or dropping a table that is built anew would take every row that points to it along
/// (sqlite.org/lang_altertable.html §7); what they demand is checked before the commit.
fn apply(connection: &mut Connection, migration: &str, number: usize) -> rusqlite::Result<()> {
    connection.pragma_update(None, "foreign_keys", false)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(migration)?;
    let broken: usize =
        transaction.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
    if broken > 0 {
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
        return Err(rusqlite::Error::SqliteFailure(error, Some(format!("{broken} rows point nowhere"))));
    }
    transaction.pragma_update(None, "user_version", number)?;
    transaction.commit()?;
    connection.pragma_update(None, "foreign_keys", true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_applied_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        let found: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(found, version());
    }

    #[test]
    fn what_was_stored_before_a_table_was_built_anew_is_there_after_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, MIGRATIONS[0], 1).unwrap();
        let id = "0".repeat(32);
        let rows = format!(
            "INSERT INTO boots VALUES (1, 'b', '0', 'now');
             INSERT INTO jobs (id, boot, principal, target, request, state, conclusion, submitted_at, left_out, counts)
                 VALUES ('{id}', 1, 'p', '/t', '{{}}', 'done', 'clean', 'now', '{{}}', '[]');
             INSERT INTO runs (id, job, tool, state, detail) VALUES ('{id}', 1, 't', 'clean', '{{}}');
             INSERT INTO events VALUES (1, 1, 'now', '{{}}');"
        );
        connection.execute_batch(&rows).unwrap();
        migrate(&mut connection).unwrap();
        let count = |table: &str| -> usize {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!((count("jobs"), count("runs"), count("events")), (1, 1, 1));
        connection.execute("DELETE FROM jobs", []).unwrap();
        assert_eq!(
            (count("runs"), count("events")),
            (0, 0),
            "foreign keys are on, and point to the new table"
        );
    }

    #[test]
    fn a_database_of_a_newer_proctor_is_refused_and_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", version() + 1).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, MigrationError::FromTheFuture { .. }), "{error}");
        let tables: usize =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }
}
