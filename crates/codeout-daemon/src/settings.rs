//! What a daemon's user can set about sessions.

use std::time::Duration;

/// What sessions keep, what they can be opened with, and what is done when one wants attention.
///
/// The daemon takes it as it is: whoever reads it from a file checks it against the ranges given
/// here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// Lines of history that a session keeps: at most
    /// [`MAX_HISTORY_LINES`](Self::MAX_HISTORY_LINES).
    pub history_lines: usize,
    /// Memory for the history of one session, in bytes: at most
    /// [`MAX_HISTORY_BYTES`](Self::MAX_HISTORY_BYTES).
    pub history_bytes: usize,
    /// Output of a session that is kept for devices that come back, in bytes:
    /// [`MIN_OUTPUT_BYTES`](Self::MIN_OUTPUT_BYTES) to
    /// [`MAX_OUTPUT_BYTES`](Self::MAX_OUTPUT_BYTES).
    pub output_bytes: u64,
    /// The silence after activity that is told as attention `quiet`. `None`: it is never told.
    pub quiet_after: Option<Duration>,
    /// Programs known by name, before those found on `PATH`. The first of a name counts.
    pub programs: Vec<NamedProgram>,
    /// Commands that are run when something happens.
    pub hooks: HookSettings,
}

impl SessionSettings {
    /// The most lines of history.
    pub const MAX_HISTORY_LINES: usize = 1_000_000;
    /// The most memory for the history of one session, in bytes.
    pub const MAX_HISTORY_BYTES: usize = 256 << 20;
    /// The least output that is kept, in bytes.
    pub const MIN_OUTPUT_BYTES: u64 = 64 << 10;
    /// The most output that is kept, in bytes.
    pub const MAX_OUTPUT_BYTES: u64 = 256 << 20;
}

impl Default for SessionSettings {
    /// 10,000 lines in 3 MiB, 4 MiB of output, quiet after 15 s, no programs and no hooks.
    fn default() -> Self {
        SessionSettings {
            history_lines: 10_000,
            history_bytes: 3 << 20,
            output_bytes: 4 << 20,
            quiet_after: Some(Duration::from_secs(15)),
            programs: Vec::new(),
            hooks: HookSettings::default(),
        }
    }
}

/// A program that its user gave a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedProgram {
    /// What sessions are opened with. A name of a program on `PATH`, and `shell`, may be used: it
    /// then stands for this.
    pub name: String,
    /// At least one word: a name on `PATH` or a path (absolute, `~/…`, or below the session's
    /// directory), and its arguments. No shell reads them.
    pub command: Vec<String>,
}

/// Commands that are run when something happens to a session, as `sh -c` runs them.
///
/// They start in the home directory, with the environment of a login shell and what happened in
/// `CODEOUT_EVENT` (`opened`, `bell`, `notification`, `quiet`, `title`, `ended`),
/// `CODEOUT_SESSION`, `CODEOUT_SESSION_NAME`, `CODEOUT_PROGRAM`, `CODEOUT_DIRECTORY`, and where
/// there is one `CODEOUT_TITLE`, `CODEOUT_TEXT`, `CODEOUT_EXIT`. Four run at once; one that takes
/// 30 s is killed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookSettings {
    /// A session was opened.
    pub opened: Option<String>,
    /// A session's program rang the bell.
    pub bell: Option<String>,
    /// A session's program sent a notification.
    pub notification: Option<String>,
    /// A session's program was busy and has printed nothing for a while.
    pub quiet: Option<String>,
    /// A session's program gave its window another title.
    pub title: Option<String>,
    /// A session's program has ended.
    pub ended: Option<String>,
    /// Any of these happened; run besides the command of its own that it may have.
    pub all: Option<String>,
}
