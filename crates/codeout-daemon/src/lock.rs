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
    Home { path: PathBuf, reason: io::Error },
}

impl Lock {
    /// Takes the lock, making the directory (mode 0700) when it is missing.
    pub(crate) fn take(paths: &Paths) -> Result<Self, LockError> {
        let home = |reason: io::Error| LockError::Home { path: paths.home.clone(), reason };
        prepare(&paths.home).map_err(home)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(paths.lock())
            .map_err(home)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held),
            Err(error) => Err(home(error.into())),
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

fn prepare(home: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(home)?;
    let metadata = std::fs::metadata(home)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        let text = format!("other users may look into it: run `chmod 700 {}`", home.display());
        return Err(io::Error::other(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    use super::*;

    /// Takes it when it is free: a process that another test starts has it until its program runs.
    fn take(paths: &Paths) -> Lock {
        let begun = Instant::now();
        loop {
            match Lock::take(paths) {
                Err(LockError::Held) if begun.elapsed() < Duration::from_secs(20) => {
                    std::thread::yield_now();
                }
                taken => return taken.unwrap(),
            }
        }
    }

    #[test]
    fn a_directory_that_others_may_look_into_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let paths = Paths::new(&above.path().join("daemon"));
        drop(take(&paths));
        let mode = || std::fs::metadata(&paths.home).unwrap().mode() & 0o7777;
        let set_mode = |mode| {
            std::fs::set_permissions(&paths.home, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        assert_eq!(mode(), 0o700);
        for open in [0o750, 0o705, 0o720, 0o702, 0o710, 0o701, 0o777] {
            set_mode(open);
            match Lock::take(&paths) {
                Err(LockError::Home { path, reason }) => {
                    assert_eq!(path, paths.home);
                    assert!(reason.to_string().contains("chmod 700"), "{reason}");
                }
                other => panic!("{open:o}: {other:?}"),
            }
            assert_eq!(mode(), open, "it is its owner's to close");
        }
        set_mode(0o700);
        drop(take(&paths));
    }

    #[test]
    fn one_has_it_until_it_is_let_go() {
        let above = tempfile::tempdir().unwrap();
        let paths = Paths::new(&above.path().join("daemon"));
        let held = take(&paths);
        assert!(matches!(Lock::take(&paths), Err(LockError::Held)));
        // The next process has it as a descriptor.
        let held = Lock::held(held.into());
        assert!(matches!(Lock::take(&paths), Err(LockError::Held)));
        drop(held);
        take(&paths);
    }
}
