//! What is said of devices, and of offers to pair one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One device of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEntry {
    /// What requests call it: 8 characters.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was paired, in seconds since 1970.
    pub paired_at: u64,
    /// When it was last connected, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
    /// Whether it is connected now.
    #[serde(default)]
    pub connected: bool,
    /// Whether its pairing still waits for its first record.
    #[serde(default)]
    pub unfinished: bool,
    /// What it may do.
    #[serde(flatten)]
    pub limits: Limits,
    /// Whether it is the device that asks.
    #[serde(default)]
    pub this: bool,
}

/// The limits that a device was paired with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// It may watch and not type.
    #[serde(default)]
    pub watch_only: bool,
    /// When it is no longer let in, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl Limits {
    /// Whether there are any: such a device can neither add nor revoke nor rename.
    pub fn any(&self) -> bool {
        self.watch_only || self.expires_at.is_some()
    }

    /// Whether the device's time is over at `now`, in seconds since 1970.
    pub fn expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }
}

/// A fresh pairing offer. It is secret: whoever has it can pair a device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferEntry {
    /// The pairing code: `K7QM-3FBR-9TZX`.
    pub code: String,
    /// Pairing links, the one most likely to be reached first.
    pub links: Vec<String>,
    /// Seconds until it expires.
    pub expires_in: u64,
}

impl fmt::Debug for OfferEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferEntry").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}
