//! The allow-list: the daemon's record of paired devices, and beside it the audit trail, in
//! SQLite. All SQL is here and below.
//!
//! Every change is one transaction that is on disk before the call returns. Several processes
//! may have the list open; each call sees what the others have committed.

mod error;
mod file;
mod id;
#[cfg(feature = "model")]
mod snapshot;
mod trail;
mod turns;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use codeout_protocol::message::Limits;
use codeout_protocol::name::Name;
use codeout_protocol::sodium::{Psk, PublicKey};
use rusqlite::types::Type;
use rusqlite::{
    Connection, OptionalExtension, Row, Transaction, TransactionBehavior, named_params, params,
};
use rustix::fs::{Access, access};

pub use self::error::{DevicesError, SelectError};
pub use self::id::{DeviceId, DeviceIdError};
#[cfg(feature = "model")]
#[doc(hidden)]
pub use self::snapshot::Snapshot;
pub use crate::files::UnsafeFile;

use self::error::classify;
use self::file::{
    FileNumber, beside, cannot_open, connect, connect_beside, create, look, wipe_log,
};
use self::turns::Turns;
use crate::files;
use crate::naming::{self, folded};
use crate::trail::{Happening, Who};

/// What a [`Device`] is read from: all but its secret.
const COLUMNS: &str = "id, key, name, paired_at, last_seen, unfinished, watch_only, expires_at";

/// The allow-list in one file. Dropping it closes the file.
pub struct Devices {
    path: PathBuf,
    file: FileNumber,
    connection: Mutex<Connection>,
    /// Another one to the same file.
    trail: Mutex<Connection>,
    /// Who writes through either. SQLite has no queue: it would try again a few times a second, and
    /// a trail that is written without a pause could keep a revocation out. Where several are
    /// taken, `trail` is first and `connection` last.
    turns: Turns,
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
        // Also keeps SQLite from taking a relative path such as `file:x` for a URI.
        let path = std::path::absolute(path).map_err(|error| cannot_open(path, error))?;
        let is_there = || files::exists(&path).map_err(|error| cannot_open(&path, error));
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
        let file = look(&path)?;
        let connection = connect(&path)?;
        // A crash may have come between a change and this.
        wipe_log(&connection);
        let trail = connect_beside(&path).map_err(|error| classify(&path, error))?;
        Ok(Devices {
            path,
            file,
            connection: Mutex::new(connection),
            trail: Mutex::new(trail),
            turns: Turns::default(),
        })
    }

    /// Looks whether another process could open the list that is open here.
    ///
    /// # Errors
    /// As for opening it, and [`DevicesError::Open`] when it is gone, or another file is there.
    pub(crate) fn can_be_opened_again(&self) -> Result<()> {
        let (path, file) = (&self.path, look(&self.path)?);
        let may = access(path, Access::READ_OK | Access::WRITE_OK);
        may.map_err(|error| cannot_open(path, error))?;
        if file != self.file {
            return Err(cannot_open(path, "another file is in its place"));
        }
        Ok(())
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
        self.insert_noted(key, psk, proposed, limits, now, |_| None)
    }

    /// As [`insert`](Self::insert), for a device that came from `source`: the audit trail gets its
    /// line in the same transaction.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub(crate) fn insert_from(
        &self,
        source: IpAddr,
        key: &PublicKey,
        psk: &Psk,
        proposed: Option<&Name>,
        limits: Limits,
        now: u64,
    ) -> Result<Device> {
        let paired = |device: &Device| Happening::Paired {
            device: device.into(),
            source,
            limits: device.limits,
        };
        self.insert_noted(key, psk, proposed, limits, now, |device| Some(paired(device)))
    }

    fn insert_noted(
        &self,
        key: &PublicKey,
        psk: &Psk,
        proposed: Option<&Name>,
        limits: Limits,
        now: u64,
        note: impl FnOnce(&Device) -> Option<Happening>,
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
            add(transaction, &device, psk)?;
            if let Some(happening) = note(&device) {
                trail::append(transaction, now, &happening)?;
            }
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
        let goes = |device: &Device| {
            device.unfinished && device.paired_at < paired_before && !except.contains(&device.id)
        };
        self.remove(goes, |_| None, 0)
    }

    /// Removes a device. Once this returns, it stays out through a crash. Its secret is wiped from
    /// the files too, at the latest when no other process reads them any more. `None` when it was
    /// not in the list.
    pub fn revoke(&self, id: DeviceId) -> Result<Option<Device>> {
        Ok(self.remove(|device| device.id == id, |_| None, 0)?.pop())
    }

    /// As [`revoke`](Self::revoke), at `by`'s word: the audit trail gets its line in the same
    /// transaction. Its secret is still in the files: the caller ends its connections, which is not to
    /// wait for that, and then calls [`wipe_removed`](Self::wipe_removed).
    pub(crate) fn revoke_by(&self, by: &Who, id: DeviceId, now: u64) -> Result<Option<Device>> {
        let revoked =
            |device: &Device| Some(Happening::Revoked { device: device.into(), by: by.clone() });
        Ok(self.take_out(|device| device.id == id, revoked, now)?.pop())
    }

    /// Wipes the secrets of removed devices from the files. Whoever reads or writes the audit trail
    /// comes first.
    pub(crate) fn wipe_removed(&self) {
        let _quiet = self.trail_lock();
        wipe_log(&self.lock());
    }

    /// Gives a device the name `wanted`, made unlike every other's as in [`insert`](Self::insert).
    /// Returns the name that it got; `None` when it is not in the list.
    pub fn rename(&self, id: DeviceId, wanted: &Name) -> Result<Option<Name>> {
        let renamed = self.rename_noted(id, wanted, None)?;
        Ok(renamed.map(|(_, device)| device.name))
    }

    /// As [`rename`](Self::rename), at `by`'s word: the audit trail gets its line in the same
    /// transaction. Returns the name before, and the device as it is.
    pub(crate) fn rename_by(
        &self,
        by: &Who,
        id: DeviceId,
        wanted: &Name,
        now: u64,
    ) -> Result<Option<(Name, Device)>> {
        self.rename_noted(id, wanted, Some((by, now)))
    }

    fn rename_noted(
        &self,
        id: DeviceId,
        wanted: &Name,
        note: Option<(&Who, u64)>,
    ) -> Result<Option<(Name, Device)>> {
        self.write(|transaction| {
            let mut devices = all(transaction)?;
            let Some(at) = devices.iter().position(|device| device.id == id) else {
                return Ok(None);
            };
            let mut device = devices.remove(at);
            let name = unique_name(wanted.as_str(), &devices);
            let sql = "UPDATE device SET name = ?2 WHERE id = ?1";
            transaction.execute(sql, [id.as_str(), name.as_str()])?;
            let before = std::mem::replace(&mut device.name, name);
            if let Some((by, now)) = note {
                let (device, before) = (Who::from(&device), before.to_string());
                let renamed = Happening::Renamed { device, before, by: by.clone() };
                trail::append(transaction, now, &renamed)?;
            }
            Ok(Some((before, device)))
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

    fn remove(
        &self,
        goes: impl Fn(&Device) -> bool,
        note: impl Fn(&Device) -> Option<Happening>,
        now: u64,
    ) -> Result<Vec<Device>> {
        let removed = self.take_out(goes, note, now)?;
        if !removed.is_empty() {
            self.wipe_removed();
        }
        Ok(removed)
    }

    /// As [`remove`](Self::remove), without wiping.
    fn take_out(
        &self,
        goes: impl Fn(&Device) -> bool,
        note: impl Fn(&Device) -> Option<Happening>,
        now: u64,
    ) -> Result<Vec<Device>> {
        self.write(|transaction| {
            let mut devices = all(transaction)?;
            devices.retain(goes);
            for device in &devices {
                transaction.execute("DELETE FROM device WHERE id = ?1", [device.id.as_str()])?;
                if let Some(happening) = note(device) {
                    trail::append(transaction, now, &happening)?;
                }
            }
            Ok(devices)
        })
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        query(&self.lock()).map_err(|error| classify(&self.path, error))
    }

    /// Runs `change` in a transaction that is on disk when this returns `Ok`.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let _turn = self.turns.take();
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

/// What the daemon's own user is called among devices.
pub(crate) const THIS_COMPUTER: &str = "this computer";

/// What devices call him, for which "this computer" is another.
const THE_COMPUTER: &str = "the computer itself";

fn fresh_id(devices: &[Device]) -> DeviceId {
    loop {
        let id = DeviceId::random();
        if is_free(id, devices) {
            return id;
        }
    }
}

/// Whether the id is no device's, nor any device's name.
fn is_free(id: DeviceId, devices: &[Device]) -> bool {
    !devices.iter().any(|device| device.id == id || folded(device.name.as_str()) == id.as_str())
}

/// `wanted`, or the first of `wanted-2`, `wanted-3`... that is no name and no id in `others`, nor what
/// the daemon's own user is called: a device that took another's id as its name could be revoked in
/// its place, and what one called "this computer" does would look like the user's doing.
fn unique_name(wanted: &str, others: &[Device]) -> Name {
    naming::unique(wanted, |name| {
        let name = folded(name.as_str());
        [THIS_COMPUTER, THE_COMPUTER].contains(&name.as_str())
            || others
                .iter()
                .any(|other| folded(other.name.as_str()) == name || other.id.as_str() == name)
    })
}

/// The nearest time that SQLite's signed integers hold.
fn storable(time: u64) -> u64 {
    time.min(i64::MAX.cast_unsigned())
}

/// Writes a fresh device down.
fn add(transaction: &Transaction<'_>, device: &Device, psk: &Psk) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO device (id, key, psk, name, paired_at, unfinished, watch_only, expires_at)
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
    Ok(())
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
