//! The fingerprint: 40 bits that name the daemon's key to a human, `ZMYR-C1HG`.

use std::fmt;
use std::str::FromStr;

use crate::crockford;
use crate::sodium::{self, PublicKey};

/// A daemon's fingerprint. Argon2id makes each try at a look-alike cost 64 MiB and 3 passes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 5]);

/// There was no memory for Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the fingerprint takes 64 MiB of memory, and they are not to be had")]
pub struct OutOfMemory;

/// What was typed is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has eight letters and digits, like ZMYR-C1HG")]
pub struct FingerprintError;

const SALT: &[u8; 16] = b"codeout-fpr-v1\0\0";

impl Fingerprint {
    /// The fingerprint of a daemon's public key.
    ///
    /// Takes some 0.1 s and 64 MiB: call it off the thread that serves.
    pub fn of(daemon_key: &PublicKey) -> Result<Self, OutOfMemory> {
        let digest = sodium::argon2id(&daemon_key.0, SALT).ok_or(OutOfMemory)?;
        let [a, b, c, d, e, ..] = digest;
        Ok(Fingerprint([a, b, c, d, e]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = crockford::encode(&self.0);
        write!(f, "{}-{}", &text[..4], &text[4..])
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads what a person typed, with the same forgiveness as a pairing code.
    fn from_str(typed: &str) -> Result<Self, FingerprintError> {
        let canonical = crockford::normalize(typed).ok_or(FingerprintError)?;
        crockford::decode(&canonical).map(Fingerprint).ok_or(FingerprintError)
    }
}
