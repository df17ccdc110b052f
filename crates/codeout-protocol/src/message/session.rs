//! What is said of sessions.

use serde::{Deserialize, Serialize};

use super::SessionId;

/// A session as it is listed. Its texts are a program's and people's: bounded, and to be cleaned
/// before they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// What requests call it.
    pub session: SessionId,
    /// What people call it: unique among the daemon's sessions.
    pub name: String,
    /// The program, as it was asked for: `claude`, `make watch`.
    pub program: String,
    /// Where it was started.
    pub directory: String,
    /// Width of its terminal.
    pub columns: u16,
    /// Height of its terminal.
    pub rows: u16,
    /// The name of the device that gave the terminal this size; absent until one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_by: Option<String>,
    /// When it was opened, in seconds since 1970.
    pub opened_at: u64,
    /// When its program printed last, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_output_at: Option<u64>,
    /// The title that its program gave its window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The last line on its screen that has text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
    /// How many attachments watch it.
    #[serde(default)]
    pub watching: u32,
    /// The names of devices that watch it, at most [`MAX_WATCHERS`](super::MAX_WATCHERS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watchers: Vec<String>,
    /// What happened last that nobody has attended to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
    /// How and when its program ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How and when a session's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in seconds since 1970.
    pub at: u64,
    /// How.
    #[serde(flatten)]
    pub status: ExitStatus,
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

/// A session wants somebody to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Why.
    pub reason: AttentionReason,
    /// The title of a notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text of a notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Why a session wants somebody to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttentionReason {
    /// Its program rang the bell.
    Bell,
    /// Its program sent a notification (OSC 9, 99 or 777).
    Notification,
    /// Its program was busy and has printed nothing for a while.
    Quiet,
    /// Its program has ended.
    Ended,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// What a session is opened with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Width of the terminal, 1 to [`MAX_TERMINAL_SIDE`](super::MAX_TERMINAL_SIDE).
    pub columns: u16,
    /// Height of the terminal, 1 to [`MAX_TERMINAL_SIDE`](super::MAX_TERMINAL_SIDE).
    pub rows: u16,
    /// A program's name or path; absent: a login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Where: absolute, or below the daemon's own directory, or `~/…`; absent: the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What it is to be called; absent: the directory's name, or the program's, made unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How a device attaches to a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Which session.
    pub session: SessionId,
    /// The offset behind the last output that the device has: it wants what follows, and no
    /// snapshot if that can be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The lines of history wanted in the snapshot, at most; absent: all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u32>,
    /// Names this device's input to this session, over all its connections: chosen at random,
    /// at most [`MAX_KEYBOARD`](super::MAX_KEYBOARD). The latest attachment with it is the only
    /// one that types. Absent: the device only looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<u64>,
    /// The size that the device gives the terminal, if it takes the size over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<TerminalSize>,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// 1 to [`MAX_TERMINAL_SIDE`](super::MAX_TERMINAL_SIDE).
    pub columns: u16,
    /// 1 to [`MAX_TERMINAL_SIDE`](super::MAX_TERMINAL_SIDE).
    pub rows: u16,
}

/// The daemon's answer to a device that attaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The session.
    pub attached: SessionEntry,
    /// Whether output follows from [`Attach::after`] on; else a snapshot comes first.
    pub resumed: bool,
    /// The bytes of this keyboard's input that the daemon has: they count as acknowledged, and
    /// the device goes on behind them. 0 without a keyboard.
    pub input: u64,
}

/// A program that a session can be opened with by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramEntry {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub command: String,
}
