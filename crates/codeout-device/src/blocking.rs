//! What blocks a thread, on threads that may be blocked.

use codeout_protocol::fingerprint::{Fingerprint, OutOfMemory};
use codeout_protocol::sodium::PublicKey;
use tokio::task::JoinHandle;

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

/// A daemon's fingerprint, known or being computed beside whatever else is done.
pub(crate) enum Print {
    Known(Fingerprint),
    Computing(JoinHandle<Result<Fingerprint, OutOfMemory>>),
}

impl Print {
    /// Begins to compute the fingerprint of `key`, unless it is known.
    pub(crate) fn of(key: &PublicKey, known: Option<Fingerprint>) -> Self {
        let key = *key;
        let compute = || tokio::task::spawn_blocking(move || Fingerprint::of(&key));
        known.map_or_else(|| Print::Computing(compute()), Print::Known)
    }

    /// Waits until it is known.
    pub(crate) async fn known(self) -> Result<Fingerprint, OutOfMemory> {
        let computing = match self {
            Print::Known(fingerprint) => return Ok(fingerprint),
            Print::Computing(computing) => computing,
        };
        match computing.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down: nobody will see what this says.
                Err(_) => Err(OutOfMemory),
            },
        }
    }
}
