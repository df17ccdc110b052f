//! What blocks a thread, on threads that may be blocked.

use codeout_protocol::fingerprint::{Fingerprint, OutOfMemory};
use codeout_protocol::sodium::PublicKey;

use crate::error::StoreError;
use crate::profiles::Profiles;

/// Reads or writes the known daemons.
pub(crate) async fn on_disk<T: Send + 'static>(
    profiles: &Profiles,
    work: impl FnOnce(&Profiles) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let profiles = profiles.clone();
    let path = profiles.path().to_owned();
    match tokio::task::spawn_blocking(move || work(&profiles)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down.
            Err(error) => Err(StoreError::Unwritable { path, source: error.into() }),
        },
    }
}

/// The fingerprint of a daemon's key.
pub(crate) async fn fingerprint(key: &PublicKey) -> Result<Fingerprint, OutOfMemory> {
    let key = *key;
    match tokio::task::spawn_blocking(move || Fingerprint::of(&key)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down: nobody will see what this says.
            Err(_) => Err(OutOfMemory),
        },
    }
}
