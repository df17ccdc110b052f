//! What can happen.

use std::net::IpAddr;

use codeout_protocol::message::{ClosingReason, ExitStatus, Limits, SessionId};
use serde::{Deserialize, Serialize};

use crate::devices::{Device, DeviceId, THIS_COMPUTER};
use crate::offer::OfferLimits;

/// The most bytes of a program's or a directory's text.
pub(crate) const MAX_TEXT: usize = 1_024;

/// A device as it was called then, or this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Its id, which no other device gets.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// A pairing attempt ended without the right code.
    WrongCode,
    /// The code had paired a device already.
    Used,
    /// The code's time was over, or a fresh one had replaced it.
    Expired,
    /// The daemon's user said no.
    Declined,
    /// No pairing offer is open.
    NoOffer,
    /// The device is not in the list, its time is over, or its token is wrong.
    NotPaired,
    /// Too many attempts or connections.
    TooMany,
    /// It spoke to another daemon's key, in another version, or not as a device does.
    Malformed,
    /// The device could not be written to the list.
    NotStored,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// A daemon began.
    DaemonStarted {
        /// Its version.
        version: String,
        /// Sessions that the daemon before it lost: it was killed.
        lost: usize,
    },
    /// Another process went on with the daemon and its sessions.
    DaemonRestarted {
        /// Its version.
        version: String,
    },
    /// The daemon ended, and every session with it.
    DaemonStopped {},
    /// A pairing offer was opened.
    OfferOpened {
        /// By whom.
        by: Who,
        /// Whether it lets a device watch only.
        watch_only: bool,
        /// How long it lets a device in, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<u64>,
    },
    /// A device was paired.
    Paired {
        /// The device.
        device: Who,
        /// Where it came from.
        source: IpAddr,
        /// What it may do.
        limits: Limits,
    },
    /// A device never finished its pairing, and was removed.
    Unfinished {
        /// The device.
        device: Who,
    },
    /// Somebody was turned away.
    Refused {
        /// Why.
        reason: Refusal,
        /// Where it came from, last; absent for many that were counted together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<IpAddr>,
        /// How often.
        times: u64,
        /// When it came first, in seconds since 1970.
        since: u64,
    },
    /// A paired device connected.
    Connected {
        /// The device.
        device: Who,
        /// Where it came from.
        source: IpAddr,
    },
    /// A connection of a paired device ended.
    Disconnected {
        /// The device.
        device: Who,
        /// Why the daemon ended it; absent when the link broke.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<ClosingReason>,
    },
    /// A connected device's time was over.
    Expired {
        /// The device.
        device: Who,
    },
    /// A device has a new name.
    Renamed {
        /// The device, as it is called from then on.
        device: Who,
        /// What it was called before.
        before: String,
        /// By whom.
        by: Who,
    },
    /// A device was revoked.
    Revoked {
        /// The device.
        device: Who,
        /// By whom.
        by: Who,
    },
    /// A session was opened.
    SessionOpened {
        /// Its number.
        session: SessionId,
        /// Its name.
        name: String,
        /// The program, without its arguments: they may be secret.
        program: String,
        /// Where it runs.
        directory: String,
        /// By whom.
        by: Who,
    },
    /// A session has a new name.
    SessionRenamed {
        /// Its number.
        session: SessionId,
        /// Its name from then on.
        name: String,
        /// What it was called before.
        before: String,
        /// By whom.
        by: Who,
    },
    /// Somebody asked for a session's end.
    SessionEndAsked {
        /// Its number.
        session: SessionId,
        /// Its name.
        name: String,
        /// Who.
        by: Who,
    },
    /// A session's program has ended.
    SessionEnded {
        /// Its number.
        session: SessionId,
        /// Its name.
        name: String,
        /// How.
        status: ExitStatus,
    },
    /// Too much happened at once, or the disk was full.
    Missed {
        /// Happenings that were not written down.
        happenings: u64,
    },
    /// What a later version wrote.
    #[serde(other)]
    Unknown,
}

/// What a flood of lines can push out of the trail: nothing but lines of its own class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// What strangers can cause as often as they like.
    Strangers,
    /// What paired devices can cause as often as they like.
    Devices,
    /// Who got in, who was put out, and when the daemon ran.
    Matters,
}

impl Class {
    pub(crate) const ALL: [Class; 3] = [Class::Strangers, Class::Devices, Class::Matters];

    /// The most lines that are kept of it: 10,000 in all.
    pub(crate) fn most(self) -> u32 {
        match self {
            Class::Strangers => 2_000,
            Class::Devices => 5_000,
            Class::Matters => 3_000,
        }
    }
}

impl Who {
    pub(crate) fn computer() -> Self {
        Who { id: DeviceId::LOCAL.to_string(), name: THIS_COMPUTER.to_owned() }
    }
}

impl From<&Device> for Who {
    fn from(device: &Device) -> Self {
        Who { id: device.id.to_string(), name: device.name.to_string() }
    }
}

impl Happening {
    pub(crate) fn offer(by: Who, limits: OfferLimits) -> Self {
        let OfferLimits { watch_only, for_seconds } = limits;
        Happening::OfferOpened { by, watch_only, for_seconds }
    }

    pub(crate) fn class(&self) -> Class {
        match self {
            Happening::Refused { .. } => Class::Strangers,
            Happening::DaemonStarted { .. }
            | Happening::DaemonRestarted { .. }
            | Happening::DaemonStopped {}
            | Happening::Paired { .. }
            | Happening::Unfinished { .. }
            | Happening::Expired { .. }
            | Happening::Revoked { .. } => Class::Matters,
            _ => Class::Devices,
        }
    }

    /// The devices that it is about.
    pub fn devices(&self) -> impl Iterator<Item = &Who> {
        let (device, by) = match self {
            Happening::Paired { device, .. }
            | Happening::Unfinished { device }
            | Happening::Connected { device, .. }
            | Happening::Disconnected { device, .. }
            | Happening::Expired { device } => (Some(device), None),
            Happening::Renamed { device, by, .. } | Happening::Revoked { device, by } => {
                (Some(device), Some(by))
            }
            Happening::OfferOpened { by, .. }
            | Happening::SessionOpened { by, .. }
            | Happening::SessionRenamed { by, .. }
            | Happening::SessionEndAsked { by, .. } => (None, Some(by)),
            _ => (None, None),
        };
        device.into_iter().chain(by)
    }
}
