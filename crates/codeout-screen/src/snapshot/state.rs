//! Everything but cells.
//!
//! The order matters: much of it moves the cursor, or changes what printing does. At last the
//! character before the cursor is printed once more, where one that follows may combine with it.

use std::io::Write as _;

use super::painter::{Painter, put};
use crate::charset::Charset;
use crate::grid::{Grid, Saved, usual_tabs};
use crate::modes::{Keyboard, Modes, Mouse};
use crate::osc::FOREGROUND;
use crate::style::Style;
use crate::terminal::Terminal;

const ENTER: &str = "\x1b[?1047h";
const LEAVE: &str = "\x1b[?1047l";

impl Terminal {
    pub(super) fn write_state(&self, painter: &mut Painter<'_>) {
        painter.keyboard(&self.keyboard[0]);
        let other_matters =
            self.alternate.saved != Saved::default() || self.keyboard[1] != Keyboard::default();
        if !self.is_alternate && other_matters {
            put!(painter, "{ENTER}");
            self.write_saved(painter, &self.alternate, true);
            painter.keyboard(&self.keyboard[1]);
            put!(painter, "{LEAVE}");
        }
        self.write_saved(painter, &self.main, false);
        painter.margins(&self.main);
        if self.is_alternate {
            let (x, y) = self.main_cursor;
            put!(painter, "\x1b[{};{}H{ENTER}", y + 1, x + 1);
            self.write_alternate(painter);
        }
        self.write_names(painter);
        self.write_colours(painter);
        let is_charset_back = self.is_charset_back();
        if is_charset_back {
            self.write_charsets(painter);
            // It brings back the saved pen, too.
            put!(painter, "\x1b8\x1b[m");
        }
        self.write_modes(painter);
        self.write_cursor(painter);
        if !is_charset_back {
            self.write_charsets(painter);
        }
        if self.modes.insert {
            put!(painter, "\x1b[4h");
        }
        painter.pen(self.pen);
        self.write_joining(painter);
    }

    fn write_alternate(&self, painter: &mut Painter<'_>) {
        self.write_saved(painter, &self.alternate, true);
        painter.keyboard(&self.keyboard[1]);
        put!(painter, "\x1b[H\x1b[J");
        if self.alternate.rows[0].wrapped {
            // It continues a row that has scrolled off.
            put!(painter, "\x1b[{}G  ", self.columns);
            if self.rows > 1 {
                put!(painter, "\x1b[{}H\n", self.rows);
            }
            put!(painter, "\x1b[H");
        }
        painter.grid(self, &self.alternate);
        painter.margins(&self.alternate);
    }

    /// Saves a cursor as it was saved, on the screen that is shown.
    fn write_saved(&self, painter: &mut Painter<'_>, grid: &Grid, is_alternate: bool) {
        let saved = grid.saved;
        if saved == Saved::default() {
            return;
        }
        self.write_position(painter, (saved.x, saved.y), is_alternate);
        put!(painter, "\x1b({}", char::from(saved.charset.letter()));
        painter.pen(saved.pen);
        put!(painter, "\x1b7\x1b(B");
        painter.pen(Style::default());
    }

    /// Moves the cursor; behind the last column by printing, on the other screen where nothing is
    /// to be printed over on this one.
    fn write_position(&self, painter: &mut Painter<'_>, at: (usize, usize), is_alternate: bool) {
        let (x, y) = (at.0 + 1, at.1 + 1);
        if x <= self.columns {
            put!(painter, "\x1b[{y};{x}H");
        } else if is_alternate {
            put!(painter, "\x1b[{y};{}H ", self.columns);
        } else {
            put!(painter, "{ENTER}\x1b[{y};{}H {LEAVE}", self.columns);
        }
    }

    fn write_names(&self, painter: &mut Painter<'_>) {
        for title in &self.titles {
            put!(painter, "\x1b]2;{title}\x1b\\\x1b[22;2t");
        }
        for icon in &self.icons {
            put!(painter, "\x1b]1;{icon}\x1b\\\x1b[22;1t");
        }
        put!(painter, "\x1b]2;{}\x1b\\\x1b]1;{}\x1b\\", self.title, self.icon);
    }

    fn write_colours(&self, painter: &mut Painter<'_>) {
        for (index, [red, green, blue]) in &self.colours {
            match index.checked_sub(FOREGROUND) {
                None => put!(painter, "\x1b]4;{index};"),
                Some(special) => put!(painter, "\x1b]{};", special + 10),
            }
            put!(painter, "rgb:{red:02x}/{green:02x}/{blue:02x}\x1b\\");
        }
    }

    fn write_charsets(&self, painter: &mut Painter<'_>) {
        for (slot, charset) in ['(', ')', '*', '+'].into_iter().zip(self.charsets) {
            if charset != Charset::Ascii {
                put!(painter, "\x1b{slot}{}", char::from(charset.letter()));
            }
        }
        put!(painter, "{}", ["", "\x0e", "\x1bn", "\x1bo"][self.level]);
    }

    /// All but the insert mode, which comes after the last printing that it would disturb.
    fn write_modes(&self, painter: &mut Painter<'_>) {
        let mut modes = self.modes.clone();
        let mut usual = Modes::default();
        for ((number, on), (_, before)) in modes.switches().into_iter().zip(usual.switches()) {
            if on != before {
                put!(painter, "\x1b[?{number}{}", if *on { 'h' } else { 'l' });
            }
        }
        if let Mouse::On(mode) = modes.mouse {
            put!(painter, "\x1b[?{mode}h");
        }
        if modes.encoding != 0 {
            put!(painter, "\x1b[?{}h", modes.encoding);
        }
        if modes.newline {
            put!(painter, "\x1b[20h");
        }
        if modes.shape != 0 {
            put!(painter, "\x1b[{} q", modes.shape);
        }
        if modes.synchronized {
            put!(painter, "\x1b[?2026h");
        }
        if modes.origin {
            put!(painter, "\x1b[?6h");
        }
    }

    /// The row as it is counted now: from the top margin in origin mode.
    fn counted(&self, y: usize) -> usize {
        if self.modes.origin { y.saturating_sub(self.grid().top) } else { y }
    }

    fn write_cursor(&self, painter: &mut Painter<'_>) {
        let y = self.counted(self.y) + 1;
        if self.x < self.columns {
            put!(painter, "\x1b[{y};{}H", self.x + 1);
            return;
        }
        if !self.is_alternate && !self.is_charset_back() {
            // On the other screen rows are counted from the first: it has no margins.
            self.write_position(painter, (self.x, self.y), false);
            return;
        }
        let is_spacer = self.row().get(self.columns - 1).is_spacer();
        let x = self.columns - if is_spacer { 2 } else { 1 };
        put!(painter, "\x1b[{y};{}H", x + 1);
        painter.pen(self.styles.get(self.row().get(x).style));
        let charset = if self.is_charset_back() { self.charset } else { Charset::Ascii };
        self.write_cell(painter, x, charset);
        // What comes is not to combine with it.
        put!(painter, "\x1b[4l");
    }

    /// Prints a cell of the cursor's row once more, with that set in use.
    fn write_cell(&self, painter: &mut Painter<'_>, x: usize, charset: Charset) {
        let text = self.cell_text(self.row().get(x));
        let mut chars = text.chars();
        if let Some(first) = chars.next() {
            let typed = charset.typed(first).map_or(first, char::from);
            put!(painter, "{typed}{}", chars.as_str());
        }
    }

    fn write_joining(&self, painter: &mut Painter<'_>) {
        let width = usize::from(self.joins);
        let Some(x) = self.x.checked_sub(width) else { return };
        if width == 0 || self.cell_text(self.row().get(x)).is_empty() {
            return;
        }
        put!(painter, "\x1b[{};{}H", self.counted(self.y) + 1, x + 1);
        if self.modes.insert {
            // Inserting it moves the rest to where it is now.
            put!(painter, "\x1b[{width}P");
        }
        self.write_cell(painter, x, self.charset);
    }
}

impl Painter<'_> {
    /// Brings up the stack from an empty one.
    fn keyboard(&mut self, keyboard: &Keyboard) {
        let Some((first, rest)) = keyboard.stack.split_first() else {
            if keyboard.flags != 0 {
                put!(self, "\x1b[={};1u", keyboard.flags);
            }
            return;
        };
        put!(self, "\x1b[={first};1u");
        for flags in rest.iter().chain([&keyboard.flags]) {
            put!(self, "\x1b[>{flags}u");
        }
    }

    /// Tab stops, where they are not the usual ones, and then the margins.
    fn margins(&mut self, grid: &Grid) {
        if grid.tabs != usual_tabs(grid.tabs.len()) {
            put!(self, "\x1b[3g");
            self.tabs(&grid.tabs);
        }
        if !grid.is_whole() {
            put!(self, "\x1b[{};{}r", grid.top + 1, grid.bottom + 1);
        }
    }

    pub(super) fn tabs(&mut self, tabs: &[bool]) {
        for (x, _) in tabs.iter().enumerate().filter(|(_, stops)| **stops) {
            put!(self, "\x1b[{}G\x1bH", x + 1);
        }
    }
}
