//! The daemon's own fingerprint, computed beside everything else: Argon2id takes its time.

use codeout_protocol::fingerprint::{Fingerprint, OutOfMemory};
use codeout_protocol::sodium::PublicKey;
use tokio::sync::watch;

/// The daemon's fingerprint, there a moment after the start.
#[derive(Debug, Clone)]
pub(crate) struct OwnFingerprint(watch::Receiver<Option<Result<Fingerprint, OutOfMemory>>>);

impl OwnFingerprint {
    /// Begins to compute it.
    pub(crate) fn of(key: PublicKey) -> Self {
        let (sender, receiver) = watch::channel(None);
        tokio::task::spawn_blocking(move || sender.send(Some(Fingerprint::of(&key))));
        OwnFingerprint(receiver)
    }

    /// Waits for it.
    pub(crate) async fn get(&self) -> Result<Fingerprint, OutOfMemory> {
        let mut receiver = self.0.clone();
        let done = receiver.wait_for(Option::is_some).await;
        done.map_or(Err(OutOfMemory), |value| value.unwrap_or(Err(OutOfMemory)))
    }

    /// As text, also when it cannot be had.
    pub(crate) async fn text(&self) -> String {
        self.get().await.map_or_else(|error| error.to_string(), |print| print.to_string())
    }
}
