//! The audit trail in the allow-list's file: its table, and what is read from it.
//!
//! It is written through a connection of its own, which does not wait until the disk has it: a
//! line survives the end of the process at once, and a crash of the machine with the next change
//! of the list. The lines about such changes are written with them.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::error::{SelectError, classify};
use super::{Devices, Result, id::DeviceId, storable};
use crate::naming::folded;
use crate::trail::{Class, Entry, Happening, Note, Query};

/// The lines; `class` is what a flood cannot push others out of.
pub(super) const TABLES: &str = "
    CREATE TABLE trail (
        turn  INTEGER PRIMARY KEY,
        class INTEGER NOT NULL,
        at    INTEGER NOT NULL,
        entry TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX trail_of_class ON trail (class, turn);
";

/// Finds out whether the table is the one that this code knows.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare("SELECT turn, class, at, entry FROM trail").map(drop)
}

/// Writes a line within a transaction, and lets the oldest of its class go.
pub(super) fn append(
    connection: &Connection,
    at: u64,
    happening: &Happening,
) -> rusqlite::Result<()> {
    insert(connection, at, happening)?;
    trim(connection, happening.class())
}

fn insert(connection: &Connection, at: u64, happening: &Happening) -> rusqlite::Result<u64> {
    let entry = serde_json::to_string(happening)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let sql = "INSERT INTO trail (class, at, entry) VALUES (?1, ?2, ?3)";
    let class = happening.class() as u8;
    connection.prepare_cached(sql)?.execute(params![class, storable(at).cast_signed(), entry])?;
    Ok(connection.last_insert_rowid().cast_unsigned())
}

fn trim(connection: &Connection, class: Class) -> rusqlite::Result<()> {
    let sql = "DELETE FROM trail WHERE class = ?1 AND turn <=
               (SELECT turn FROM trail WHERE class = ?1 ORDER BY turn DESC LIMIT 1 OFFSET ?2)";
    connection.prepare_cached(sql)?.execute(params![class as u8, class.most()])?;
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let number: i64 = row.get("turn")?;
    let at: i64 = row.get("at")?;
    let text = row.get_ref("entry")?;
    // A line that cannot be read says so, and takes no other with it.
    let happening = text.as_str().ok().and_then(|text| serde_json::from_str(text).ok());
    Ok(Entry {
        number: number.cast_unsigned(),
        at: at.max(0).cast_unsigned(),
        happening: happening.unwrap_or(Happening::Unknown),
    })
}

impl Devices {
    /// Writes lines; their numbers, in order.
    pub(crate) fn write_trail<'a>(
        &self,
        notes: impl Iterator<Item = &'a Note>,
    ) -> Result<Vec<u64>> {
        let mut connection = self.trail_lock();
        let _turn = self.turns.take();
        let write = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut numbers = Vec::new();
            for note in notes {
                numbers.push(insert(&transaction, note.at, &note.happening)?);
                // Behind it, so that no number is given twice.
                if let Some(number) = note.replaces {
                    let sql = "DELETE FROM trail WHERE turn = ?1";
                    transaction.prepare_cached(sql)?.execute([number.cast_signed()])?;
                }
            }
            for class in Class::ALL {
                trim(&transaction, class)?;
            }
            transaction.commit()?;
            Ok(numbers)
        };
        write(&mut connection).map_err(|error| classify(&self.path, error))
    }

    /// The lines that are asked for, oldest first.
    ///
    /// # Errors
    /// [`SelectError::NotFound`] when no device has or had that name or id.
    pub(crate) fn trail(&self, query: &Query) -> Result<Vec<Entry>, SelectError> {
        let from = query.behind.map_or(-1, |number| storable(number).cast_signed());
        if query.behind.is_some() && !self.has_lines_behind(from)? {
            return Ok(Vec::new());
        }
        let devices = query.device.as_deref().map(|text| self.meant(text)).transpose()?;
        let since = query.since.map_or(i64::MIN, |since| storable(since).cast_signed());
        let is_asked = |entry: &Entry| {
            let about = |ids: &HashSet<String>| {
                entry.happening.devices().any(|device| ids.contains(&device.id))
            };
            devices.as_ref().is_none_or(about)
        };
        let last = query.last.unwrap_or(usize::MAX);
        let read = |connection: &Connection| {
            let sql = "SELECT turn, at, entry FROM trail WHERE turn > ?1 AND at >= ?2
                       ORDER BY turn DESC";
            let mut query = connection.prepare_cached(sql)?;
            let mut entries = Vec::new();
            for entry in query.query_map([from, since], entry)? {
                let entry = entry?;
                if entries.len() >= last {
                    break;
                }
                if is_asked(&entry) {
                    entries.push(entry);
                }
            }
            Ok(entries)
        };
        let mut entries = read(&self.trail_lock()).map_err(|error| classify(&self.path, error))?;
        entries.reverse();
        Ok(entries)
    }

    fn has_lines_behind(&self, number: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM trail WHERE turn > ?1)";
        let found = self.trail_lock().query_row(sql, [number], |row| row.get(0));
        found.map_err(|error| classify(&self.path, error))
    }

    /// The ids of all devices that a person means by `text`, also of those that are gone.
    fn meant(&self, text: &str) -> Result<HashSet<String>, SelectError> {
        let listed = self.list()?;
        let now = listed.iter().map(|device| (device.id.to_string(), device.name.to_string()));
        let every = Query::default();
        let then = self.trail(&every)?;
        let then = then.iter().flat_map(|entry| entry.happening.devices());
        let then = then.map(|who| (who.id.clone(), who.name.clone()));
        let known: HashSet<(String, String)> = now.chain(then).collect();

        let wanted = folded(text.trim());
        let named = known.iter().filter(|(_, name)| folded(name) == wanted);
        let mut ids: HashSet<_> = named.map(|(id, _)| id.clone()).collect();
        if ids.is_empty() {
            let prefix = DeviceId::normalized(text.trim()).filter(|prefix| prefix.len() >= 2);
            let begins =
                |id: &&String| prefix.as_ref().is_some_and(|prefix| id.starts_with(prefix));
            ids = known.iter().map(|(id, _)| id).filter(begins).cloned().collect();
        }
        if ids.is_empty() {
            let known = listed.into_iter().map(|device| device.name).collect();
            return Err(SelectError::NotFound { known });
        }
        Ok(ids)
    }

    /// The connection that the trail is written and read through.
    pub(super) fn trail_lock(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked rolled its transaction back.
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "trail_tests.rs"]
mod tests;
