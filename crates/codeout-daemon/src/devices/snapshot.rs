//! The list as a value, for a model checker: it goes back to an earlier one, and on from there.

use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::error::classify;
use super::turns::Turns;
use super::{Devices, Result, file, trail};

/// All that a list holds, secrets included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot(Vec<Vec<Value>>);

impl Devices {
    /// An empty list in memory.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn in_memory() -> Result<Devices> {
        let path = PathBuf::from(":memory:");
        let open = || {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(file::TABLES)?;
            connection.execute_batch(trail::TABLES)?;
            Ok(Mutex::new(connection))
        };
        let failed = |error| classify(&path, error);
        // Two of them have nothing in common: what is noted through the second stays there.
        let (connection, trail) = (open().map_err(failed)?, open().map_err(failed)?);
        // There is no file.
        let file = (0, 0);
        Ok(Devices { path, file, connection, trail, turns: Turns::default() })
    }

    /// What has been committed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.read(|connection| {
            let mut query = connection.prepare_cached("SELECT * FROM device ORDER BY turn")?;
            let columns = query.column_count();
            let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
            Ok(Snapshot(query.query_map([], row)?.collect::<rusqlite::Result<_>>()?))
        })
    }

    /// Makes the list what it was when `snapshot` was taken. The audit trail, by which nothing is
    /// decided, begins anew.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        self.write(|transaction| {
            transaction.execute_batch("DELETE FROM device; DELETE FROM trail;")?;
            for row in &snapshot.0 {
                let marks = vec!["?"; row.len()].join(", ");
                let sql = format!("INSERT INTO device VALUES ({marks})");
                transaction.prepare_cached(&sql)?.execute(params_from_iter(row))?;
            }
            Ok(())
        })
    }

    /// Lets every change fail from now on, as a disk does that may not be written, or no more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refuse_changes(&self, refuse: bool) -> Result<()> {
        self.read(|connection| connection.pragma_update(None, "query_only", refuse))
    }
}
