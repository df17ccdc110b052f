//! What a daemon tells unasked.

use serde::{Deserialize, Serialize};

use super::{Attention, DeviceEntry, ExitStatus, SessionEntry, SessionId, TerminalSize};

/// What a daemon tells unasked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The first record of every connection.
    Welcome(Welcome),
    /// A session was opened.
    SessionOpened {
        /// As it is.
        session: SessionEntry,
    },
    /// Something of a session's entry has changed.
    SessionChanged {
        /// As it is.
        session: SessionEntry,
    },
    /// A session wants somebody to look.
    SessionAttention {
        /// Which session.
        session: SessionId,
        /// Its name.
        name: String,
        /// Why.
        #[serde(flatten)]
        attention: Attention,
    },
    /// A session's program has ended. To an attached device it comes behind the last output, and
    /// ends the attachment.
    SessionEnded {
        /// Which session.
        session: SessionId,
        /// How its program ended.
        #[serde(flatten)]
        status: ExitStatus,
    },
    /// A session is off the list.
    SessionDismissed {
        /// Which session.
        session: SessionId,
    },
    /// A snapshot of a session begins: what the device shows of it is void.
    Snapshot {
        /// Which session.
        session: SessionId,
        /// The size that its terminal has now.
        #[serde(flatten)]
        size: TerminalSize,
        /// Who gave it that size.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_by: Option<String>,
        /// Whether history comes first.
        #[serde(default)]
        history: bool,
    },
    /// A snapshot is complete: output follows.
    SnapshotEnd {
        /// Which session.
        session: SessionId,
        /// The offset of the output that follows.
        offset: u64,
    },
    /// A device was paired.
    DevicePaired {
        /// Its entry.
        device: DeviceEntry,
    },
    /// A device was revoked.
    DeviceRevoked {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// A device was renamed.
    DeviceRenamed {
        /// Its id.
        id: String,
        /// Its new name.
        name: String,
    },
    /// The daemon ends the connection: the content of its final record.
    Closing {
        /// Why.
        reason: ClosingReason,
    },
}

/// The first event of every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the message layer that the daemon speaks: [`VERSION`](super::VERSION).
    pub protocol: u32,
    /// The daemon's name.
    pub daemon: String,
    /// This device's own entry.
    pub device: DeviceEntry,
}

/// Why a daemon ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClosingReason {
    /// The device was revoked.
    Revoked,
    /// The device's time is over.
    Expired,
    /// The daemon stops.
    Stopping,
    /// A new process takes over at once, with every session: connect again.
    Restarting,
    /// The device ended the connection, and the daemon agrees.
    Goodbye,
    /// The device broke the message layer or a limit.
    Protocol,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}
