//! The terminal's state, and the movements that its sequences are made of.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::Signal;
use crate::cell::{Cell, Row};
use crate::charset::Charset;
use crate::grid::{Grid, Saved};
use crate::history::{History, HistoryLimits};
use crate::modes::{Keyboard, Modes};
use crate::style::{Graphemes, Links, Style, Styles};

/// The most titles on a stack of them.
pub(crate) const MOST_TITLES: usize = 10;
/// The most signals that wait.
const MOST_SIGNALS: usize = 32;

pub(crate) struct Terminal {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) main: Grid,
    pub(crate) alternate: Grid,
    pub(crate) is_alternate: bool,
    /// The column; `columns` when the next character goes to the next row.
    pub(crate) x: usize,
    pub(crate) y: usize,
    /// Where the cursor was on the main screen when the other one came.
    pub(crate) main_cursor: (usize, usize),
    pub(crate) pen: Style,
    /// The number of the pen's style, once it was needed.
    ink: Option<u32>,
    /// That of what the pen leaves when it erases.
    erased: Option<u32>,
    pub(crate) charsets: [Charset; 4],
    pub(crate) level: usize,
    /// That of `level`, except behind a DECRC: that brings back a set without selecting it.
    pub(crate) charset: Charset,
    pub(crate) modes: Modes,
    pub(crate) keyboard: [Keyboard; 2],
    /// The width of the character just printed, for those that combine with it; 0 when something
    /// else has come since.
    pub(crate) joins: u8,
    pub(crate) title: String,
    pub(crate) icon: String,
    pub(crate) titles: VecDeque<String>,
    pub(crate) icons: VecDeque<String>,
    /// Palette entries that were changed; 256 to 258 are foreground, background and cursor.
    pub(crate) colours: BTreeMap<u16, [u8; 3]>,
    pub(crate) styles: Styles,
    pub(crate) links: Links,
    pub(crate) graphemes: Graphemes,
    pub(crate) history: History,
    pub(crate) signals: Vec<Signal>,
    /// A notification whose parts have not all come: its number, title and text.
    pub(crate) notification: Option<(String, String, String)>,
}

impl Terminal {
    pub(crate) fn new(columns: usize, rows: usize, limits: HistoryLimits) -> Terminal {
        Terminal {
            columns,
            rows,
            main: Grid::new(columns, rows),
            alternate: Grid::new(columns, rows),
            is_alternate: false,
            x: 0,
            y: 0,
            main_cursor: (0, 0),
            pen: Style::default(),
            ink: None,
            erased: None,
            charsets: [Charset::Ascii; 4],
            level: 0,
            charset: Charset::Ascii,
            modes: Modes::default(),
            keyboard: Default::default(),
            joins: 0,
            title: String::new(),
            icon: String::new(),
            titles: VecDeque::new(),
            icons: VecDeque::new(),
            colours: BTreeMap::new(),
            styles: Styles::default(),
            links: Links::default(),
            graphemes: Graphemes::default(),
            history: History::new(limits),
            signals: Vec::new(),
            notification: None,
        }
    }

    /// The bytes of memory behind pointers, but for what is always small.
    pub(crate) fn memory(&self) -> usize {
        let tables = self.styles.memory() + self.links.memory() + self.graphemes.memory();
        self.main.memory() + self.alternate.memory() + tables + self.history.memory()
    }

    pub(crate) fn grid(&self) -> &Grid {
        if self.is_alternate { &self.alternate } else { &self.main }
    }

    pub(crate) fn grid_mut(&mut self) -> &mut Grid {
        if self.is_alternate { &mut self.alternate } else { &mut self.main }
    }

    pub(crate) fn row(&self) -> &Row {
        &self.grid().rows[self.y]
    }

    pub(crate) fn row_mut(&mut self) -> &mut Row {
        let y = self.y;
        &mut self.grid_mut().rows[y]
    }

    /// For changing the pen: the numbers of its styles are looked up again.
    pub(crate) fn pen_mut(&mut self) -> &mut Style {
        self.forget_numbers();
        &mut self.pen
    }

    fn forget_numbers(&mut self) {
        self.ink = None;
        self.erased = None;
    }

    /// The number of the style that the pen prints with.
    pub(crate) fn ink(&mut self) -> u32 {
        let (pen, styles) = (self.pen, &mut self.styles);
        *self.ink.get_or_insert_with(|| styles.number(pen.printed()))
    }

    /// The cell that the pen leaves when it erases: the background only.
    pub(crate) fn blank(&mut self) -> Cell {
        let (pen, styles) = (self.pen, &mut self.styles);
        Cell::empty(*self.erased.get_or_insert_with(|| styles.number(pen.erased())))
    }

    /// Moves the scrolling rows up by one. Those that leave the main screen go to the history.
    pub(crate) fn scroll(&mut self, wrapped: bool) {
        let fill = self.blank();
        let columns = self.columns;
        let (top, bottom) = (self.grid().top, self.grid().bottom);
        if !self.is_alternate && top == 0 {
            self.history.push(&self.main.rows[0], &self.styles, &self.graphemes);
        }
        let grid = self.grid_mut();
        grid.up(top, bottom, 1, fill, columns);
        grid.rows[bottom].wrapped = wrapped;
        self.mend_first_row();
    }

    /// Without a line above it, the main screen's first row continues none.
    pub(crate) fn mend_first_row(&mut self) {
        if self.history.is_empty() {
            self.main.rows[0].wrapped = false;
        }
    }

    /// Brings the cursor into the screen, or in origin mode the margins; off the place behind the
    /// last column, too, unless it may stay.
    pub(crate) fn restrict(&mut self, behind_last: bool) {
        self.x = self.x.min(if behind_last { self.columns } else { self.columns - 1 });
        self.y = if self.modes.origin {
            self.y.clamp(self.grid().top, self.grid().bottom)
        } else {
            self.y.min(self.rows - 1)
        };
    }

    /// In origin mode rows are counted from the top margin.
    pub(crate) fn go(&mut self, x: usize, y: usize) {
        let top = if self.modes.origin { self.grid().top } else { 0 };
        self.x = x;
        self.y = y.saturating_add(top);
        self.restrict(false);
    }

    /// As xterm.js does it: in origin mode the top margin is added to where the cursor is.
    pub(crate) fn go_by(&mut self, right: isize, down: isize) {
        self.restrict(false);
        let x = self.x.saturating_add_signed(right);
        let top = if self.modes.origin { self.grid().top } else { 0 };
        self.x = x;
        self.y = (self.y + top).saturating_add_signed(down);
        self.restrict(false);
    }

    /// One row down, scrolling at the bottom margin. Whether the cursor moved.
    pub(crate) fn index(&mut self) -> bool {
        if self.y == self.grid().bottom {
            self.scroll(false);
            return false;
        }
        let moves = self.y + 1 < self.rows;
        self.y += usize::from(moves);
        moves
    }

    pub(crate) fn line_feed(&mut self) {
        if self.modes.newline {
            self.x = 0;
        }
        if self.index() {
            self.row_mut().wrapped = false;
        }
        self.x = self.x.min(self.columns - 1);
    }

    pub(crate) fn save_cursor(&mut self) {
        let mut pen = Style { link: 0, underline_colour: Default::default(), ..self.pen };
        pen.set_underline(pen.underline().min(1));
        let saved = Saved { x: self.x, y: self.y, pen, charset: self.charset };
        self.grid_mut().saved = saved;
    }

    /// The set that was saved is used again, but not selected. A link and the kind of an
    /// underline are the pen's own.
    pub(crate) fn restore_cursor(&mut self) {
        let Saved { x, y, pen, charset } = self.grid().saved;
        (self.x, self.y) = (x, y);
        let Style { link, underline_colour, .. } = self.pen;
        let underline = if pen.underline() == 0 { 0 } else { self.pen.underline().max(1) };
        *self.pen_mut() = Style { link, underline_colour, ..pen };
        self.pen.set_underline(underline);
        self.charset = charset;
        self.restrict(false);
    }

    pub(crate) fn enter_alternate(&mut self) {
        if self.is_alternate {
            return;
        }
        let fill = self.blank();
        self.main_cursor = (self.x.min(self.columns - 1), self.y);
        self.is_alternate = true;
        self.alternate.fill(fill, self.columns);
        self.settle();
    }

    pub(crate) fn leave_alternate(&mut self) {
        if !self.is_alternate {
            return;
        }
        self.is_alternate = false;
        self.alternate.clear(self.columns, self.rows);
        self.settle();
    }

    /// Behind a change of screens: what belonged to the other one alone does not stay.
    fn settle(&mut self) {
        self.charset = self.charsets[self.level];
        self.mend_pending();
        self.restrict(true);
    }

    /// Whether the set in use is one that DECRC brought back.
    pub(crate) fn is_charset_back(&self) -> bool {
        self.charset != self.charsets[self.level]
    }

    /// Where a snapshot can only print the last cell once more to bring the cursor behind it, the
    /// cursor waits there only for a cell with which that can be done.
    pub(crate) fn mend_pending(&mut self) {
        if self.x < self.columns || !(self.is_alternate || self.is_charset_back()) {
            return;
        }
        let last = self.row().get(self.columns - 1);
        let last = if last.is_spacer() && self.columns > 1 {
            self.row().get(self.columns - 2)
        } else {
            last
        };
        let first = self.cell_text(last).chars().next();
        let is_printable = first.is_some_and(|first| {
            !self.is_charset_back() || !first.is_ascii() || self.charset.typed(first).is_some()
        });
        if !is_printable {
            self.x = self.columns - 1;
        }
    }

    /// Everything but titles, colours and the newline mode, which xterm.js keeps.
    pub(crate) fn reset(&mut self) {
        self.history.clear();
        self.is_alternate = false;
        for grid in [&mut self.main, &mut self.alternate] {
            grid.clear(self.columns, self.rows);
            grid.saved = Saved::default();
        }
        (self.x, self.y) = (0, 0);
        *self.pen_mut() = Style::default();
        self.select_ascii();
        let Modes { newline, blink, .. } = self.modes;
        self.modes = Modes { newline, blink, ..Modes::default() };
        self.keyboard = Default::default();
    }

    pub(crate) fn select_ascii(&mut self) {
        self.charsets = [Charset::Ascii; 4];
        self.level = 0;
        self.charset = Charset::Ascii;
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if !self.signals.contains(&signal) {
            if self.signals.len() == MOST_SIGNALS {
                self.signals.remove(0);
            }
            self.signals.push(signal);
        }
    }

    /// Forgets what no cell refers to, where a table has grown.
    pub(crate) fn sweep(&mut self) {
        for row in self.main.rows.iter().chain(&self.alternate.rows) {
            debug_assert!(row.cells().len() <= self.columns);
        }
        if self.graphemes.is_full() {
            let mut used = vec![false; self.graphemes.numbers()];
            self.each_cell(|cell| {
                if let Some(number) = cell.grapheme() {
                    used[number as usize] = true;
                }
            });
            self.graphemes.sweep(&used);
        }
        if self.styles.is_full() || self.links.is_full() {
            let mut used = vec![false; self.styles.numbers()];
            self.each_cell(|cell| used[cell.style as usize] = true);
            self.styles.sweep(&used);
            self.forget_numbers();
        }
        if self.links.is_full() {
            let mut used: HashSet<u32> = self.styles.live().map(|style| style.link).collect();
            used.insert(self.pen.link);
            self.history.styles(|style| {
                used.insert(style.link);
            });
            self.links.sweep(&used);
        }
    }

    fn each_cell(&self, mut see: impl FnMut(Cell)) {
        for row in self.main.rows.iter().chain(&self.alternate.rows) {
            row.cells().iter().for_each(|cell| see(*cell));
        }
    }
}
