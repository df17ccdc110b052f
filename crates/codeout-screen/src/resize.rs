//! Another size. The main screen's lines, and those of the history, are wrapped anew.

use std::collections::VecDeque;

use crate::cell::{Cell, Row};
use crate::grid::Grid;
use crate::history;
use crate::terminal::Terminal;

impl Terminal {
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) {
        if (columns, rows) == (self.columns, self.rows) {
            return;
        }
        self.joins = 0;
        let cursor =
            if self.is_alternate { self.main_cursor } else { (self.x.min(self.columns), self.y) };
        let cursor = self.resize_main(columns, rows, cursor);
        if self.is_alternate {
            self.main_cursor = cursor;
            self.y -= cut_rows(&mut self.alternate, rows, self.y);
            self.alternate.rows.iter_mut().for_each(|row| row.cut(columns));
        } else {
            self.alternate.rows.resize_with(rows, Row::default);
            (self.x, self.y) = cursor;
        }
        for grid in [&mut self.main, &mut self.alternate] {
            grid.top = 0;
            grid.bottom = rows - 1;
            grid.resize_tabs(columns);
            grid.saved.x = grid.saved.x.min(columns - 1);
            grid.saved.y = grid.saved.y.min(rows - 1);
        }
        (self.columns, self.rows) = (columns, rows);
        self.restrict(false);
        self.mend_first_row();
    }

    /// Returns where the cursor is now.
    fn resize_main(
        &mut self,
        columns: usize,
        rows: usize,
        cursor: (usize, usize),
    ) -> (usize, usize) {
        let used =
            self.main.rows.iter().rposition(|row| row.cells().iter().any(|c| *c != Cell::EMPTY));
        let end = used.map_or(0, |last| last + 1).max(cursor.1 + 1);
        let is_full = end == self.rows;
        let mut screen = std::mem::take(&mut self.main.rows);
        screen.truncate(end);
        let saved = (self.main.saved.x, self.main.saved.y.min(end - 1));
        let mut marks = [(0, 0), cursor, saved];
        if columns != self.columns {
            screen = self.rewrap(screen, columns, &mut marks);
        }
        let [_, cursor, saved] = marks;
        let mut moved = 0isize;
        while screen.len() > rows {
            if cursor.1.saturating_add_signed(moved) > 0 {
                if let Some(row) = screen.pop_front() {
                    self.history.push(&row, &self.styles, &self.graphemes);
                }
                moved -= 1;
            } else {
                screen.pop_back();
            }
        }
        while is_full && screen.len() < rows {
            let Some(row) = self.history.pop(&mut self.styles, &mut self.graphemes) else { break };
            screen.push_front(row);
            moved += 1;
        }
        screen.resize_with(rows, Row::default);
        self.main.rows = screen;
        let shift = |y: usize| y.saturating_add_signed(moved).min(rows - 1);
        self.main.saved.x = saved.0;
        self.main.saved.y = shift(saved.1);
        (cursor.0.min(columns - 1), shift(cursor.1))
    }

    /// Wraps all lines anew. Those of the history get new numbers. The returned rows are those
    /// from the one on that has the first cell of the screen; the marks are in them.
    fn rewrap(
        &mut self,
        screen: VecDeque<Row>,
        columns: usize,
        marks: &mut [(usize, usize); 3],
    ) -> VecDeque<Row> {
        let mut wrapper = Wrapper::new(columns);
        let lines = self.history.take();
        let before = self.columns;
        let continues = screen.front().is_some_and(|row| row.wrapped);
        for (index, line) in lines.iter().enumerate() {
            let row = history::unpack(line, &mut self.styles, &mut self.graphemes);
            let next = lines.get(index + 1).map_or(continues, |next| history::is_wrapped(next));
            wrapper.push(&row, before, next, &[]);
            for row in wrapper.done.drain(..) {
                self.history.push(&row, &self.styles, &self.graphemes);
            }
        }
        let height = screen.len();
        for (y, row) in screen.iter().enumerate() {
            let next = screen.get(y + 1).is_some_and(|next| next.wrapped && y + 1 < height);
            let mut here: Vec<(usize, usize)> = (0..marks.len())
                .filter(|mark| marks[*mark].1 == y)
                .map(|mark| (mark, marks[mark].0))
                .collect();
            here.sort_by_key(|(_, x)| *x);
            wrapper.push(row, before, next, &here);
        }
        let Wrapper { mut done, places, .. } = wrapper;
        for (mark, place) in places {
            marks[mark] = place;
        }
        let first = marks[0].1;
        for row in done.drain(..first) {
            self.history.push(&row, &self.styles, &self.graphemes);
        }
        for mark in marks.iter_mut() {
            mark.1 -= first;
        }
        done
    }
}

/// Adds or takes rows at the bottom, and takes them at the top where the cursor is at the bottom.
/// Returns how many went at the top.
fn cut_rows(grid: &mut Grid, rows: usize, y: usize) -> usize {
    let mut gone = 0;
    while grid.rows.len() > rows {
        if grid.rows.len() > y - gone + 1 {
            grid.rows.pop_back();
        } else {
            grid.rows.pop_front();
            gone += 1;
        }
    }
    grid.rows.resize_with(rows, Row::default);
    gone
}

/// Takes rows of one width and gives rows of another.
struct Wrapper {
    columns: usize,
    /// Finished rows.
    done: VecDeque<Row>,
    /// The row that is being filled.
    cells: Vec<Cell>,
    wrapped: bool,
    /// Where marked cells came to be: the mark, its column and its row.
    places: Vec<(usize, (usize, usize))>,
}

impl Wrapper {
    fn new(columns: usize) -> Wrapper {
        let (done, cells, places) = Default::default();
        Wrapper { columns, done, cells, wrapped: false, places }
    }

    /// Takes a row `before` columns wide, with marks in it from the left. The next one continues
    /// it or does not.
    fn push(&mut self, row: &Row, before: usize, goes_on: bool, marks: &[(usize, usize)]) {
        let text_end = row.text_end();
        // A wide character did not fit there.
        let is_short = text_end + 1 == before && goes_on;
        let end = if goes_on && !is_short { before } else { text_end };
        let mut marks = marks.iter().peekable();
        let mut x = 0;
        while x < end {
            let cell = row.get(x);
            let width = usize::from(cell.width().max(1)).min(self.columns);
            if self.cells.len() + width > self.columns {
                self.finish(true);
            }
            while let Some((mark, _)) = marks.next_if(|(_, at)| *at < x + width) {
                self.places.push((*mark, (self.cells.len(), self.done.len())));
            }
            self.cells.push(if self.columns == 1 && cell.width() == 2 {
                Cell::EMPTY
            } else {
                cell
            });
            if width == 2 {
                self.cells.push(Cell::spacer(cell.style));
            }
            x += usize::from(cell.width().max(1));
        }
        for (mark, at) in marks {
            self.places.push((*mark, (self.cells.len() + at - end, self.done.len())));
        }
        if !goes_on {
            // What was only erased stays as far as there is room.
            let rest = row.cells().get(end..).unwrap_or_default();
            let room = self.columns - self.cells.len();
            self.cells.extend(rest.iter().take(room));
            self.finish(false);
        }
    }

    fn finish(&mut self, wrapped: bool) {
        let cells = std::mem::take(&mut self.cells);
        self.done.push_back(Row::from_cells(cells, self.wrapped));
        self.wrapped = wrapped;
    }
}
