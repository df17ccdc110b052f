//! A row to be painted, of a screen or out of the history.

use crate::cell::Row;
use crate::history;
use crate::style::Style;
use crate::terminal::Terminal;

/// One column of a line.
#[derive(Clone, Copy)]
pub(super) struct Glyph {
    /// Its characters end there in the text; they begin where those of the column before end.
    end: usize,
    pub(super) width: u8,
    pub(super) style: Style,
    pub(super) is_spacer: bool,
}

/// Columns that are not stored are empty.
#[derive(Default)]
pub(super) struct Line {
    text: String,
    glyphs: Vec<Glyph>,
    /// Whether any of them is odd.
    has_odd: bool,
    pub(super) wrapped: bool,
}

impl Line {
    pub(super) fn of_row(terminal: &Terminal, row: &Row) -> Line {
        let mut line = Line { wrapped: row.wrapped, ..Line::default() };
        for cell in row.cells() {
            if let Some(number) = cell.grapheme() {
                line.text.push_str(terminal.graphemes.get(number));
            } else if let Some(c) = cell.single() {
                line.text.push(c);
            }
            let style = terminal.styles.get(cell.style);
            line.push(cell.width(), style, cell.is_spacer());
        }
        line
    }

    pub(super) fn unpack(packed: &[u8]) -> Line {
        let mut line = Line { wrapped: history::is_wrapped(packed), ..Line::default() };
        history::each_cell(packed, |text, width, style| {
            line.text.push_str(text);
            line.push(width, style, false);
            if width == 2 {
                line.push(0, style, true);
            }
        });
        line
    }

    fn push(&mut self, width: u8, style: Style, is_spacer: bool) {
        let begin = self.glyphs.last().map_or(0, |glyph| glyph.end);
        let is_empty = !is_spacer && begin == self.text.len();
        self.has_odd |= is_empty && style != style.erased();
        self.glyphs.push(Glyph { end: self.text.len(), width, style, is_spacer });
    }

    /// The columns `from..to`, as a line of its own. Halves of wide characters are empty.
    pub(super) fn crop(&self, from: usize, to: usize) -> Line {
        let mut line = Line::default();
        for x in from..to.min(self.glyphs.len()) {
            let glyph = self.get(x);
            let is_half = glyph.width == 2 && x + 1 == to || glyph.is_spacer && x == from;
            if is_half {
                line.push(1, glyph.style, false);
            } else {
                line.text.push_str(self.text(x));
                line.push(glyph.width, glyph.style, glyph.is_spacer);
            }
        }
        line
    }

    pub(super) fn get(&self, x: usize) -> Glyph {
        let nothing = Glyph { end: 0, width: 1, style: Style::default(), is_spacer: false };
        self.glyphs.get(x).copied().unwrap_or(nothing)
    }

    pub(super) fn text(&self, x: usize) -> &str {
        let Some(glyph) = self.glyphs.get(x) else { return "" };
        let start = if x == 0 { 0 } else { self.glyphs[x - 1].end };
        &self.text[start..glyph.end]
    }

    /// Whether nothing was printed there, or it was erased.
    pub(super) fn is_empty(&self, x: usize) -> bool {
        !self.get(x).is_spacer && self.text(x).is_empty()
    }

    /// Whether it is empty, but of a style that no erasing leaves.
    pub(super) fn is_odd(&self, x: usize) -> bool {
        let style = self.get(x).style;
        self.has_odd && self.is_empty(x) && style != style.erased()
    }

    /// The column behind the last one that is not plainly empty.
    pub(super) fn end(&self) -> usize {
        let is_plain = |x: &usize| self.is_empty(*x) && self.get(*x).style == Style::default();
        (0..self.glyphs.len()).rev().find(|x| !is_plain(x)).map_or(0, |x| x + 1)
    }
}
