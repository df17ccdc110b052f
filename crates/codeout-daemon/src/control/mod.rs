//! The local socket: how `codeout` on the same machine speaks to the running daemon.
//!
//! A Unix socket with mode 0600 in the daemon's own directory; the other end's user is checked
//! too. One request a connection, as a line of JSON; the daemon answers with one line, and to
//! an offer with a second one when it is over. Behind the request `connect` the socket is the link
//! of a device, which needs no pairing.

mod client;
mod server;

pub use client::{Client, ClientError, TrailLines};
#[cfg(fuzzing)]
pub(crate) use server::answer;
pub(crate) use server::{bind, select_error, serve, store_error};

use std::path::{Path, PathBuf};

use codeout_protocol::message::{DeviceEntry, OfferEntry};
use codeout_protocol::name::{NameError, clean_text};
use serde::{Deserialize, Serialize};

use crate::config::Paths;
use crate::offer::OfferLimits;
use crate::sessions::LostSession;
use crate::trail::{Entry, Query};

/// The longest line either way, in bytes.
const MAX_LINE: u64 = 1 << 20;
/// The most bytes of a text in an error: the longest path, and words around it.
const MAX_SHOWN: usize = 8 << 10;

/// The control socket of the daemon whose directory is `home`.
pub fn socket(home: &Path) -> PathBuf {
    Paths::new(home).socket()
}

/// What the daemon's user may ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(crate) enum ControlRequest {
    Status,
    Devices,
    Offer {
        watch_only: bool,
        for_seconds: Option<u64>,
    },
    Revoke {
        device: String,
    },
    Rename {
        device: String,
        name: String,
    },
    /// Lines of the audit trail; with `follow`, also those to come.
    Trail {
        query: Query,
        follow: bool,
    },
    Stop {
        force: bool,
    },
    Restart {
        executable: PathBuf,
        handover: u32,
    },
    /// From here on the socket is the link of a device.
    Connect,
}

/// What the daemon answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ControlReply {
    Status(Status),
    Devices(Vec<DeviceEntry>),
    Offer {
        offer: OfferEntry,
        fingerprint: String,
        kinds: Vec<String>,
    },
    OfferOver(OfferEnd),
    Device(DeviceEntry),
    /// Lines of the audit trail; none behind the last.
    Trail(Vec<Entry>),
    /// The daemon has taken the word, and is about to do so.
    Taken,
    Error(ControlError),
}

/// How a running daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub port: u16,
    /// The address to type on this computer.
    pub here: String,
    /// Addresses that a device may reach it at, best first.
    pub addresses: Vec<String>,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Paired devices.
    pub devices: usize,
    /// Devices connected now.
    pub connected: usize,
    /// When its process began, in seconds since 1970.
    pub started_at: u64,
    /// How many times it was restarted without ending its sessions.
    pub restarts: u32,
    /// Sessions that run.
    pub sessions: usize,
    /// The file of settings that it was told to use; absent where that is the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PathBuf>,
    /// Sessions that the daemon before this one lost; the first of them, where they are too many for
    /// one answer.
    pub lost: Vec<LostSession>,
    /// Seconds that the current offer can still be used; absent when none can.
    pub offer_expires_in: Option<u64>,
    /// The limits of the device that it will pair; absent when none can be used.
    pub offer_limits: Option<OfferLimits>,
}

/// How an offer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferEnd {
    /// A device used it.
    Paired(DeviceEntry),
    /// Its time is over.
    Expired,
    /// A fresh offer ended it.
    Replaced,
    /// The daemon's user said no to the device that used it.
    Declined,
}

/// Why the daemon did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ControlError {
    /// No device has that name or id.
    #[error("no device is called {wanted}")]
    NoDevice {
        /// What was asked for.
        wanted: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Several devices' ids begin so.
    #[error("{wanted} could mean several devices")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The devices that it could mean.
        candidates: Vec<String>,
    },
    /// The name has no character to show.
    #[error("{NameError}")]
    BadName,
    /// The allow-list failed.
    #[error("{0}")]
    Store(String),
    /// Sessions run, and would end.
    #[error("sessions run: {}", .names.join(", "))]
    SessionsRun {
        /// Their names, oldest first.
        names: Vec<String>,
    },
    /// The daemon cannot go on as that program.
    #[error("the daemon cannot restart: {0}")]
    CannotRestart(String),
    /// The daemon does not know that request: it is of another version.
    #[error("the running daemon is of another version and does not know this request")]
    Unknown,
}

impl ControlError {
    /// The same, which no terminal obeys, whoever says it.
    fn shown(self) -> Self {
        let all = |texts: Vec<String>| texts.iter().map(|text| shown(text)).collect();
        match self {
            Self::NoDevice { wanted, known } => {
                Self::NoDevice { wanted: shown(&wanted), known: all(known) }
            }
            Self::Ambiguous { wanted, candidates } => {
                Self::Ambiguous { wanted: shown(&wanted), candidates: all(candidates) }
            }
            Self::Store(text) => Self::Store(shown(&text)),
            Self::SessionsRun { names } => Self::SessionsRun { names: all(names) },
            Self::CannotRestart(text) => Self::CannotRestart(shown(&text)),
            Self::BadName | Self::Unknown => self,
        }
    }
}

/// What an error tells of `text`, which can be anything.
fn shown(text: &str) -> String {
    clean_text(text, MAX_SHOWN)
}

#[cfg(test)]
mod tests;
