//! Erasing, and moving rows and cells about.

use crate::cell::{Cell, Row};
use crate::style::PROTECTED;
use crate::terminal::Terminal;

impl Terminal {
    /// Changes the cursor's row from the cursor on; columns are the row's.
    pub(crate) fn in_row(&mut self, change: impl FnOnce(&mut Row, usize, Cell, usize)) {
        self.restrict(false);
        let (x, columns, fill) = (self.x, self.columns, self.blank());
        change(self.row_mut(), x, fill, columns);
    }

    /// Changes each scrolling row, where the cursor is among them; none continues another then.
    pub(crate) fn in_region(&mut self, change: impl Fn(&mut Row, Cell, usize)) {
        let (y, columns, fill) = (self.y, self.columns, self.blank());
        let grid = self.grid_mut();
        if (grid.top..=grid.bottom).contains(&y) {
            let (top, bottom) = (grid.top, grid.bottom);
            grid.rows.range_mut(top..=bottom).for_each(|row| {
                change(row, fill, columns);
                row.wrapped = false;
            });
        }
    }

    /// IL and DL.
    pub(crate) fn shift_lines(&mut self, count: usize, down: bool) {
        self.restrict(false);
        let (y, columns, fill) = (self.y, self.columns, self.blank());
        let grid = self.grid_mut();
        let bottom = grid.bottom;
        if !(grid.top..=bottom).contains(&y) {
            return;
        }
        if down {
            grid.down(y, bottom, count, fill, columns);
        } else {
            grid.up(y, bottom, count, fill, columns);
        }
        self.x = 0;
        self.mend_first_row();
    }

    /// SU and SD. What goes does not go to the history.
    pub(crate) fn shift_region(&mut self, count: usize, down: bool) {
        let (columns, fill) = (self.columns, self.blank());
        let grid = self.grid_mut();
        let (top, bottom) = (grid.top, grid.bottom);
        if down {
            grid.down(top, bottom, count, Cell::EMPTY, columns);
        } else {
            grid.up(top, bottom, count, fill, columns);
        }
        self.mend_first_row();
    }

    pub(crate) fn erase_line(&mut self, which: u32, selective: bool) {
        self.restrict(true);
        let (x, y) = (self.x, self.y);
        let (from, to) = match which {
            0 => (x, self.columns),
            1 => (0, x + 1),
            2 => (0, self.columns),
            _ => return,
        };
        self.erase(y, from, to, selective);
        if which == 2 || which == 0 && x == 0 {
            self.row_mut().wrapped = false;
        }
    }

    pub(crate) fn erase_display(&mut self, which: u32, selective: bool) {
        self.restrict(true);
        let (x, y, columns, rows) = (self.x, self.y, self.columns, self.rows);
        let whole = match which {
            0 => {
                self.erase(y, x, columns, selective);
                if x == 0 {
                    self.row_mut().wrapped = false;
                }
                y + 1..rows
            }
            1 => {
                self.erase(y, 0, x + 1, selective);
                self.row_mut().wrapped = false;
                if x + 1 >= columns
                    && let Some(next) = self.grid_mut().rows.get_mut(y + 1)
                {
                    next.wrapped = false;
                }
                0..y
            }
            2 => 0..rows,
            3 if !self.is_alternate => {
                self.history.clear();
                self.mend_first_row();
                return;
            }
            _ => return,
        };
        for y in whole {
            self.erase(y, 0, columns, selective);
            self.grid_mut().rows[y].wrapped = false;
        }
    }

    /// Empties cells; selectively, those that are not protected.
    fn erase(&mut self, y: usize, from: usize, to: usize, selective: bool) {
        let (columns, fill) = (self.columns, self.blank());
        let grid = if self.is_alternate { &mut self.alternate } else { &mut self.main };
        let styles = &self.styles;
        let keep = |cell: Cell| styles.get(cell.style).is(PROTECTED);
        let keep: Option<&dyn Fn(Cell) -> bool> = if selective { Some(&keep) } else { None };
        grid.rows[y].erase(from, to, fill, columns, keep);
    }
}
