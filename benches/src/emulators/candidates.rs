//! The emulators, each with 10,000 lines of history.

use std::num::NonZeroU16;

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::vte::ansi::Processor;
use codeout_screen::{HistoryLimits, Screen};

const HISTORY: usize = 10_000;

pub(crate) trait Emulator {
    fn feed(&mut self, bytes: &[u8]);

    /// Column and row, from 0.
    fn cursor(&self) -> (u16, u16);

    /// The rows of the screen that is shown, without blanks at their ends.
    fn text(&self) -> Vec<String>;
}

pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) make: fn(u16, u16) -> Box<dyn Emulator>,
}

/// Ours is the first, and alacritty's, which is the one to beat, the second.
pub(crate) const ALL: [Candidate; 4] = [
    Candidate { name: "codeout-screen", make: |columns, rows| Box::new(ours(columns, rows)) },
    Candidate {
        name: "alacritty_terminal",
        make: |columns, rows| Box::new(Alacritty::new(columns, rows)),
    },
    Candidate { name: "avt", make: |columns, rows| Box::new(Avt::new(columns, rows)) },
    Candidate { name: "vt100", make: |columns, rows| Box::new(vt100(columns, rows)) },
];

fn trimmed(row: String) -> String {
    row.trim_end().to_owned()
}

fn ours(columns: u16, rows: u16) -> Screen {
    Screen::new(columns, rows, HistoryLimits { lines: HISTORY, bytes: 64 << 20 })
}

impl Emulator for Screen {
    fn feed(&mut self, bytes: &[u8]) {
        self.feed(bytes);
    }

    fn cursor(&self) -> (u16, u16) {
        self.cursor()
    }

    fn text(&self) -> Vec<String> {
        let row = |y| {
            let mut row = Vec::new();
            self.write_view(0, y, self.columns(), 1, &mut row);
            let mut plain = avt::Terminal::new(self.columns().into(), 1).expect("it has sides");
            plain.feed(&*String::from_utf8(row).expect("text"));
            trimmed(plain.screen().text().join(""))
        };
        (0..self.rows()).map(row).collect()
    }
}

struct Alacritty {
    term: Term<VoidListener>,
    parser: Processor,
}

struct Size(u16, u16);

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        self.1.into()
    }

    fn columns(&self) -> usize {
        self.0.into()
    }
}

impl Alacritty {
    fn new(columns: u16, rows: u16) -> Alacritty {
        let config = Config { scrolling_history: HISTORY, ..Config::default() };
        let term = Term::new(config, &Size(columns, rows), VoidListener);
        Alacritty { term, parser: Processor::new() }
    }
}

impl Emulator for Alacritty {
    fn feed(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.term, bytes);
    }

    fn cursor(&self) -> (u16, u16) {
        let at = self.term.grid().cursor.point;
        (at.column.0 as u16, at.line.0 as u16)
    }

    fn text(&self) -> Vec<String> {
        let grid = self.term.grid();
        let row = |y: usize| {
            let mut text = String::new();
            for x in 0..grid.columns() {
                let cell = &grid[Line(y as i32)][Column(x)];
                if !cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER)
                {
                    text.push(if cell.c == '\t' { ' ' } else { cell.c });
                    text.extend(cell.zerowidth().unwrap_or_default());
                }
            }
            trimmed(text)
        };
        (0..grid.screen_lines()).map(row).collect()
    }
}

struct Avt {
    terminal: avt::Terminal,
    /// Bytes of a character that is not complete.
    held: Vec<u8>,
}

impl Avt {
    fn new(columns: u16, rows: u16) -> Avt {
        let terminal = avt::Terminal::with_scrollback(columns.into(), rows.into(), Some(HISTORY));
        Avt { terminal: terminal.expect("it has sides"), held: Vec::new() }
    }
}

impl Emulator for Avt {
    /// It takes text.
    fn feed(&mut self, bytes: &[u8]) {
        let joined;
        let mut bytes = bytes;
        if !self.held.is_empty() {
            joined = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
            bytes = &joined;
        }
        for part in bytes.utf8_chunks() {
            self.terminal.feed(part.valid());
        }
        if let Some(last) = bytes.utf8_chunks().last().filter(|last| last.invalid().len() < 4) {
            self.held = last.invalid().to_vec();
        }
    }

    fn cursor(&self) -> (u16, u16) {
        let cursor = self.terminal.cursor();
        (cursor.col as u16, cursor.row as u16)
    }

    fn text(&self) -> Vec<String> {
        self.terminal.screen().visible_lines().map(|line| trimmed(line.text())).collect()
    }
}

fn vt100(columns: u16, rows: u16) -> vt100::Parser {
    let side = |length| NonZeroU16::new(length).expect("it has sides");
    vt100::Parser::new(side(rows), side(columns), HISTORY)
}

impl Emulator for vt100::Parser {
    fn feed(&mut self, bytes: &[u8]) {
        self.process(bytes);
    }

    fn cursor(&self) -> (u16, u16) {
        let (row, column) = self.screen().cursor_position();
        (column, row)
    }

    fn text(&self) -> Vec<String> {
        let columns = self.screen().size().1;
        self.screen().rows(0, columns.get()).map(trimmed).collect()
    }
}
