//! What a daemon answers.

use serde::{Deserialize, Serialize};

use super::{Attached, DeviceEntry, MAX_TEXT, OfferEntry, ProgramEntry, SessionEntry};

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
#[expect(clippy::large_enum_variant, reason = "there is one at a time, soon taken apart")]
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
#[expect(clippy::large_enum_variant, reason = "there is one at a time, soon taken apart")]
pub enum Answer {
    /// To `devices`.
    Devices {
        /// Every paired device, oldest first.
        devices: Vec<DeviceEntry>,
    },
    /// To `offer`.
    Offer(OfferEntry),
    /// To `sessions`.
    Sessions {
        /// Oldest first.
        sessions: Vec<SessionEntry>,
        /// Whether there are more behind them.
        #[serde(default)]
        more: bool,
    },
    /// To `open`.
    Opened {
        /// The new session.
        opened: SessionEntry,
    },
    /// To `attach`.
    Attached(Box<Attached>),
    /// To `programs`.
    Programs {
        /// The shell first.
        programs: Vec<ProgramEntry>,
    },
    /// To `rename` and `rename_session`.
    Renamed {
        /// The name as it is now: cleaned, and made unique.
        name: String,
    },
    /// To everything else.
    Done {},
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
    /// Another session has that name.
    Taken,
    /// The session has ended.
    Ended,
    /// The daemon tried and could not.
    Failed,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}
