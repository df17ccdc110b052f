//! What a device may ask.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Answer;
use super::{Attach, Open, SessionId, TerminalSize};

/// A request with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NumberedRequest {
    /// Chosen by the device; the reply carries it.
    pub id: u32,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What a device may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// Nothing; the daemon answers at once. Replies [`Answer::Done`].
    Ping,
    /// Lists the sessions, oldest first. Replies [`Answer::Sessions`].
    Sessions {
        /// Only those with a larger number: for the next part of a long list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<SessionId>,
    },
    /// Opens a session. It runs until its program ends. Replies [`Answer::Opened`].
    Open(Open),
    /// Opens another session with the program, the arguments and the directory of one that is
    /// listed, exactly as they were asked for. Replies [`Answer::Opened`].
    OpenAgain {
        /// Which session.
        session: SessionId,
        /// The size of the new one's terminal.
        #[serde(flatten)]
        size: TerminalSize,
    },
    /// Attaches this connection to a session. Replies [`Answer::Attached`].
    Attach(Attach),
    /// Ends this connection's attachment to a session. Replies [`Answer::Done`].
    Detach {
        /// Which session.
        session: SessionId,
    },
    /// Gives a session's terminal another size. Replies [`Answer::Done`].
    Resize {
        /// Which session.
        session: SessionId,
        /// The size.
        #[serde(flatten)]
        size: TerminalSize,
    },
    /// Ends a session: its programs get SIGHUP, and SIGKILL when they do not heed it. Replies
    /// [`Answer::Done`].
    End {
        /// Which session.
        session: SessionId,
    },
    /// Renames a session. Replies [`Answer::Renamed`].
    RenameSession {
        /// Which session.
        session: SessionId,
        /// The name wanted.
        name: String,
    },
    /// Takes a session that has ended off the list. Replies [`Answer::Done`].
    Dismiss {
        /// Which session.
        session: SessionId,
    },
    /// Lists the programs known by name. Replies [`Answer::Programs`].
    Programs,
    /// Lists the paired devices. Replies [`Answer::Devices`].
    Devices,
    /// Revokes a device. Replies [`Answer::Done`] when it is out.
    Revoke {
        /// The device's id.
        device: String,
    },
    /// Renames a device. Replies [`Answer::Renamed`].
    Rename {
        /// The device's id.
        device: String,
        /// The name wanted.
        name: String,
    },
    /// Opens a fresh pairing offer, which ends the one before. Replies [`Answer::Offer`].
    Offer {
        /// The device to be paired may only watch.
        #[serde(default)]
        watch_only: bool,
        /// The device to be paired is let in for this many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<u64>,
    },
}
