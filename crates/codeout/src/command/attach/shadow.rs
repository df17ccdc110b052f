//! What the terminal shows of a session, known to this program too: to bring it back after a line
//! was drawn over it, and to show a part of it.

use codeout_protocol::message::TerminalSize;
use codeout_screen::{HistoryLimits, Screen, Signal};

/// Output that waits to be looked at, in bytes. Of much, most has scrolled away by then.
const MOST_WAITING: usize = 1 << 20;
/// With so much it is looked at when there is time, in bytes.
const MUCH_WAITING: usize = MOST_WAITING / 2;
/// What has scrolled off is the terminal's to keep.
const NO_HISTORY: HistoryLimits = HistoryLimits { lines: 0, bytes: 0 };

pub(super) struct Shadow {
    screen: Screen,
    waiting: Vec<u8>,
}

impl Shadow {
    pub(super) fn new(size: TerminalSize) -> Self {
        let screen = Screen::new(size.columns, size.rows, NO_HISTORY);
        Shadow { screen, waiting: Vec::new() }
    }

    /// Takes what was shown. Looks at it when that is needed.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > MOST_WAITING {
            self.catch_up();
        }
        self.waiting.extend_from_slice(bytes);
    }

    /// Looks at what was shown, if there is much of it: for a time in which nothing else waits.
    pub(super) fn use_time(&mut self) {
        if self.waiting.len() >= MUCH_WAITING {
            self.catch_up();
        }
    }

    fn catch_up(&mut self) {
        self.screen.feed(&self.waiting);
        self.waiting.clear();
    }

    /// The screen as it is behind all that was shown.
    pub(super) fn screen(&mut self) -> &Screen {
        self.catch_up();
        &self.screen
    }

    /// What the program wanted noticed since the last call.
    pub(super) fn signals(&mut self) -> Vec<Signal> {
        self.catch_up();
        self.screen.take_signals()
    }

    /// Brings a terminal of the same size to exactly this state, from any other.
    pub(super) fn whole(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let screen = self.screen();
        screen.write_prologue(&mut out);
        screen.write_screen(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_what_was_shown_even_in_the_middle_of_a_sequence() {
        let mut shadow = Shadow::new(TerminalSize { columns: 20, rows: 3 });
        for _ in 0..100_000 {
            shadow.add(b"many lines of output\r\n");
        }
        shadow.add(b"\x1b[1mlast\x1b[3");
        let mut other = Screen::new(20, 3, NO_HISTORY);
        other.feed(b"something else\x1b[?1049h\x1b]2;half a title");
        other.feed(&shadow.whole());
        other.feed(b";4mline");
        assert_eq!((other.last_line(), other.cursor()), ("lastline".to_owned(), (8, 2)));
        assert!(shadow.waiting.capacity() <= 2 * MOST_WAITING);
    }
}
