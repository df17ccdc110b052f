//! What travels inside the channel: requests, replies and events as JSON, terminal bytes as
//! they are.
//!
//! A record's plaintext is one kind byte and a body. JSON bodies are objects; a reader ignores
//! members that it does not know, so that members can be added; a request that the daemon does
//! not know is answered with [`ErrorCode::UnknownRequest`], and an event that the device does
//! not know is dropped, so that both can be added too.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the message layer, said in [`Welcome`].
pub const VERSION: u32 = 1;

/// The most bytes of terminal output or input in one record.
pub const MAX_CHUNK: usize = 32_768;
/// A session's output that may be on its way unacknowledged, in bytes. The device acknowledges
/// at least every quarter of it.
pub const OUTPUT_WINDOW: u64 = 1 << 20;
/// A session's input that may be on its way unacknowledged, in bytes. More ends the connection.
pub const INPUT_WINDOW: u64 = 1 << 16;
/// The sessions that one connection may have open.
pub const MAX_SESSIONS: usize = 16;
/// The largest number of columns or rows of a terminal; the smallest is 1.
pub const MAX_TERMINAL_SIDE: u16 = 2_000;
/// The most bytes of a text for people in a reply.
pub const MAX_TEXT: usize = 512;

/// A session's number, given by the daemon, unique while the daemon runs.
pub type SessionId = u32;

/// A part of a session's byte stream. `Debug` shows its length alone: people type secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Which session.
    pub session: SessionId,
    /// Bytes of this direction before this chunk, from 0 at the session's start.
    pub offset: u64,
    /// 1 to [`MAX_CHUNK`] bytes.
    pub bytes: &'a [u8],
}

impl fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("session", &self.session)
            .field("offset", &self.offset)
            .field("length", &self.bytes.len())
            .finish()
    }
}

/// "All bytes before `offset` are dealt with": output shown, or input written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which session.
    pub session: SessionId,
    /// Bytes of that direction since the session's start.
    pub offset: u64,
}

/// What a device sends.
#[derive(Debug)]
pub enum FromDevice<'a> {
    /// A request; one reply with the same number comes back.
    Request(NumberedRequest),
    /// A request that this daemon cannot act on, to be answered with the error.
    Unreadable {
        /// The request's number.
        id: u32,
        /// The answer.
        error: RequestError,
    },
    /// Something typed.
    Input(Chunk<'a>),
    /// Output was shown.
    OutputRead(Progress),
}

/// What a daemon sends.
#[derive(Debug)]
pub enum FromDaemon<'a> {
    /// The answer to a request.
    Reply(Reply),
    /// Something happened.
    Event(Event),
    /// An event of a later version; drop it.
    UnknownEvent,
    /// What a session printed.
    Output(Chunk<'a>),
    /// Input was written to the pseudo-terminal.
    InputWritten(Progress),
}

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
    /// Opens a session: a shell in the daemon's directory. Replies [`Answer::Opened`].
    Open {
        /// Width of the terminal, 1 to [`MAX_TERMINAL_SIDE`].
        columns: u16,
        /// Height of the terminal, 1 to [`MAX_TERMINAL_SIDE`].
        rows: u16,
    },
    /// Changes the size of a session's terminal. Replies [`Answer::Done`].
    Resize {
        /// Which session.
        session: SessionId,
        /// As in `open`.
        columns: u16,
        /// As in `open`.
        rows: u16,
    },
    /// Ends a session: its programs get SIGHUP. Replies [`Answer::Done`].
    End {
        /// Which session.
        session: SessionId,
    },
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

/// A reply with the number of its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's number.
    pub id: u32,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Ok(Answer),
    /// It was not.
    Error(RequestError),
}

/// The content of a successful reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Answer {
    /// To `devices`.
    Devices {
        /// Every paired device, oldest first.
        devices: Vec<DeviceEntry>,
    },
    /// To `offer`.
    Offer(OfferEntry),
    /// To `open`.
    Opened {
        /// The new session's number.
        session: SessionId,
    },
    /// To `rename`.
    Renamed {
        /// The name as it is now: cleaned, and made unique.
        name: String,
    },
    /// To everything else.
    Done {},
}

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

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: at most [`MAX_TEXT`] bytes, to be cleaned before it is shown.
    pub message: String,
}

impl RequestError {
    /// The error, its text cut to [`MAX_TEXT`].
    pub fn new(code: ErrorCode, message: impl AsRef<str>) -> Self {
        RequestError { code, message: crate::name::clean_text(message.as_ref(), MAX_TEXT) }
    }
}

/// The kinds of request errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The daemon does not know this request.
    UnknownRequest,
    /// The request's members are missing, of the wrong type or out of range.
    BadRequest,
    /// This device may not ask for that.
    NotAllowed,
    /// There is no such session or device.
    NotFound,
    /// There are as many as there may be.
    Limit,
    /// The daemon tried and could not.
    Failed,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}

/// What a daemon tells unasked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The first record of every connection.
    Welcome(Welcome),
    /// A session of this connection has ended; nothing of it follows.
    SessionEnded {
        /// Which session.
        session: SessionId,
        /// How its program ended.
        #[serde(flatten)]
        status: ExitStatus,
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
    /// The version of the message layer that the daemon speaks: [`VERSION`].
    pub protocol: u32,
    /// The daemon's name.
    pub daemon: String,
    /// This device's own entry.
    pub device: DeviceEntry,
}

/// How a session's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// With this status.
    Exit(u8),
    /// By this signal.
    Signal(u8),
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
    /// The device ended the connection, and the daemon agrees.
    Goodbye,
    /// The device broke the message layer or a limit.
    Protocol,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}
