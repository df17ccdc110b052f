//! Printing characters.

use crate::cell::{Cell, Row};
use crate::charset::Charset;
use crate::terminal::Terminal;
use crate::width::width;

/// REP repeats no more often, so that a few bytes do not make work for long.
const MOST_REPETITIONS: usize = 1 << 14;

impl Terminal {
    pub(crate) fn put_ascii(&mut self, bytes: &[u8]) {
        if self.charset != Charset::Ascii || self.modes.insert {
            let charset = self.charset;
            bytes.iter().for_each(|byte| self.put(charset.shows(*byte)));
            return;
        }
        let ink = self.ink();
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.x == self.columns {
                if self.modes.autowrap {
                    self.wrap(ink);
                } else {
                    // All but the last are overwritten at once.
                    self.x -= 1;
                    rest = &rest[rest.len() - 1..];
                }
            }
            let x = self.x;
            let fits = rest.len().min(self.columns - x);
            let (now, later) = rest.split_at(fits);
            self.row_mut().write_ascii(x, now, ink);
            self.x += fits;
            rest = later;
        }
        self.joins = 1;
    }

    pub(crate) fn put(&mut self, c: char) {
        let wide = width(c);
        if wide == 0 && self.joins > 0 {
            self.join(c);
            return;
        }
        let ink = self.ink();
        let end = self.x + usize::from(wide);
        if wide > 0 && end <= self.columns && !self.modes.insert {
            let x = self.x;
            self.row_mut().write(x, Cell::character(c, wide, ink));
            self.x = end;
            self.joins = wide;
            return;
        }
        let (x, columns) = (self.x, self.columns);
        self.row_mut().mend_left(x, ink);
        if self.x + usize::from(wide.max(1)) > columns {
            if wide == 0 || usize::from(wide) > columns {
                self.joins = 0;
                return;
            }
            if self.modes.autowrap {
                self.wrap(ink);
            } else {
                self.x = columns - 1;
                if wide == 2 {
                    if x < columns {
                        self.row_mut().mend_right(x, ink);
                    }
                    self.joins = 0;
                    return;
                }
            }
        }
        let (x, insert) = (self.x, self.modes.insert);
        let row = self.row_mut();
        row.mend_left(x, ink);
        if insert {
            row.insert(x, usize::from(wide), Cell::empty(ink), columns);
        }
        row.set(x, Cell::character(c, wide, ink));
        if wide == 2 {
            row.set(x + 1, Cell::spacer(ink));
        }
        self.x += usize::from(wide.max(1));
        let x = self.x;
        self.row_mut().mend_right(x, ink);
        self.joins = wide;
    }

    /// Goes on in the next row, which continues this one.
    fn wrap(&mut self, ink: u32) {
        let (x, columns) = (self.x, self.columns);
        for x in x..columns {
            self.row_mut().set(x, Cell::empty(ink));
        }
        self.x = 0;
        if self.y == self.grid().bottom {
            self.scroll(true);
        } else {
            self.y = (self.y + 1).min(self.rows - 1);
            self.row_mut().wrapped = true;
            self.mend_first_row();
        }
    }

    /// Combines `c` with the character just printed.
    fn join(&mut self, c: char) {
        let Some(x) = self.x.checked_sub(usize::from(self.joins)) else { return };
        let cell = self.row().get(x);
        if let Some(number) = cell.grapheme() {
            self.graphemes.append(number, c);
        } else if let Some(first) = cell.single() {
            let number = self.graphemes.add(String::from_iter([first, c]));
            self.row_mut().set(x, cell.combined(number));
        }
    }

    /// REP.
    pub(crate) fn repeat(&mut self, count: usize) {
        if self.joins == 0 {
            return;
        }
        let Some(x) = self.x.checked_sub(usize::from(self.joins)) else { return };
        let text = self.cell_text(self.row().get(x)).repeat(count.min(MOST_REPETITIONS));
        if text.is_ascii() {
            self.put_ascii(text.as_bytes());
            return;
        }
        for c in text.chars() {
            match u8::try_from(c) {
                Ok(byte @ b' '..=b'~') => self.put(self.charset.shows(byte)),
                _ => self.put(c),
            }
        }
    }

    pub(crate) fn cell_text(&self, cell: Cell) -> String {
        match (cell.grapheme(), cell.single()) {
            (Some(number), _) => self.graphemes.get(number).to_owned(),
            (None, Some(c)) => String::from(c),
            (None, None) => String::new(),
        }
    }

    /// A row's characters, with a space for each empty cell and none at the end.
    pub(crate) fn row_text(&self, row: &Row) -> String {
        let mut text = String::new();
        for cell in row.cells().iter().filter(|cell| !cell.is_spacer()) {
            match (cell.grapheme(), cell.single()) {
                (Some(number), _) => text.push_str(self.graphemes.get(number)),
                (None, c) => text.push(c.unwrap_or(' ')),
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}
