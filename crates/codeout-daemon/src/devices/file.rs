//! The file of the allow-list: making it, opening it, bringing it up to this version, and what is
//! left in its log.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{DevicesError, classify};
use super::{Result, trail};
use crate::files::{Draft, UnsafeFile};

/// "codt": what marks a SQLite file as codeout's allow-list.
pub(super) const APPLICATION_ID: i32 = 0x636f_6474;
/// The version of the tables, which this code reads and writes.
pub(super) const VERSION: i32 = 2;
/// The version without an audit trail, which is brought up to this one.
const WITHOUT_TRAIL: i32 = 1;
/// How long a call waits for another process that writes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How every connection to the list writes: what was removed is written over, and what is moved from
/// the log to the main file reaches the disk.
const LASTING: [(&str, &str); 3] = [
    ("secure_delete", "ON"),
    // Where a plain fsync does not reach the disk: macOS. Nothing elsewhere.
    ("fullfsync", "ON"),
    ("checkpoint_fullfsync", "ON"),
];

/// `turn` keeps the order of pairing whatever the clock did.
pub(super) const TABLES: &str = "
    CREATE TABLE device (
        turn       INTEGER PRIMARY KEY,
        id         TEXT    NOT NULL UNIQUE,
        key        BLOB    NOT NULL UNIQUE CHECK (length(key) = 32),
        psk        BLOB    NOT NULL CHECK (length(psk) = 32),
        name       TEXT    NOT NULL UNIQUE,
        paired_at  INTEGER NOT NULL,
        last_seen  INTEGER,
        unfinished INTEGER NOT NULL CHECK (unfinished IN (0, 1)),
        watch_only INTEGER NOT NULL CHECK (watch_only IN (0, 1)),
        expires_at INTEGER
    ) STRICT;
";

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The device and the number of a file, which is the same as long as nothing takes its place.
pub(super) type FileNumber = (u64, u64);

/// Looks at a list that could be opened, without opening it.
pub(super) fn look(path: &Path) -> Result<FileNumber> {
    // By name: to open and close the file here would drop SQLite's locks on it.
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, error))?;
    UnsafeFile::check(path, &metadata).map_err(DevicesError::Unsafe)?;
    if metadata.len() == 0 {
        // SQLite would fill it; it was never published empty.
        let reason = "it is empty".to_owned();
        return Err(DevicesError::Corrupt { path: path.to_owned(), reason });
    }
    Ok((metadata.dev(), metadata.ino()))
}

pub(super) fn cannot_open(path: &Path, reason: impl ToString) -> DevicesError {
    DevicesError::Open { path: path.to_owned(), reason: reason.to_string() }
}

/// Makes an empty list at `path`, unless something is there by then.
pub(super) fn create(path: &Path) -> Result<()> {
    let create_error = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull => DevicesError::Full { path: path.to_owned() },
        io::ErrorKind::ReadOnlyFilesystem => DevicesError::ReadOnly { path: path.to_owned() },
        _ => cannot_open(path, error),
    };
    let (draft, _) = Draft::create(path).map_err(create_error)?;
    let fill = || {
        let connection = open_existing(draft.path())?;
        // Without a write-ahead log: what is in one goes into the file when it is closed, and where
        // the disk has no room for it, nobody is told. The draft would come into its place without.
        connection.execute_batch(&format!(
            "BEGIN;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {VERSION};
             {TABLES}
             {}
             COMMIT;",
            trail::TABLES
        ))?;
        // Part of the file: all who open it find it set.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.close().map_err(|(_, error)| error)
    };
    fill().map_err(|error| classify(path, error))?;
    draft.publish().map_err(create_error)?;
    Ok(())
}

/// A connection to the list at `path`, after making sure that it is one.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let failed = |error| classify(path, error);
    let path = || path.to_owned();
    let connection = open_existing(&path()).map_err(failed)?;
    // Until it is known to be ours, closing it must not tidy it up either.
    let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(keep, true).map_err(failed)?;
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    if number("application_id").map_err(failed)? != APPLICATION_ID {
        return Err(DevicesError::NotDevices { path: path() });
    }
    match number("user_version").map_err(failed)? {
        VERSION | WITHOUT_TRAIL => {}
        newer if newer > VERSION => return Err(DevicesError::Newer { path: path() }),
        _ => return Err(DevicesError::NotDevices { path: path() }),
    }
    let corrupt = |reason| DevicesError::Corrupt { path: path(), reason };
    let verdict = "PRAGMA integrity_check(1)";
    let verdict: String = connection.query_row(verdict, [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        // Below a line that only names the database.
        let said = verdict.lines().filter(|line| !line.starts_with("***"));
        return Err(corrupt(said.collect::<Vec<_>>().join("; ")));
    }
    if connection.is_readonly("main").map_err(failed)? {
        return Err(DevicesError::ReadOnly { path: path() });
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        let reason = format!("its file system does not allow a write-ahead log ({mode})");
        return Err(DevicesError::Failed { path: path(), reason });
    }
    for (pragma, value) in [("synchronous", "FULL")].into_iter().chain(LASTING) {
        connection.pragma_update(None, pragma, value).map_err(failed)?;
    }
    // Now, rather than when a device connects, and with the tables' own errors.
    let tables = super::all(&connection).and_then(|_| add_trail(&connection));
    match tables {
        Ok(()) => {}
        Err(error) if matches!(error.sqlite_error_code(), None | Some(ErrorCode::Unknown)) => {
            return Err(corrupt(error.to_string()));
        }
        Err(error) => return Err(failed(error)),
    }
    connection.set_db_config(keep, false).map_err(failed)?;
    Ok(connection)
}

/// Brings a list without an audit trail up to this version, and looks whether the trail is whole.
fn add_trail(connection: &Connection) -> rusqlite::Result<()> {
    // Another process may be about to do the same: the lock comes first.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let add = || {
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if i32::eq(&version, &WITHOUT_TRAIL) {
            connection.execute_batch(trail::TABLES)?;
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        trail::check(connection)
    };
    let added = add();
    connection.execute_batch(if added.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    added
}

/// Another connection to the list at `path`, which was found whole. What is changed through it is
/// on disk with the next change through the first.
pub(super) fn connect_beside(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_existing(path)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    for (pragma, value) in LASTING {
        connection.pragma_update(None, pragma, value)?;
    }
    Ok(connection)
}

fn open_existing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Moves what is in the write-ahead log to the main file and empties the log, where removed
/// secrets would stay until it is written over. Best effort: a reader in another process may be
/// in the way, and then the next call does it.
pub(super) fn wipe_log(connection: &Connection) {
    // The change itself is committed: nobody waits for this.
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = connection.busy_timeout(PATIENCE);
}
