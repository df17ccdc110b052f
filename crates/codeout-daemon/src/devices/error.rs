//! What can be wrong with the allow-list.

use std::path::{Path, PathBuf};

use codeout_protocol::name::Name;
use rusqlite::ErrorCode;

use super::Device;
use crate::files::UnsafeFile;

/// The allow-list cannot be used, or refused a change. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevicesError {
    /// The file, or its directory, cannot be opened or made.
    #[error("cannot open the device list {}: {reason}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is no file, not this user's, or open to others.
    #[error("the device list {0}")]
    Unsafe(UnsafeFile),
    /// The file is gone, but SQLite's file beside it is there: taken together with a fresh list
    /// it would damage it, or bring revoked devices back.
    #[error("the device list {} is missing, and {} is left of it", .path.display(), .remnant.display())]
    Remnant {
        /// The file that is missing.
        path: PathBuf,
        /// The one that is there.
        remnant: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a device list of codeout", .path.display())]
    NotDevices {
        /// The file.
        path: PathBuf,
    },
    /// Its tables are a later version's.
    #[error("the device list {} was written by a newer version of codeout", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("the device list {} is damaged: {reason}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// Another process has kept it locked for five seconds.
    #[error("the device list {} is locked by another process", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space left on the disk of the device list {}", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file or its file system may not be written.
    #[error("the device list {} is read-only", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing failed in another way.
    #[error("cannot use the device list {}: {reason}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A device with that key is in the list already.
    #[error("this device's key is already paired, as {name}")]
    KeyTaken {
        /// That device's name.
        name: Name,
    },
}

/// No one device is meant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// No device has that name or id.
    #[error("no device has that name or id")]
    NotFound {
        /// The names there are, oldest device first.
        known: Vec<Name>,
    },
    /// The ids of several devices start like that.
    #[error("the ids of several devices start with that")]
    Ambiguous {
        /// These devices, oldest first.
        candidates: Vec<Device>,
    },
    /// The list cannot be read.
    #[error(transparent)]
    Devices(#[from] DevicesError),
}

/// What an error of SQLite means for the list at `path`.
pub(super) fn classify(path: &Path, error: rusqlite::Error) -> DevicesError {
    let path = path.to_owned();
    let reason = error.to_string();
    if let rusqlite::Error::FromSqlConversionFailure(..) = error {
        return DevicesError::Corrupt { path, reason };
    }
    // The index of the log, for which SQLite takes its room beforehand.
    let extended = error.sqlite_error().map(|error| error.extended_code);
    if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
        return DevicesError::Full { path };
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => DevicesError::NotDevices { path },
        Some(ErrorCode::DatabaseCorrupt) => DevicesError::Corrupt { path, reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DevicesError::Busy { path },
        Some(ErrorCode::DiskFull) => DevicesError::Full { path },
        Some(ErrorCode::ReadOnly) => DevicesError::ReadOnly { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            DevicesError::Open { path, reason }
        }
        _ => DevicesError::Failed { path, reason },
    }
}
