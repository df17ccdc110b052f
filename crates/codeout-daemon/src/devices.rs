//! The allow-list: the daemon's record of paired devices, in SQLite. All SQL is here.
//!
//! Every change is one transaction that is on disk before the call returns. Several processes
//! may have the list open; each call sees what the others have committed.

mod error;
mod id;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::message::Limits;
use codeout_protocol::name::Name;
use codeout_protocol::sodium::{Psk, PublicKey};
use rusqlite::config::DbConfig;
use rusqlite::types::Type;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior,
    named_params, params,
};

pub use self::error::{DevicesError, SelectError};
pub use self::id::{DeviceId, DeviceIdError};
pub use crate::files::UnsafeFile;

use self::error::classify;
use crate::files::{self, Draft};
use crate::naming::{self, folded};

/// "codt": what marks a SQLite file as codeout's allow-list.
const APPLICATION_ID: i32 = 0x636f_6474;
/// The version of the tables, which this code reads and writes.
const VERSION: i32 = 1;
/// How long a call waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// `turn` keeps the order of pairing whatever the clock did.
const TABLES: &str = "
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

/// What a [`Device`] is read from: all but its secret.
const COLUMNS: &str = "id, key, name, paired_at, last_seen, unfinished, watch_only, expires_at";

/// The allow-list in one file. Dropping it closes the file.
pub struct Devices {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// A paired device: all that is kept of it but its secret. Times are in seconds since 1970; one
/// beyond what SQLite holds (2^63 - 1) is kept as that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What requests call it.
    pub id: DeviceId,
    /// What it proves to hold at every connect.
    pub key: PublicKey,
    /// What people call it; no two are alike, whatever their case.
    pub name: Name,
    /// When it was paired.
    pub paired_at: u64,
    /// When it was last connected.
    pub last_seen: Option<u64>,
    /// Whether its pairing still waits for its first record.
    pub unfinished: bool,
    /// What it may do.
    pub limits: Limits,
}

type Result<T, E = DevicesError> = std::result::Result<T, E>;

impl Devices {
    /// Opens the list at `path`, or makes an empty one (mode 0600, missing directories 0700)
    /// when there is nothing.
    ///
    /// # Errors
    /// Whatever is there and is not a whole list of this version, this user's and closed to
    /// others, is named and left as it is.
    pub fn open(path: &Path) -> Result<Devices> {
        let open_error = |path: &Path, error: io::Error| DevicesError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        // Also keeps SQLite from taking a relative path such as `file:x` for a URI.
        let path = std::path::absolute(path).map_err(|error| open_error(path, error))?;
        let is_there = || files::exists(&path).map_err(|error| open_error(&path, error));
        if !is_there()? {
            for suffix in ["-wal", "-journal"] {
                let remnant = beside(&path, suffix);
                // Looked for in this order because whoever makes the list makes it first.
                if files::exists(&remnant).is_ok_and(|found| found) && !is_there()? {
                    return Err(DevicesError::Remnant { path, remnant });
                }
            }
            create(&path)?;
        }
        // By name: to open and close the file here would drop SQLite's locks on it.
        let metadata = fs::metadata(&path).map_err(|error| open_error(&path, error))?;
        UnsafeFile::check(&path, &metadata).map_err(DevicesError::Unsafe)?;
        if metadata.len() == 0 {
            // SQLite would fill it; it was never published empty.
            return Err(DevicesError::Corrupt { path, reason: "it is empty".to_owned() });
        }
        let connection = connect(&path)?;
        let devices = Devices { path, connection: Mutex::new(connection) };
        wipe_log(&devices.lock()); // a crash may have come between a change and this
        Ok(devices)
    }

    /// Adds a device, its pairing unfinished. Its name is `proposed` (`device` for `None`) made
    /// unlike every other device's name and id: `phone`, `phone-2`, `phone-3`.
    ///
    /// # Errors
    /// [`DevicesError::KeyTaken`] when the key is in the list.
    pub fn insert(
        &self,
        key: &PublicKey,
        psk: &Psk,
        proposed: Option<&Name>,
        limits: Limits,
        now: u64,
    ) -> Result<Device> {
        self.write(|transaction| {
            let devices = all(transaction)?;
            if let Some(known) = devices.iter().find(|device| device.key == *key) {
                return Ok(Err(DevicesError::KeyTaken { name: known.name.clone() }));
            }
            let wanted = proposed.map_or("device", Name::as_str);
            let device = Device {
                id: fresh_id(&devices),
                key: *key,
                name: unique_name(wanted, &devices),
                paired_at: storable(now),
                last_seen: None,
                unfinished: true,
                limits: Limits { expires_at: limits.expires_at.map(storable), ..limits },
            };
            transaction.execute(
                "INSERT INTO device (id, key, psk, name, paired_at, unfinished, watch_only,
                                     expires_at)
                 VALUES (:id, :key, :psk, :name, :paired_at, 1, :watch_only, :expires_at)",
                named_params! {
                    ":id": device.id.as_str(),
                    ":key": device.key.0.as_slice(),
                    ":psk": psk.expose().as_slice(),
                    ":name": device.name.as_str(),
                    ":paired_at": device.paired_at.cast_signed(),
                    ":watch_only": device.limits.watch_only,
                    ":expires_at": device.limits.expires_at.map(u64::cast_signed),
                },
            )?;
            Ok(Ok(device))
        })?
    }

    /// Notes that the device's first record has come. False when it is not in the list.
    pub fn finish(&self, id: DeviceId) -> Result<bool> {
        self.write(|transaction| {
            let sql = "UPDATE device SET unfinished = 0 WHERE id = ?1";
            Ok(transaction.execute(sql, [id.as_str()])? > 0)
        })
    }

    /// Notes that the device is connected now. False when it is not in the list.
    pub fn seen(&self, id: DeviceId, now: u64) -> Result<bool> {
        self.write(|transaction| {
            let sql = "UPDATE device SET last_seen = ?2 WHERE id = ?1";
            Ok(transaction.execute(sql, params![id.as_str(), storable(now).cast_signed()])? > 0)
        })
    }

    /// Removes the devices that were paired before `paired_before` and never finished, but those
    /// in `except`. Returns what was removed.
    pub fn purge_unfinished(&self, paired_before: u64, except: &[DeviceId]) -> Result<Vec<Device>> {
        self.remove(|device| {
            device.unfinished && device.paired_at < paired_before && !except.contains(&device.id)
        })
    }

    /// Removes a device. Once this returns, it stays out through a crash. Its secret is wiped from
    /// the files too, at the latest when no other process reads them any more. `None` when it was
    /// not in the list.
    pub fn revoke(&self, id: DeviceId) -> Result<Option<Device>> {
        Ok(self.remove(|device| device.id == id)?.pop())
    }

    /// Gives a device the name `wanted`, made unlike every other's as in [`insert`](Self::insert).
    /// Returns the name that it got; `None` when it is not in the list.
    pub fn rename(&self, id: DeviceId, wanted: &Name) -> Result<Option<Name>> {
        self.write(|transaction| {
            let mut devices = all(transaction)?;
            let Some(at) = devices.iter().position(|device| device.id == id) else {
                return Ok(None);
            };
            devices.remove(at);
            let name = unique_name(wanted.as_str(), &devices);
            let sql = "UPDATE device SET name = ?2 WHERE id = ?1";
            transaction.execute(sql, [id.as_str(), name.as_str()])?;
            Ok(Some(name))
        })
    }

    /// The device with that key, and its secret.
    pub fn find(&self, key: &PublicKey) -> Result<Option<(Device, Psk)>> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS}, psk FROM device WHERE key = ?1");
            let mut query = connection.prepare_cached(&sql)?;
            let with_psk = |row: &Row<'_>| Ok((device(row)?, psk(row)?));
            query.query_row([key.0.as_slice()], with_psk).optional()
        })
    }

    /// The device with that id.
    pub fn get(&self, id: DeviceId) -> Result<Option<Device>> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM device WHERE id = ?1");
            let mut query = connection.prepare_cached(&sql)?;
            query.query_row([id.as_str()], device).optional()
        })
    }

    /// All devices, the first paired first.
    pub fn list(&self) -> Result<Vec<Device>> {
        self.read(all)
    }

    /// The device that a person means by `text`: its name in any case, else its id, else the
    /// first two or more characters of its id.
    ///
    /// # Errors
    /// [`SelectError::NotFound`] and [`SelectError::Ambiguous`], with what there is instead.
    pub fn select(&self, text: &str) -> Result<Device, SelectError> {
        let devices = self.list()?;
        let text = text.trim();
        let wanted = folded(text);
        if let Some(device) = devices.iter().find(|device| folded(device.name.as_str()) == wanted) {
            return Ok(device.clone());
        }
        // An id in full is its own only match: ids are of one length, and no two are alike.
        let prefix = DeviceId::normalized(text).filter(|prefix| prefix.len() >= 2);
        let is_meant = |device: &&Device| {
            prefix.as_ref().is_some_and(|prefix| device.id.as_str().starts_with(prefix))
        };
        let mut candidates: Vec<_> = devices.iter().filter(is_meant).cloned().collect();
        match (candidates.pop(), candidates.is_empty()) {
            (Some(device), true) => Ok(device),
            (Some(device), false) => {
                candidates.push(device);
                Err(SelectError::Ambiguous { candidates })
            }
            (None, _) => {
                let known = devices.into_iter().map(|device| device.name).collect();
                Err(SelectError::NotFound { known })
            }
        }
    }

    fn remove(&self, goes: impl Fn(&Device) -> bool) -> Result<Vec<Device>> {
        let removed = self.write(|transaction| {
            let mut devices = all(transaction)?;
            devices.retain(goes);
            for device in &devices {
                transaction.execute("DELETE FROM device WHERE id = ?1", [device.id.as_str()])?;
            }
            Ok(devices)
        })?;
        if !removed.is_empty() {
            wipe_log(&self.lock());
        }
        Ok(removed)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        query(&self.lock()).map_err(|error| classify(&self.path, error))
    }

    /// Runs `change` in a transaction that is on disk when this returns `Ok`.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let run = || {
            // Takes the write lock first: what is read here is what is changed.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|error| classify(&self.path, error))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked rolled its transaction back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devices").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Moves what is in the write-ahead log to the main file and empties the log, where removed
/// secrets would stay until it is written over. Best effort: a reader in another process may be
/// in the way, and then the next call does it.
fn wipe_log(connection: &Connection) {
    // The change itself is committed: nobody waits for this.
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = connection.busy_timeout(PATIENCE);
}

/// An id that is no other device's, nor any device's name.
fn fresh_id(devices: &[Device]) -> DeviceId {
    loop {
        let id = DeviceId::random();
        let is_taken =
            |device: &Device| device.id == id || folded(device.name.as_str()) == id.as_str();
        if !devices.iter().any(is_taken) {
            return id;
        }
    }
}

/// `wanted`, or the first of `wanted-2`, `wanted-3`... that is no name and no id in `others`: a
/// device that took another's id as its name could be revoked in its place.
fn unique_name(wanted: &str, others: &[Device]) -> Name {
    naming::unique(wanted, |name| {
        let name = folded(name.as_str());
        others.iter().any(|other| folded(other.name.as_str()) == name || other.id.as_str() == name)
    })
}

/// The nearest time that SQLite's signed integers hold.
fn storable(time: u64) -> u64 {
    time.min(i64::MAX.cast_unsigned())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes an empty list at `path`, unless something is there by then.
fn create(path: &Path) -> Result<()> {
    let create_error = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull => DevicesError::Full { path: path.to_owned() },
        io::ErrorKind::ReadOnlyFilesystem => DevicesError::ReadOnly { path: path.to_owned() },
        _ => DevicesError::Open { path: path.to_owned(), reason: error.to_string() },
    };
    let (draft, _) = Draft::create(path).map_err(create_error)?;
    let fill = || {
        let connection = open_existing(draft.path())?;
        // Part of the file: all who open it find it set.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(&format!(
            "BEGIN;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {VERSION};
             {TABLES}
             COMMIT;"
        ))?;
        connection.close().map_err(|(_, error)| error)
    };
    fill().map_err(|error| classify(path, error))?;
    draft.publish().map_err(create_error)?;
    Ok(())
}

/// A connection to the list at `path`, after making sure that it is one.
fn connect(path: &Path) -> Result<Connection> {
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
        VERSION => {}
        newer if newer > VERSION => return Err(DevicesError::Newer { path: path() }),
        _ => return Err(DevicesError::NotDevices { path: path() }),
    }
    let corrupt = |reason| DevicesError::Corrupt { path: path(), reason };
    let verdict = "PRAGMA integrity_check(1)";
    let verdict: String = connection.query_row(verdict, [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        return Err(corrupt(verdict));
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
    for (pragma, value) in [
        ("synchronous", "FULL"),
        ("secure_delete", "ON"),
        // Where a plain fsync does not reach the disk: macOS. Nothing elsewhere.
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
    ] {
        connection.pragma_update(None, pragma, value).map_err(failed)?;
    }
    // Now, rather than when a device connects, and with the tables' own errors.
    match all(&connection) {
        Ok(_) => {}
        Err(error) if matches!(error.sqlite_error_code(), None | Some(ErrorCode::Unknown)) => {
            return Err(corrupt(error.to_string()));
        }
        Err(error) => return Err(failed(error)),
    }
    connection.set_db_config(keep, false).map_err(failed)?;
    Ok(connection)
}

fn open_existing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<Device>> {
    let sql = format!("SELECT {COLUMNS} FROM device ORDER BY turn");
    connection.prepare_cached(&sql)?.query_map([], device)?.collect()
}

/// The device in a row with [`COLUMNS`].
fn device(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        id: text(row, "id", |text| text.parse().ok().filter(|id: &DeviceId| id.as_str() == text))?,
        key: PublicKey(bytes(row, "key")?),
        name: text(row, "name", |text| Name::clean(text).filter(|name| name.as_str() == text))?,
        paired_at: time(row, "paired_at")?.ok_or_else(|| unreadable("paired_at"))?,
        last_seen: time(row, "last_seen")?,
        unfinished: row.get("unfinished")?,
        limits: Limits { watch_only: row.get("watch_only")?, expires_at: time(row, "expires_at")? },
    })
}

fn psk(row: &Row<'_>) -> rusqlite::Result<Psk> {
    // Straight from SQLite's memory: there is no copy to wipe.
    let psk = row.get_ref("psk")?.as_blob().ok().and_then(|psk| psk.try_into().ok());
    psk.map(Psk::from_bytes).ok_or_else(|| unreadable("psk"))
}

fn text<T>(
    row: &Row<'_>,
    column: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str().ok().and_then(read).ok_or_else(|| unreadable(column))
}

fn bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<[u8; 32]> {
    let blob = row.get_ref(column)?.as_blob().ok().and_then(|blob| blob.try_into().ok());
    blob.ok_or_else(|| unreadable(column))
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let time: Option<i64> = row.get(column)?;
    time.map(|time| time.try_into().map_err(|_| unreadable(column))).transpose()
}

fn unreadable(column: &str) -> rusqlite::Error {
    let reason = format!("a device's {column} is not valid");
    rusqlite::Error::FromSqlConversionFailure(usize::MAX, Type::Null, reason.into())
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
