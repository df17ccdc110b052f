//! What a daemon's user may do while the daemon does not run: look at its allow-list, change
//! it, and see its fingerprint.

use std::path::{Path, PathBuf};

use codeout_protocol::message::DeviceEntry;
use codeout_protocol::name::Name;
use codeout_protocol::sodium::PublicKey;

use crate::clock::{Clock, SystemClock};
use crate::config::Paths;
use crate::control::{ControlError, select_error, store_error};
use crate::devices::{Device, Devices, DevicesError};
use crate::identity::{Identity, IdentityError};
use crate::lock::{Lock, LockError};
use crate::trail::{Entry, Query, Who};

/// The files of a daemon that does not run, kept from starting as long as this lives.
#[derive(Debug)]
pub struct Stopped {
    devices: Devices,
    key: PublicKey,
    _lock: Lock,
}

/// The files of a daemon cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoppedError {
    /// It runs: ask it.
    #[error("the daemon runs")]
    Running,
    /// No daemon has ever run here.
    #[error("no daemon has run here yet")]
    Never,
    /// The directory cannot be used.
    #[error("cannot use {}: {reason}", .path.display())]
    Home {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The key file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The allow-list.
    #[error(transparent)]
    Devices(#[from] DevicesError),
}

impl Stopped {
    /// Opens the files in a daemon's directory.
    ///
    /// # Errors
    /// [`StoppedError`].
    pub fn open(home: &Path) -> Result<Self, StoppedError> {
        let paths = Paths::new(home);
        if !paths.identity().exists() && !paths.devices().exists() {
            return Err(StoppedError::Never);
        }
        let lock = Lock::take(&paths).map_err(|error| match error {
            LockError::Held => StoppedError::Running,
            LockError::Home { path, reason } => StoppedError::Home { path, reason },
        })?;
        let identity = Identity::load(&paths.identity())?;
        let devices = Devices::open(&paths.devices())?;
        Ok(Stopped { devices, key: identity.public, _lock: lock })
    }

    /// The daemon's public key, for its fingerprint.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The allow-list, oldest first.
    ///
    /// # Errors
    /// [`ControlError::Store`].
    pub fn devices(&self) -> Result<Vec<DeviceEntry>, ControlError> {
        let devices = self.devices.list().map_err(store_error)?;
        Ok(devices.iter().map(Device::entry).collect())
    }

    /// Revokes the device with this name or id prefix; it is off the list on disk when this
    /// returns.
    ///
    /// # Errors
    /// [`ControlError::NoDevice`], [`ControlError::Ambiguous`], [`ControlError::Store`].
    pub fn revoke(&self, wanted: &str) -> Result<DeviceEntry, ControlError> {
        let device = self.select(wanted)?;
        let now = SystemClock.unix();
        self.devices.revoke_by(&Who::computer(), device.id, now).map_err(store_error)?;
        self.devices.wipe_removed();
        Ok(device.entry())
    }

    /// Renames the device with this name or id prefix.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke), and [`ControlError::BadName`].
    pub fn rename(&self, wanted: &str, name: &str) -> Result<DeviceEntry, ControlError> {
        let name = Name::clean(name).ok_or(ControlError::BadName)?;
        let mut device = self.select(wanted)?;
        let now = SystemClock.unix();
        let renamed = self.devices.rename_by(&Who::computer(), device.id, &name, now);
        if let Some((_, renamed)) = renamed.map_err(store_error)? {
            device = renamed;
        }
        Ok(device.entry())
    }

    /// The lines of the audit trail that are asked for, oldest first.
    ///
    /// # Errors
    /// [`ControlError::NoDevice`], [`ControlError::Store`].
    pub fn trail(&self, query: &Query) -> Result<Vec<Entry>, ControlError> {
        let wanted = query.device.as_deref().unwrap_or_default();
        self.devices.trail(query).map_err(|error| select_error(wanted, error))
    }

    fn select(&self, wanted: &str) -> Result<Device, ControlError> {
        self.devices.select(wanted).map_err(|error| select_error(wanted, error))
    }
}
