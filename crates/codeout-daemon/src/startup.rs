//! What a daemon needs before it serves: the lock, the key, the list, a port.

use std::time::Duration;

use codeout_protocol::sodium::{KeyPair, PublicKey};
use tokio::net::{TcpListener, UnixStream};

use crate::config::{Config, Paths};
use crate::devices::Devices;
use crate::files;
use crate::identity::{Identity, IdentityError};
use crate::lock::{Lock, LockError};
use crate::open_error::OpenError;
use crate::server;

/// How often, and how long apart, a starting daemon tries to get its lock.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What a daemon has on disk.
pub(crate) struct Store {
    pub(crate) identity: KeyPair,
    pub(crate) devices: Devices,
}

impl Store {
    pub(crate) fn open(paths: &Paths) -> Result<Self, OpenError> {
        let identity = identity(paths)?;
        if !identity.secret.lock_in_memory() {
            tracing::debug!("the daemon's key cannot be locked in memory");
        }
        Ok(Store { identity, devices: Devices::open(&paths.devices())? })
    }
}

/// Looks whether the process after this one could open the key that this one has.
///
/// # Errors
/// What is in the way, in words.
pub(crate) fn key_can_be_opened_again(paths: &Paths, key: &PublicKey) -> Result<(), String> {
    let pair = Identity::load(&paths.identity()).map_err(|error| error.to_string())?;
    if pair.public != *key {
        return Err(format!("{} holds another key", paths.identity().display()));
    }
    Ok(())
}

/// Takes the daemon's lock. A command that looks at the files of a daemon at rest holds it for a
/// moment; a daemon that runs answers on its socket.
pub(crate) async fn take_lock(paths: &Paths) -> Result<Lock, LockError> {
    for _ in 0..LOCK_TRIES {
        match Lock::take(paths) {
            Err(LockError::Held) if UnixStream::connect(paths.socket()).await.is_err() => {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            taken => return taken,
        }
    }
    Lock::take(paths)
}

/// The daemon's key; made only where there is no list of devices that know another.
fn identity(paths: &Paths) -> Result<KeyPair, IdentityError> {
    if files::exists(&paths.devices()).unwrap_or(true) {
        return Identity::load(&paths.identity());
    }
    Identity::load_or_create(&paths.identity()).map(|(pair, _)| pair)
}

pub(crate) fn listen(config: &Config) -> Result<TcpListener, OpenError> {
    server::listen(config.bind, config.port).map_err(|error| OpenError::listening(config, error))
}
