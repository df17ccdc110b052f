//! Bytes that bring another terminal to the state of this one.

mod line;
mod painter;
mod state;

use std::io::Write as _;

use crate::grid::Grid;
use crate::history;
use crate::style::{Links, Style};
use crate::terminal::Terminal;
use line::Line;
use painter::{Painter, put};

/// Ends what is unfinished; main screen, everything that we track reset on both screens.
const RESET: &str = concat!(
    "\x18\x1b\\",
    "\x1b[?1047h\x1b[!p\x1b[?6l\x1b[H\x1b[J\x1b[<99u\x1b[=0;1u",
    "\x1b[?1047l\x1b[!p\x1b[<99u\x1b[=0;1u",
    "\x1b[?1;5;6;9;12;45;66;1000;1002;1003;1004;1005;1006;1015;1016;2004;2026;2031;2048l",
    "\x1b[?7;25h\x1b[4;20l\x1b>\x1b[0 q",
    "\x1b[m\x1b[0\"q\x1b]8;;\x1b\\",
    "\x1b(B\x1b)B\x1b*B\x1b+B\x0f",
    "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\",
    "\x1b[r\x1b[H\x1b[J\x1b[3g",
);

impl Terminal {
    pub(crate) fn write_prologue(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(RESET.as_bytes());
        let links = Links::default();
        let mut painter = Painter::new(out, &links, self.columns, self.rows);
        painter.tabs(&crate::grid::usual_tabs(self.columns));
        put!(painter, "\x1b[H");
    }

    pub(crate) fn write_history(&self, from: u64, budget: usize, out: &mut Vec<u8>) -> u64 {
        let begin = out.len();
        let mut number = from.max(self.history.range().start);
        let mut painter = Painter::new(out, &self.links, self.columns, self.rows);
        while let Some(line) = self.history.line(number) {
            number += 1;
            let next = self.history.line(number);
            let goes_on = next.map_or(self.main.rows[0].wrapped, history::is_wrapped);
            painter.line(&Line::unpack(line), Some(goes_on));
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
