//! What a device shows of a session, and how far it is.

use codeout_device::SessionOutput;
use codeout_screen::{HistoryLimits, Screen};

/// A terminal that a device shows.
pub(crate) struct View {
    screen: Screen,
    snapshots: u64,
}

impl View {
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        View { screen: Screen::new(columns, rows, HistoryLimits::default()), snapshots: 0 }
    }

    /// Shows what came.
    pub(crate) fn take(&mut self, output: &SessionOutput) {
        match output {
            SessionOutput::Snapshot { size, .. } => {
                *self =
                    View { snapshots: self.snapshots + 1, ..View::new(size.columns, size.rows) };
            }
            SessionOutput::Bytes(bytes) => self.feed(bytes),
            SessionOutput::SnapshotEnd | SessionOutput::Ended(_) => {}
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.screen.feed(bytes);
    }

    /// The screen's whole state, as the bytes that would bring another terminal to it.
    pub(crate) fn screen(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.screen.write_prologue(&mut out);
        self.screen.write_screen(&mut out);
        out
    }

    /// The last line that says something.
    pub(crate) fn last_line(&self) -> String {
        self.screen.last_line()
    }

    /// Snapshots that came.
    pub(crate) fn snapshots(&self) -> u64 {
        self.snapshots
    }
}
