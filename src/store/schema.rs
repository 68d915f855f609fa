//! The tables, as numbered migrations. A migration that was released is never edited: a change is a new one.
//!
//! Rows have integer keys, which keep the pages of one job together; ids are unique columns beside them. Times are
//! RFC 3339 in UTC, so that they sort as text.

use rusqlite::Connection;

/// Migration `n` (from 1) takes a database from version `n - 1` to `n`.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001_jobs.sql")];

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
        let apply = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()
        };
        apply(connection).map_err(failed(number))?;
    }
    Ok(())
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
