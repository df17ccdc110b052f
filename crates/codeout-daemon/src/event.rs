//! What the daemon reports. It prints nothing itself: the CLI words these.

use std::net::IpAddr;

use codeout_protocol::message::{Attention, SessionEntry};
use codeout_protocol::name::Name;

use crate::devices::Device;

/// Something happened that the daemon's user may want to see.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A fresh offer ended the one before.
    OfferOpened {
        /// Its number.
        number: u64,
    },
    /// A device was paired: it is in the allow-list, on disk.
    Paired {
        /// The device.
        device: Device,
        /// The offer it used.
        offer: u64,
        /// Where it came from.
        source: IpAddr,
    },
    /// A pairing attempt ended without the right code.
    WrongCode {
        /// Where it came from.
        source: IpAddr,
    },
    /// A device proved a code that was used, replaced or expired.
    StaleCode {
        /// Where it came from.
        source: IpAddr,
        /// Whether it was used; else its time was over.
        used: bool,
    },
    /// A device proved the code; answer with [`Daemon::decide`](crate::Daemon::decide).
    ConfirmationNeeded {
        /// What to answer with.
        request: u64,
        /// The name that the device proposes.
        name: Option<Name>,
        /// Where it comes from.
        source: IpAddr,
    },
    /// A question was answered, or is of no use any more.
    ConfirmationOver {
        /// Which.
        request: u64,
    },
    /// The daemon's user said no to the device that used an offer.
    Declined {
        /// The offer's number.
        offer: u64,
    },
    /// A device could not be written to the allow-list.
    StoreFailed {
        /// Why, for people.
        reason: String,
    },
    /// A paired device connected.
    Connected {
        /// The device.
        device: Device,
        /// Where it comes from.
        source: IpAddr,
    },
    /// A connection of a paired device ended.
    Disconnected {
        /// The device.
        device: Device,
    },
    /// A device that is not paired tried to connect.
    NotPaired {
        /// Where it came from.
        source: IpAddr,
    },
    /// A device was revoked.
    Revoked {
        /// The device as it was.
        device: Device,
    },
    /// A device has a new name.
    Renamed {
        /// The device as it is.
        device: Device,
        /// What it was called before.
        before: Name,
    },
    /// A pairing was never finished by its device, and was undone.
    Unfinished {
        /// The device as it was.
        device: Device,
    },
    /// HTTPS is served with another certificate from here on.
    CertificateRenewed,
    /// The files of the certificate have changed, and cannot be used as they are.
    CertificateFailed {
        /// Why, for people.
        reason: String,
        /// Whether there is one from before, which is still served. Else nobody can connect.
        has_former: bool,
    },
    /// A session was opened.
    SessionOpened {
        /// The session.
        session: SessionEntry,
        /// The name of the device that opened it.
        by: String,
    },
    /// A session wants somebody to look.
    SessionAttention {
        /// The session.
        session: SessionEntry,
        /// Why.
        attention: Attention,
    },
    /// A session's program has ended.
    SessionEnded {
        /// The session as it is.
        session: SessionEntry,
    },
}

impl Event {
    /// Whether the daemon's user must hear of it whatever else happens.
    pub(crate) fn matters(&self) -> bool {
        matches!(
            self,
            Event::Paired { .. }
                | Event::ConfirmationNeeded { .. }
                | Event::ConfirmationOver { .. }
                | Event::Declined { .. }
                | Event::Revoked { .. }
                | Event::StoreFailed { .. }
                | Event::CertificateFailed { .. }
        )
    }
}
