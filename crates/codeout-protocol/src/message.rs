//! What travels inside the channel: requests, replies and events as JSON, terminal bytes as
//! they are.
//!
//! A record's plaintext is one kind byte and a body. JSON bodies are objects; a reader ignores
//! members that it does not know, so that members can be added; a request that the daemon does
//! not know is answered with [`ErrorCode::UnknownRequest`], and an event that the device does
//! not know is dropped, so that both can be added too.

mod device;
mod event;
mod reply;
mod request;
mod session;

use std::fmt;
use std::time::Duration;

pub use device::{DeviceEntry, Limits, OfferEntry};
pub use event::{ClosingReason, Event, Welcome};
pub use reply::{Answer, ErrorCode, Outcome, Reply, RequestError};
pub use request::{NumberedRequest, Request};
pub use session::{
    Attach, Attached, Attention, AttentionReason, Ended, ExitStatus, Open, ProgramEntry,
    SessionEntry, TerminalSize,
};

/// The version of the message layer, said in [`Welcome`].
pub const VERSION: u32 = 1;

/// The most bytes of terminal output or input in one record.
pub const MAX_CHUNK: usize = 60 << 10;
/// What an attachment may have on its way unacknowledged, in bytes of output and snapshots. The
/// daemon sends less to a device that takes long to acknowledge.
pub const OUTPUT_WINDOW: u64 = 1 << 20;
/// A device acknowledges when it has dealt with this many bytes since the last time…
pub const ACKNOWLEDGE_AFTER: u64 = 1 << 16;
/// …unless that was so short a time ago: then it may wait…
pub const ACKNOWLEDGE_APART: Duration = Duration::from_millis(16);
/// …until it has dealt with this many…
pub const ACKNOWLEDGE_AT_LATEST: u64 = 1 << 19;
/// …and when it has dealt with everything that came, already with this many.
pub const ACKNOWLEDGE_IDLE: u64 = 1 << 12;
/// A keyboard's input that may be on its way, in bytes beyond [`Attached::input`] or the last
/// [`FromDaemon::InputWritten`], whichever is more. More ends the connection.
pub const INPUT_WINDOW: u64 = 1 << 16;
/// The sessions that one connection may be attached to.
pub const MAX_ATTACHED: usize = 16;
/// The names of watchers in a session's entry.
pub const MAX_WATCHERS: usize = 16;
/// The largest number of a keyboard.
pub const MAX_KEYBOARD: u64 = (1 << 53) - 1;
/// The largest number of columns or rows of a terminal; the smallest is 1.
pub const MAX_TERMINAL_SIDE: u16 = 2_000;
/// The most characters of a terminal: columns times rows.
pub const MAX_TERMINAL_CELLS: u32 = 500_000;
/// The most bytes of a text for people in a reply.
pub const MAX_TEXT: usize = 512;

/// A session's number, given by the daemon, unique while the daemon runs. With
/// [`SessionEntry::opened_at`] it names a session for good.
pub type SessionId = u32;

/// A part of a session's byte stream. `Debug` shows its length alone: people type secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Which session.
    pub session: SessionId,
    /// Bytes before this chunk: of output, since the session's start; of input, of this keyboard;
    /// of a snapshot, since its beginning.
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

/// "All bytes before `offset` are dealt with". Of input: written to the terminal, counted in
/// this keyboard's bytes. Of output: shown, counted in bytes of output and snapshots that this
/// attachment was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which session.
    pub session: SessionId,
    /// How far it is.
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
    /// A part of a snapshot: to be shown as output is.
    Snapshot(Chunk<'a>),
    /// Input was written to the pseudo-terminal.
    InputWritten(Progress),
}
