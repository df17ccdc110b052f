//! One of the two screens: its rows, and what belongs to it rather than to the terminal.

use std::collections::VecDeque;

use crate::cell::{Cell, Row};
use crate::charset::Charset;
use crate::style::Style;

const TAB_WIDTH: usize = 8;

/// What DECSC keeps.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Saved {
    pub(crate) x: usize,
    pub(crate) y: usize,
    /// Without a link; underlined or not, but not how.
    pub(crate) pen: Style,
    pub(crate) charset: Charset,
}

pub(crate) struct Grid {
    pub(crate) rows: VecDeque<Row>,
    /// The first and the last row that scroll.
    pub(crate) top: usize,
    pub(crate) bottom: usize,
    /// For each column, whether a tab stops there.
    pub(crate) tabs: Vec<bool>,
    pub(crate) saved: Saved,
}

impl Grid {
    pub(crate) fn new(columns: usize, rows: usize) -> Grid {
        let mut grid = Grid {
            rows: VecDeque::new(),
            top: 0,
            bottom: 0,
            tabs: Vec::new(),
            saved: Saved::default(),
        };
        grid.clear(columns, rows);
        grid
    }

    /// Empty rows, no margins, the usual tab stops. The saved cursor stays.
    pub(crate) fn clear(&mut self, columns: usize, rows: usize) {
        self.rows.clear();
        self.rows.resize_with(rows, Row::default);
        self.top = 0;
        self.bottom = rows - 1;
        self.tabs = usual_tabs(columns);
    }

    pub(crate) fn fill(&mut self, fill: Cell, columns: usize) {
        self.rows.iter_mut().for_each(|row| row.reset(fill, columns));
    }

    /// The bytes of memory behind pointers.
    pub(crate) fn memory(&self) -> usize {
        let cells: usize = self.rows.iter().map(Row::memory).sum();
        cells + self.rows.capacity() * size_of::<Row>() + self.tabs.capacity()
    }

    /// Whether all rows scroll.
    pub(crate) fn is_whole(&self) -> bool {
        self.top == 0 && self.bottom + 1 == self.rows.len()
    }

    /// Moves the rows of `top..=bottom` up by `count`; rows of `fill` come in.
    pub(crate) fn up(
        &mut self,
        top: usize,
        bottom: usize,
        count: usize,
        fill: Cell,
        columns: usize,
    ) {
        let height = bottom - top + 1;
        let count = count.min(height);
        if height == self.rows.len() {
            self.rows.rotate_left(count);
        } else {
            self.rows.make_contiguous()[top..=bottom].rotate_left(count);
        }
        self.rows.range_mut(bottom + 1 - count..=bottom).for_each(|row| row.reset(fill, columns));
    }

    /// As [`up`](Self::up), downwards.
    pub(crate) fn down(
        &mut self,
        top: usize,
        bottom: usize,
        count: usize,
        fill: Cell,
        columns: usize,
    ) {
        let height = bottom - top + 1;
        let count = count.min(height);
        self.rows.make_contiguous()[top..=bottom].rotate_right(count);
        self.rows.range_mut(top..top + count).for_each(|row| row.reset(fill, columns));
    }

    /// The next column where a tab stops, at most the last one.
    pub(crate) fn next_tab(&self, x: usize) -> usize {
        let next = self.tabs.iter().skip(x + 1).position(|stops| *stops);
        next.map_or(self.tabs.len() - 1, |distance| x + 1 + distance)
    }

    /// The last column before `x` where a tab stops, or the first one.
    pub(crate) fn previous_tab(&self, x: usize) -> usize {
        let before = &self.tabs[..x.min(self.tabs.len())];
        before.iter().rposition(|stops| *stops).unwrap_or(0)
    }

    /// New columns get stops at the usual distance from the last one there is.
    pub(crate) fn resize_tabs(&mut self, columns: usize) {
        let last = self.previous_tab(columns);
        let before = self.tabs.len();
        self.tabs.resize(columns, false);
        if columns > before {
            (last..columns).step_by(TAB_WIDTH).for_each(|x| self.tabs[x] = true);
        }
    }
}

pub(crate) fn usual_tabs(columns: usize) -> Vec<bool> {
    (0..columns).map(|x| x % TAB_WIDTH == 0).collect()
}
