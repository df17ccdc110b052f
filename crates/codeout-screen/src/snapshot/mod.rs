//! Bytes that bring another terminal to the state of this one.

mod line;
mod painter;
mod state;

use std::io::Write as _;

use crate::grid::Grid;
use crate::history;
use crate::style::{Links, Style};
use crate::terminal::{MOST_TITLES, Terminal};
use line::Line;
use painter::{Painter, put};

/// Ends what is unfinished; main screen, everything that we track reset on both screens.
const RESET: &str = concat!(
    "\x18\x1b\\",
    "\x1b[?1047h\x1b[!p\x1b[?6l\x1b[H\x1b[J\x1b[<99u\x1b[=0;1u",
    "\x1b[?1047l\x1b[!p\x1b[<99u\x1b[=0;1u",
    // A few at a time: tmux drops a sequence of more than 64 bytes.
    "\x1b[?1;5;6;9;12;45;66l\x1b[?1000;1002;1003;1004;1005;1006;1015;1016l",
    "\x1b[?2004;2026;2031;2048l",
    "\x1b[?7;25h\x1b[4;20l\x1b>\x1b[0 q",
    "\x1b[m\x1b[0\"q\x1b]8;;\x1b\\",
    "\x1b(B\x1b)B\x1b*B\x1b+B\x0f",
    "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\",
    // From its end: tmux moves a screen that is cleared from its beginning to what has scrolled off.
    "\x1b[r\x1b[9999;9999H\x1b[1J\x1b[H\x1b[3g",
);

impl Terminal {
    pub(crate) fn write_prologue(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(RESET.as_bytes());
        // Nothing else empties the stacks of titles.
        out.extend_from_slice("\x1b[23;0t".repeat(MOST_TITLES).as_bytes());
        let links = Links::default();
        let mut painter = Painter::new(out, &links, self.columns, self.rows);
        painter.tabs(&crate::grid::usual_tabs(self.columns));
        put!(painter, "\x1b[H");
    }

    pub(crate) fn write_history(&self, from: u64, budget: usize, out: &mut Vec<u8>) -> u64 {
        let begin = out.len();
        let mut number = from.max(self.history.range().start);
        // Where lines were dropped since the last call, the first one here is none of its row's.
        let mut is_behind_gap = from != 0 && from != number;
        let mut painter = Painter::new(out, &self.links, self.columns, self.rows);
        while let Some(line) = self.history.line(number) {
            number += 1;
            let next = self.history.line(number);
            let goes_on = next.map_or(self.main.rows[0].wrapped, history::is_wrapped);
            let is_behind_gap = std::mem::take(&mut is_behind_gap);
            match history::plain_text(line) {
                Some(text) if !goes_on || text.len() >= self.columns => {
                    painter.plain_line(text, goes_on);
                }
                _ => {
                    let mut line = Line::unpack(line);
                    line.wrapped |= is_behind_gap;
                    painter.line(&line, Some(goes_on));
                }
            }
            if painter.out.len() - begin >= budget {
                break;
            }
        }
        painter.pen(Style::default());
        number
    }

    /// Everything but what the parser has not finished.
    pub(crate) fn write_screen(&self, out: &mut Vec<u8>) {
        let mut painter = Painter::new(out, &self.links, self.columns, self.rows);
        if !self.main.rows[0].wrapped {
            // It may have been when the history was written.
            put!(painter, "\x1b[K");
        }
        painter.grid(self, &self.main);
        self.write_state(&mut painter);
    }

    pub(crate) fn write_view(
        &self,
        (left, top): (usize, usize),
        (columns, rows): (usize, usize),
        out: &mut Vec<u8>,
    ) {
        let mut painter = Painter::new(out, &self.links, columns, rows);
        put!(painter, "\x1b[m");
        for y in 0..rows {
            put!(painter, "\x1b[{}H\x1b[2K", y + 1);
            if let Some(row) = self.grid().rows.get(top + y) {
                let line = Line::of_row(self, row).crop(left, left + columns);
                painter.cells(&line, vec![]);
                painter.pen(Style::default());
            }
        }
        let x = self.x.min(self.columns - 1).checked_sub(left).filter(|x| *x < columns);
        let y = self.y.checked_sub(top).filter(|y| *y < rows);
        match (x, y) {
            (Some(x), Some(y)) if self.modes.visible => {
                put!(painter, "\x1b[{};{}H\x1b[?25h", y + 1, x + 1);
            }
            _ => put!(painter, "\x1b[?25l"),
        }
    }
}

impl Painter<'_> {
    /// Paints all rows from the one on that the cursor is at the beginning of.
    fn grid(&mut self, terminal: &Terminal, grid: &Grid) {
        for (y, row) in grid.rows.iter().enumerate() {
            let next = grid.rows.get(y + 1).map(|next| next.wrapped);
            self.line(&Line::of_row(terminal, row), next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_plain_line_is_painted_as_any_other(
            text in "[ -~]{1,12}",
            wrapped: bool,
            goes_on: bool,
            flags in 0..8u16,
        ) {
            let packed = [b"\0", text.as_bytes()].concat();
            let text = history::plain_text(&packed).unwrap();
            let before = Style { flags, ..Style::default() };
            let mut line = Line::unpack(&packed);
            line.wrapped = wrapped;
            let (mut quick, mut slow, links) = (Vec::new(), Vec::new(), Links::default());
            // A line that goes on fills its row.
            for columns in [text.len(), text.len() + 3 * usize::from(!goes_on)] {
                let mut painter = Painter::new(&mut quick, &links, columns, 5);
                painter.pen(before);
                painter.plain_line(text, goes_on);
                let mut painter = Painter::new(&mut slow, &links, columns, 5);
                painter.pen(before);
                painter.line(&line, Some(goes_on));
                prop_assert_eq!(&quick, &slow);
            }
        }
    }
}
