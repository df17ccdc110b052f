//! One daemon per user: whoever holds this lock is the daemon.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::config::Paths;

/// The lock on a daemon's directory, let go when dropped, also by the end of the process.
#[derive(Debug)]
pub(crate) struct Lock(File);

#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it.
    Held,
    /// The directory cannot be made or is open to others.
    Home { path: PathBuf, reason: String },
}

impl Lock {
    /// Takes the lock, making the directory (mode 0700) when it is missing.
    pub(crate) fn take(paths: &Paths) -> Result<Self, LockError> {
        let home = |reason: String| LockError::Home { path: paths.home.clone(), reason };
        prepare(&paths.home).map_err(home)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(paths.lock())
            .map_err(|error| home(error.to_string()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held),
            Err(error) => Err(home(error.to_string())),
        }
    }
}

impl Lock {
    /// A lock that the process before this one took: it goes with its descriptor.
    pub(crate) fn held(descriptor: OwnedFd) -> Self {
        Lock(descriptor.into())
    }
}

impl From<Lock> for OwnedFd {
    fn from(lock: Lock) -> Self {
        lock.0.into()
    }
}

fn prepare(home: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(home);
    made.map_err(|error: io::Error| error.to_string())?;
    let metadata = std::fs::metadata(home).map_err(|error| error.to_string())?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("other users may look into it: run `chmod 700 {}`", home.display()));
    }
    Ok(())
}
