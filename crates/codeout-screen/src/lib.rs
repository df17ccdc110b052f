//! What a session's terminal shows.
//!
//! A [`Screen`] takes the bytes that a program writes, as a terminal would, and gives bytes that
//! bring any other terminal to the same state: its text with all attributes, the lines above it,
//! both screens, cursor, modes, titles, and even a sequence that was cut in the middle. It does as
//! xterm.js does where terminals differ.
//!
//! This crate decides; it does nothing. It opens no file, reads no clock, and answers no query of
//! the program: the terminals on which a session is shown do that. Memory is bounded whatever the
//! bytes are.
//!
//! ```
//! use codeout_screen::{HistoryLimits, Screen};
//!
//! let mut screen = Screen::new(80, 24, HistoryLimits::default());
//! screen.feed("\x1b[1mbold\x1b[m and a half \x1b[3".as_bytes());
//!
//! let mut snapshot = Vec::new();
//! screen.write_prologue(&mut snapshot);
//! screen.write_history(0, usize::MAX, &mut snapshot);
//! screen.write_screen(&mut snapshot);
//!
//! let mut other = Screen::new(80, 24, HistoryLimits::default());
//! other.feed(&snapshot);
//! for screen in [&mut screen, &mut other] {
//!     screen.feed(b"1mred");
//!     assert_eq!(screen.last_line(), "bold and a half red");
//! }
//! ```

mod ascii;
mod cell;
mod charset;
mod csi;
mod erase;
mod grid;
mod history;
mod modes;
mod osc;
mod params;
mod parser;
mod print;
mod resize;
mod sgr;
mod skip;
mod snapshot;
mod style;
mod terminal;
mod width;
mod window;

use std::fmt;
use std::ops::Range;

pub use history::HistoryLimits;
use parser::Parser;
use skip::PenOf;
use terminal::Terminal;

/// No side of a screen is longer.
const MOST_SIDE: u16 = 2000;
/// What a wide character needs; xterm.js has no fewer.
const LEAST_COLUMNS: u16 = 2;
/// The tables that cells refer to are looked after once for so many bytes.
const STRIDE: usize = 1 << 16;
/// The most characters of [`Screen::last_line`].
const MOST_LAST_LINE: usize = 200;

/// Something that the program wants its user to notice. Texts have no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// BEL, outside of strings.
    Bell,
    /// The window's title changed; at most 256 bytes.
    Title(String),
    /// OSC 9, 777 or 99.
    Notification {
        /// At most 256 bytes.
        title: Option<String>,
        /// At most 1024 bytes.
        text: String,
    },
}

/// A terminal that nobody sees. `Debug` shows nothing of what is on it.
pub struct Screen {
    terminal: Terminal,
    parser: Parser,
}

fn sides(columns: u16, rows: u16) -> (usize, usize) {
    (columns.clamp(LEAST_COLUMNS, MOST_SIDE).into(), rows.clamp(1, MOST_SIDE).into())
}

impl Screen {
    /// An empty screen. Its sides are brought into bounds: 2 to 2000 columns, 1 to 2000 rows.
    pub fn new(columns: u16, rows: u16, limits: HistoryLimits) -> Screen {
        let (columns, rows) = sides(columns, rows);
        let terminal = Terminal::new(columns, rows, limits);
        Screen { terminal, parser: Parser::default() }
    }

    /// Takes what the program wrote. The bytes may be cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let skipped = self.skip(&[bytes]);
        for part in bytes[skipped..].chunks(STRIDE) {
            self.parser.feed(part, &mut self.terminal);
            self.terminal.sweep();
        }
    }

    /// Passes over the first of the bytes that the program wrote, which are in `parts`, one behind
    /// the other: lines that scroll out of the history by what is behind them. Returns how many
    /// bytes. The screen means something again when the rest was fed.
    pub fn skip(&mut self, parts: &[&[u8]]) -> usize {
        if !self.parser.is_idle() || !self.terminal.is_skippable() {
            return 0;
        }
        let (rows, limits) = (self.terminal.rows, self.terminal.limits());
        let Some((bytes, lines)) = skip::skippable(parts, rows, limits) else { return 0 };
        // The carriage return behind them ends a character that never became whole.
        self.follow_pen(parts, bytes + 1);
        self.terminal.skip(lines);
        bytes
    }

    /// Brings the pen to where it is behind the first `count` bytes of what can be skipped.
    fn follow_pen(&mut self, parts: &[&[u8]], count: usize) {
        let mut left = count;
        for part in parts {
            let (skipped, _) = part.split_at(part.len().min(left));
            left -= skipped.len();
            if skipped.contains(&0x1b) || !self.parser.is_idle() {
                self.parser.feed(skipped, &mut PenOf(&mut self.terminal));
            }
        }
    }

    /// Takes another size, brought into bounds as by [`new`](Self::new). Lines of the main screen
    /// wrap anew, and come out of the history or go there; the cursor stays on its character. The
    /// other screen is cut, or gets empty cells. With another width all lines of the history get new
    /// numbers.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (columns, rows) = sides(columns, rows);
        self.terminal.resize(columns, rows);
        self.terminal.sweep();
    }

    /// The width.
    pub fn columns(&self) -> u16 {
        self.terminal.columns as u16
    }

    /// The height.
    pub fn rows(&self) -> u16 {
        self.terminal.rows as u16
    }

    /// The cursor's column and row, from 0. Where it waits behind the last column, that one.
    pub fn cursor(&self) -> (u16, u16) {
        let x = self.terminal.x.min(self.terminal.columns - 1);
        (x as u16, self.terminal.y as u16)
    }

    /// The window's title: at most 256 bytes, without control characters.
    pub fn title(&self) -> &str {
        &self.terminal.title
    }

    /// The last row with visible text, without the blanks around it; at most 200 characters.
    pub fn last_line(&self) -> String {
        let rows = self.terminal.grid().rows.iter().rev();
        let text = rows.map(|row| self.terminal.row_text(row)).find(|text| !text.trim().is_empty());
        text.unwrap_or_default().trim().chars().take(MOST_LAST_LINE).collect()
    }

    /// What there was to notice since the last call; the latest 32, each once.
    pub fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.terminal.signals)
    }

    /// The numbers of the lines that are kept of those that scrolled off the main screen. Numbers
    /// do not go back, except that a taller screen takes back lines.
    pub fn history(&self) -> Range<u64> {
        self.terminal.history.range()
    }

    /// The bytes of memory that the history takes, to within a small part of it.
    pub fn history_memory(&self) -> usize {
        self.terminal.history.memory()
    }

    /// The bytes of memory that all of it takes, the history included, to within a small part.
    pub fn memory(&self) -> usize {
        size_of::<Screen>() + self.terminal.memory() + self.parser.memory()
    }

    /// Brings a terminal of this size from any state to a known one, for what follows: an empty
    /// main screen, every mode that is tracked reset. The lines above its screen stay.
    pub fn write_prologue(&self, out: &mut Vec<u8>) {
        self.terminal.write_prologue(out);
    }

    /// Prints lines of the history, `from` that number or the first there is, until there are
    /// `budget` bytes of them; at least one, if there is one. Returns the number of the line to go
    /// on with. A terminal wraps long lines itself; the last one may go on in the screen's first
    /// row.
    pub fn write_history(&self, from: u64, budget: usize, out: &mut Vec<u8>) -> u64 {
        self.terminal.write_history(from, budget, out)
    }

    /// Behind the prologue and all lines of the history: prints the screen as their continuation,
    /// so that just they have scrolled off, and brings everything else to where it is here. The
    /// last bytes are those of a sequence or character that is not complete. Where more than 4 MiB
    /// of links would have to be written, the rest of the text has none.
    ///
    /// What no bytes bring about is painted as what looks most like it: a row of nothing but
    /// halves of wide characters, and above a screen of a single row an empty cell that a line
    /// went on behind.
    pub fn write_screen(&self, out: &mut Vec<u8>) {
        self.terminal.write_screen(out);
        self.parser.unfinished(out);
    }

    /// Paints a part of the screen that is shown on a terminal of that size, from its first row
    /// and column on. The cursor is shown if it is within.
    pub fn write_view(&self, left: u16, top: u16, columns: u16, rows: u16, out: &mut Vec<u8>) {
        let from = (usize::from(left), usize::from(top));
        self.terminal.write_view(from, (usize::from(columns), usize::from(rows)), out);
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("columns", &self.terminal.columns)
            .field("rows", &self.terminal.rows)
            .field("history", &self.history())
            .finish_non_exhaustive()
    }
}
