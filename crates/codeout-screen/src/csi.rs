//! What sequences do.

use crate::Signal;
use crate::cell::Cell;
use crate::charset::Charset;
use crate::grid::Grid;
use crate::params::Params;
use crate::parser::{Marks, Perform};
use crate::sgr;
use crate::style::{PROTECTED, Style};
use crate::terminal::{MOST_TITLES, Terminal};

const NONE: Marks = Marks::of(b"");
const PRIVATE: Marks = Marks::of(b"?");
const SPACE: Marks = Marks::of(b" ");
const QUOTE: Marks = Marks::of(b"'");

impl Perform for Terminal {
    fn print_ascii(&mut self, bytes: &[u8]) {
        self.put_ascii(bytes);
    }

    fn print(&mut self, c: char) {
        self.put(c);
    }

    fn execute(&mut self, control: u8) {
        match control {
            0x07 => self.signal(Signal::Bell),
            0x08 => self.backspace(),
            0x09 if self.x < self.columns => self.x = self.grid().next_tab(self.x),
            0x0a..=0x0c => self.line_feed(),
            0x0d => self.x = 0,
            0x0e => self.set_level(1),
            0x0f => self.set_level(0),
            0x84 => self.down(),
            0x85 => {
                self.x = 0;
                self.down();
            }
            0x88 => self.set_tab(),
            _ => {}
        }
    }

    fn csi(&mut self, marks: Marks, params: &Params, last: u8) {
        match marks {
            NONE => self.plain_csi(params, last),
            PRIVATE => self.private_csi(params, last),
            _ => self.marked_csi(marks, params, last),
        }
        self.mend_pending();
    }

    fn esc(&mut self, marks: Marks, last: u8) {
        if marks == NONE {
            self.plain_esc(last);
        } else if marks == Marks::of(b"#") && last == b'8' {
            self.alignment();
        } else if marks == Marks::of(b"%") && matches!(last, b'@' | b'G') {
            self.set_level(0);
            self.designate(0, Charset::Ascii);
        } else if let Some(charset) = Charset::of(last) {
            let slots = [&b"("[..], b")", b"*", b"+", b"-", b"."].map(Marks::of);
            if let Some(slot) = slots.iter().position(|slot| *slot == marks) {
                self.designate([0, 1, 2, 3, 1, 2][slot], charset);
            }
        }
        self.mend_pending();
    }

    fn osc(&mut self, payload: &str) {
        self.command(payload);
    }

    fn interrupt(&mut self) {
        self.joins = 0;
    }
}

impl Terminal {
    fn plain_esc(&mut self, last: u8) {
        match last {
            b'7' => self.save_cursor(),
            b'8' => self.restore_cursor(),
            b'D' => self.down(),
            b'E' => {
                self.x = 0;
                self.down();
            }
            b'H' => self.set_tab(),
            b'M' => self.reverse_index(),
            b'=' => self.modes.application_keypad = true,
            b'>' => self.modes.application_keypad = false,
            b'c' => self.reset(),
            b'n' | b'}' => self.set_level(2),
            b'o' | b'|' => self.set_level(3),
            b'~' => self.set_level(1),
            _ => {}
        }
    }

    fn plain_csi(&mut self, params: &Params, last: u8) {
        let count = params.count(0);
        let distance = isize::try_from(count).unwrap_or(isize::MAX).min(1 << 20);
        match last {
            b'@' => self.in_row(|row, x, fill, columns| row.insert(x, count, fill, columns)),
            b'A' => self.go_up(distance),
            b'B' => self.go_down(distance),
            b'C' | b'a' => self.go_by(distance, 0),
            b'D' => self.go_by(-distance, 0),
            b'E' => {
                self.go_down(distance);
                self.x = 0;
            }
            b'F' => {
                self.go_up(distance);
                self.x = 0;
            }
            b'G' | b'`' => self.go(count - 1, self.y),
            b'H' | b'f' => self.go(params.count(1) - 1, count - 1),
            b'I' => self.tab_by(count, Grid::next_tab),
            b'J' => self.erase_display(params.get(0), false),
            b'K' => self.erase_line(params.get(0), false),
            b'L' => self.shift_lines(count, true),
            b'M' => self.shift_lines(count, false),
            b'P' => self.in_row(|row, x, fill, columns| row.delete(x, count, fill, columns)),
            b'S' => self.shift_region(count, false),
            b'T' => self.shift_region(count, true),
            b'X' => self.in_row(|row, x, fill, columns| {
                row.erase(x, x.saturating_add(count), fill, columns, None);
            }),
            b'Z' => self.tab_by(count, Grid::previous_tab),
            b'b' => self.repeat(count),
            b'd' => self.go(self.x, count - 1),
            b'e' => self.go_by(0, distance),
            b'g' => self.clear_tabs(params.get(0)),
            b'h' => self.set_modes(params, true),
            b'l' => self.set_modes(params, false),
            b'm' => sgr::apply(self.pen_mut(), params),
            b'r' => self.set_margins(params),
            b's' => self.save_cursor(),
            b't' => self.window(params),
            b'u' => self.restore_cursor(),
            _ => {}
        }
    }

    fn private_csi(&mut self, params: &Params, last: u8) {
        match last {
            b'J' => self.erase_display(params.get(0), true),
            b'K' => self.erase_line(params.get(0), true),
            b'h' => self.set_private_modes(params, true),
            b'l' => self.set_private_modes(params, false),
            _ => {}
        }
    }

    fn marked_csi(&mut self, marks: Marks, params: &Params, last: u8) {
        let count = params.count(0);
        let x = self.x % self.columns;
        match (marks, last) {
            (SPACE, b'@') => self.in_region(|row, fill, all| row.delete(0, count, fill, all)),
            (SPACE, b'A') => self.in_region(|row, fill, all| row.insert(0, count, fill, all)),
            (QUOTE, b'}') => self.in_region(|row, fill, all| row.insert(x, count, fill, all)),
            (QUOTE, b'~') => self.in_region(|row, fill, all| row.delete(x, count, fill, all)),
            (SPACE, b'q') => self.modes.set_shape(params.get(0)),
            _ if marks == Marks::of(b"!") && last == b'p' => self.soft_reset(),
            _ if marks == Marks::of(b"\"") && last == b'q' => match params.get(0) {
                0 | 2 => self.pen_mut().flags &= !PROTECTED,
                1 => self.pen_mut().flags |= PROTECTED,
                _ => {}
            },
            _ if last == b'u' => {
                let keyboard = self.keyboard_mut();
                if marks == Marks::of(b"=") {
                    keyboard.set(params.get(0), params.get(1));
                } else if marks == Marks::of(b">") {
                    keyboard.push(params.get(0));
                } else if marks == Marks::of(b"<") {
                    keyboard.pop(count);
                }
            }
            _ => {}
        }
    }

    fn backspace(&mut self) {
        self.restrict(self.modes.reverse_wrap);
        if self.x > 0 {
            self.x -= 1;
        } else if self.modes.reverse_wrap
            && self.y > self.grid().top
            && self.y <= self.grid().bottom
            && self.row().wrapped
        {
            self.row_mut().wrapped = false;
            self.y -= 1;
            self.x = self.columns - 1;
            let last = self.row().get(self.x);
            if last.is_empty() && !last.is_spacer() {
                self.x = self.x.saturating_sub(1);
            }
        }
        self.restrict(false);
    }

    pub(crate) fn set_level(&mut self, level: usize) {
        self.level = level;
        self.charset = self.charsets[level];
    }

    fn designate(&mut self, level: usize, charset: Charset) {
        self.charsets[level] = charset;
        if self.level == level {
            self.charset = charset;
        }
    }

    fn down(&mut self) {
        self.restrict(false);
        self.index();
        self.restrict(false);
    }

    fn reverse_index(&mut self) {
        self.restrict(false);
        let (top, bottom, columns) = (self.grid().top, self.grid().bottom, self.columns);
        if self.y == top {
            let fill = self.blank();
            self.grid_mut().down(top, bottom, 1, fill, columns);
            self.mend_first_row();
        } else {
            self.y = self.y.saturating_sub(1);
            self.restrict(false);
        }
    }

    fn go_up(&mut self, rows: isize) {
        let room = self.y.checked_sub(self.grid().top);
        self.go_by(0, -room.map_or(rows, |room| rows.min(room as isize)));
    }

    fn go_down(&mut self, rows: isize) {
        let room = self.grid().bottom.checked_sub(self.y);
        self.go_by(0, room.map_or(rows, |room| rows.min(room as isize)));
    }

    fn tab_by(&mut self, count: usize, tab: fn(&Grid, usize) -> usize) {
        for _ in 0..count.min(self.columns) {
            if self.x == self.columns {
                return;
            }
            self.x = tab(self.grid(), self.x);
        }
    }

    fn set_tab(&mut self) {
        let x = self.x;
        if let Some(stops) = self.grid_mut().tabs.get_mut(x) {
            *stops = true;
        }
    }

    fn clear_tabs(&mut self, which: u32) {
        let x = self.x;
        let tabs = &mut self.grid_mut().tabs;
        match which {
            0 => tabs.iter_mut().skip(x).take(1).for_each(|stops| *stops = false),
            3 => tabs.fill(false),
            _ => {}
        }
    }

    fn set_margins(&mut self, params: &Params) {
        let top = params.count(0);
        let bottom = match params.get(1) as usize {
            0 => self.rows,
            bottom => bottom.min(self.rows),
        };
        if bottom > top {
            let grid = self.grid_mut();
            grid.top = top - 1;
            grid.bottom = bottom - 1;
            self.go(0, 0);
        }
    }

    /// A stack of titles, and one of the icon's: 0 is both, 1 the icon, 2 the window.
    fn window(&mut self, params: &Params) {
        let (pushes, which) = (params.get(0) == 22, params.get(1));
        if !pushes && params.get(0) != 23 {
            return;
        }
        if matches!(which, 0 | 2) {
            if pushes {
                self.titles.push_back(self.title.clone());
            } else if let Some(title) = self.titles.pop_back() {
                self.set_title(title);
            }
        }
        if matches!(which, 0 | 1) {
            if pushes {
                self.icons.push_back(self.icon.clone());
            } else if let Some(icon) = self.icons.pop_back() {
                self.icon = icon;
            }
        }
        for stack in [&mut self.titles, &mut self.icons] {
            if stack.len() > MOST_TITLES {
                stack.pop_front();
            }
        }
    }

    /// DECALN: all rows full of the letter E.
    fn alignment(&mut self) {
        let Style { foreground, background, flags, .. } = self.pen;
        let mut style = Style { foreground, background, flags, ..Style::default() };
        style.set_underline(0);
        let cell = Cell::ascii(b'E', self.styles.number(style));
        let columns = self.columns;
        self.grid_mut().fill(cell, columns);
        self.go(0, 0);
    }
}
