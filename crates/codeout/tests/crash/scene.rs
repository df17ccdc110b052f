//! A daemon's directory in a known state, what was acknowledged since, and what must hold when
//! the daemon runs again.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use codeout_protocol::error::{Error, Refusal};
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::DeviceEntry;
use tempfile::TempDir;

use crate::support::device::Device;
use crate::support::process::{DaemonProcess, codeout, control, offer};
use crate::support::{WireError, connect_on_wire, pair_on_wire};

/// A device that was paired before.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) credentials: DeviceCredentials,
    pub(crate) id: String,
}

impl Known {
    fn of(device: Device) -> Self {
        Known { id: device.entry.id, credentials: device.credentials }
    }
}

/// The files of a daemon with two devices, `kept` and `other`, and a third that was revoked; they
/// are copied for every scene.
pub(crate) struct Template {
    home: TempDir,
    pub(crate) kept: Known,
    pub(crate) other: Known,
    gone: DeviceCredentials,
}

impl Template {
    pub(crate) async fn new() -> Self {
        let home = TempDir::new().unwrap();
        let daemon = DaemonProcess::start(home.path()).await;
        let mut paired = Vec::new();
        for name in ["kept", "other", "gone"] {
            let code = offer(home.path()).await;
            paired.push(Known::of(Device::pair(daemon.port, &code, name).await.unwrap()));
        }
        control(home.path()).await.revoke("gone").await.unwrap();
        daemon.terminate().await;
        // It may end before its log is taken into the list; who looks at the list does it.
        let looked = codeout(home.path()).arg("devices").output().await.unwrap();
        assert!(looked.status.success());
        let [kept, other, gone] = paired.try_into().map_err(|_| ()).unwrap();
        Template { home, kept, other, gone: gone.credentials }
    }

    /// The same files in a directory of their own.
    pub(crate) fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        self.copy_to(copy.path());
        copy
    }

    /// Puts the same files into the directory `home`.
    pub(crate) fn copy_to(&self, home: &Path) {
        let to = home.join("daemon");
        DirBuilder::new().mode(0o700).create(&to).unwrap();
        for name in ["identity", "devices.db"] {
            fs::copy(self.home.path().join("daemon").join(name), to.join(name)).unwrap();
        }
        assert!(!self.home.path().join("daemon/devices.db-wal").exists());
    }

    /// The bytes of the daemon's key file.
    pub(crate) fn identity(&self) -> Vec<u8> {
        fs::read(identity(self.home.path())).unwrap()
    }

    /// What must hold in `home`, where `told` was acknowledged, on the daemon that runs there.
    pub(crate) async fn holds(&self, home: &Path, daemon: &DaemonProcess, told: &Told) {
        assert_eq!(fs::read(identity(home)).unwrap(), self.identity(), "another key");
        let list = control(home).await.devices().await.unwrap();
        let listed = |id: &str| list.iter().find(|entry| entry.id == id);
        is_in(daemon.port, &self.kept.credentials).await;
        assert_eq!(listed(&self.kept.id).unwrap().name, "kept");
        is_out(daemon.port, &self.gone).await;

        let other = listed(&self.other.id);
        assert!(!(told.revoked && other.is_some()), "a revoked device is back");
        agrees(daemon.port, &self.other.credentials, other).await;
        if let Some(other) = other {
            let name = other.name.as_str();
            let is_right = name == "renamed" || (name == "other" && !told.renamed);
            assert!(is_right, "{name}: told {}", told.renamed);
        } else {
            assert!(told.may_be_revoked, "a device is gone");
        }

        let fresh = list.iter().find(|entry| entry.name == "fresh");
        assert!(!(told.paired && fresh.is_none()), "a paired device is not in the list");
        match &told.fresh {
            Some(credentials) => agrees(daemon.port, credentials, fresh).await,
            None => assert!(fresh.is_none(), "a device that proved nothing"),
        }
        assert_eq!(list.len(), 1 + usize::from(other.is_some()) + usize::from(fresh.is_some()));
    }
}

/// What was acknowledged of that which was asked.
#[derive(Default)]
pub(crate) struct Told {
    /// What the fresh device has kept: from the moment that it proved the code.
    pub(crate) fresh: Option<DeviceCredentials>,
    pub(crate) paired: bool,
    pub(crate) renamed: bool,
    pub(crate) revoked: bool,
    pub(crate) may_be_revoked: bool,
}

pub(crate) fn identity(home: &Path) -> PathBuf {
    home.join("daemon/identity")
}

/// The list and the door say the same.
async fn agrees(port: u16, credentials: &DeviceCredentials, entry: Option<&DeviceEntry>) {
    match entry {
        Some(_) => is_in(port, credentials).await,
        None => is_out(port, credentials).await,
    }
}

pub(crate) async fn is_in(port: u16, credentials: &DeviceCredentials) {
    connect_on_wire(port, credentials).await.unwrap().ping().await.unwrap();
}

pub(crate) async fn is_out(port: u16, credentials: &DeviceCredentials) {
    match connect_on_wire(port, credentials).await.map(|_| ()) {
        Err(WireError::Protocol(Error::Refused(Refusal::NotPaired))) => {}
        other => panic!("not refused: {other:?}"),
    }
}

/// Whether a stranger is let in with this code.
pub(crate) async fn lets_in(port: u16, code: &codeout_protocol::code::Code) -> bool {
    pair_on_wire(port, code, &mut None).await.is_ok()
}
