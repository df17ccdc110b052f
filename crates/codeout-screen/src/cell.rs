//! Cells and rows of them.

/// One cell: what it shows, how wide that is, and the number of its style.
///
/// A wide character has a cell of width 2 and behind it a spacer: empty, of width 0. A cell that
/// nothing was printed into, or that was erased, is empty and of width 1. A zero-width character
/// that had nothing to combine with has a cell of its own, of width 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    content: u32,
    pub(crate) style: u32,
}

const WIDTH: u32 = 30;
const COMBINED: u32 = 1 << 29;

impl Cell {
    /// As a terminal begins with.
    pub(crate) const EMPTY: Cell = Cell::empty(0);

    pub(crate) const fn empty(style: u32) -> Cell {
        Cell { content: 1 << WIDTH, style }
    }

    pub(crate) const fn spacer(style: u32) -> Cell {
        Cell { content: 0, style }
    }

    pub(crate) const fn character(c: char, width: u8, style: u32) -> Cell {
        Cell { content: c as u32 | (width as u32) << WIDTH, style }
    }

    pub(crate) const fn ascii(byte: u8, style: u32) -> Cell {
        Cell { content: byte as u32 | 1 << WIDTH, style }
    }

    /// The same cell with several characters, of that number in the table of them.
    pub(crate) const fn combined(self, number: u32) -> Cell {
        Cell {
            content: (self.content & (3 << WIDTH)) | COMBINED | (number & (COMBINED - 1)),
            style: self.style,
        }
    }

    pub(crate) const fn width(self) -> u8 {
        (self.content >> WIDTH) as u8
    }

    /// Whether it has no character; so has a spacer.
    pub(crate) const fn is_empty(self) -> bool {
        self.content & !(3 << WIDTH) == 0
    }

    pub(crate) const fn is_spacer(self) -> bool {
        self.content == 0
    }

    /// The number of its characters in the table of combined ones.
    pub(crate) const fn grapheme(self) -> Option<u32> {
        if self.content & COMBINED == 0 { None } else { Some(self.content & (COMBINED - 1)) }
    }

    /// Its character, where it has exactly one.
    pub(crate) fn single(self) -> Option<char> {
        if self.is_empty() || self.grapheme().is_some() {
            return None;
        }
        char::from_u32(self.content & (COMBINED - 1))
    }

    /// Whether all are ASCII or empty, one column wide, and of the default style.
    pub(crate) fn are_plain(cells: &[Cell]) -> bool {
        // Without a branch for each.
        cells.iter().fold(0, |all, cell| all | cell.style | cell.beyond_ascii()) == 0
    }

    /// Whether all are ASCII or empty, and one column wide.
    pub(crate) fn are_ascii(cells: &[Cell]) -> bool {
        cells.iter().fold(0, |all, cell| all | cell.beyond_ascii()) == 0
    }

    /// 0 where it is ASCII or empty, and one column wide.
    const fn beyond_ascii(self) -> u32 {
        (self.content ^ 1 << WIDTH) & !0x7f
    }

    /// The one byte of such a cell, 0 where it is empty.
    pub(crate) const fn byte(self) -> u8 {
        self.content as u8
    }
}

/// One row. Cells behind the last stored one are [`Cell::EMPTY`]: an unused row takes no memory.
#[derive(Clone, Default)]
pub(crate) struct Row {
    cells: Vec<Cell>,
    /// Whether it continues the row above, which was full.
    pub(crate) wrapped: bool,
}

impl Row {
    pub(crate) fn from_cells(cells: Vec<Cell>, wrapped: bool) -> Row {
        Row { cells, wrapped }
    }

    /// Fills it, and forgets that it continues another; its memory is used again.
    pub(crate) fn reset(&mut self, fill: Cell, columns: usize) {
        self.wrapped = false;
        self.cells.clear();
        if fill != Cell::EMPTY {
            self.cells.resize(columns, fill);
        }
    }

    /// The bytes of memory behind pointers.
    pub(crate) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }

    /// The stored cells: the rest are empty.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(crate) fn get(&self, x: usize) -> Cell {
        self.cells.get(x).copied().unwrap_or(Cell::EMPTY)
    }

    pub(crate) fn set(&mut self, x: usize, cell: Cell) {
        if x >= self.cells.len() {
            if cell == Cell::EMPTY {
                return;
            }
            self.cells.resize(x + 1, Cell::EMPTY);
        }
        self.cells[x] = cell;
    }

    /// Writes printable ASCII from `x` on; it must fit.
    pub(crate) fn write_ascii(&mut self, x: usize, bytes: &[u8], style: u32) {
        self.mend_left(x, style);
        let end = x + bytes.len();
        if self.cells.len() < end {
            self.cells.resize(end, Cell::EMPTY);
        }
        for (cell, byte) in self.cells[x..end].iter_mut().zip(bytes) {
            *cell = Cell::ascii(*byte, style);
        }
        self.mend_right(end, style);
    }

    /// Writes a character of one or two columns at `x`; it must fit.
    pub(crate) fn write(&mut self, x: usize, cell: Cell) {
        let end = x + usize::from(cell.width());
        let spacer = (end == x + 2).then_some(Cell::spacer(cell.style));
        self.mend_left(x, cell.style);
        if self.cells.len() == x {
            self.cells.push(cell);
            self.cells.extend(spacer);
            return;
        }
        if self.cells.len() < end {
            self.cells.resize(end, Cell::EMPTY);
        }
        self.cells[x] = cell;
        if let Some(spacer) = spacer {
            self.cells[x + 1] = spacer;
        }
        self.mend_right(end, cell.style);
    }

    /// Empties the first half of a wide character that is about to lose its second one at `x`.
    pub(crate) fn mend_left(&mut self, x: usize, style: u32) {
        if x > 0 && self.get(x - 1).width() == 2 {
            self.cells[x - 1] = Cell::empty(style);
        }
    }

    /// Empties the second half of a wide character that lost its first one before `x`.
    pub(crate) fn mend_right(&mut self, x: usize, style: u32) {
        if let Some(cell) = self.cells.get_mut(x)
            && cell.is_spacer()
        {
            *cell = Cell::empty(style);
        }
    }

    /// Moves the cells from `at` on to the right, for `count` new ones.
    pub(crate) fn insert(&mut self, at: usize, count: usize, fill: Cell, columns: usize) {
        self.mend_left(at, fill.style);
        self.mend_right(at, fill.style);
        let count = count.min(columns - at);
        if at < self.cells.len() || fill != Cell::EMPTY {
            if self.cells.len() < at {
                self.cells.resize(at, Cell::EMPTY);
            }
            self.cells.splice(at..at, std::iter::repeat_n(fill, count));
            self.cells.truncate(columns);
        }
        if self.get(columns - 1).width() == 2 {
            self.cells[columns - 1] = Cell::empty(fill.style);
        }
    }

    /// Removes cells; those to the right move there, and `fill` comes in at the end.
    pub(crate) fn delete(&mut self, at: usize, count: usize, fill: Cell, columns: usize) {
        let count = count.min(columns - at);
        if fill != Cell::EMPTY {
            self.cells.resize(columns, Cell::EMPTY);
        }
        let end = (at + count).min(self.cells.len());
        if at < end {
            self.cells.drain(at..end);
        }
        if fill != Cell::EMPTY {
            self.cells.resize(columns, fill);
        }
        self.mend_left(at, fill.style);
        self.mend_right(at, fill.style);
    }

    /// Replaces the cells of `from..to`, but not those for which `keep` holds.
    pub(crate) fn erase(
        &mut self,
        from: usize,
        to: usize,
        fill: Cell,
        columns: usize,
        keep: Option<&dyn Fn(Cell) -> bool>,
    ) {
        let to = to.min(columns);
        if from >= to {
            return;
        }
        if keep.is_none() {
            self.mend_left(from, fill.style);
            if to < columns && self.get(to - 1).width() == 2 {
                self.set(to, Cell::empty(fill.style));
            }
        }
        if fill == Cell::EMPTY && to >= self.cells.len() && keep.is_none() {
            self.cells.truncate(from);
            return;
        }
        if self.cells.len() < to {
            self.cells.resize(to, Cell::EMPTY);
        }
        match keep {
            None => self.cells[from..to].fill(fill),
            Some(keep) => {
                self.cells[from..to].iter_mut().filter(|cell| !keep(**cell)).for_each(|cell| {
                    *cell = fill;
                });
                self.mend_halves(fill.style);
            }
        }
    }

    /// Empties every half of a wide character that lost the other one.
    fn mend_halves(&mut self, style: u32) {
        for x in 0..self.cells.len() {
            let cell = self.cells[x];
            let is_alone = match cell.width() {
                2 => !self.get(x + 1).is_spacer(),
                _ => cell.is_spacer() && (x == 0 || self.cells[x - 1].width() != 2),
            };
            if is_alone {
                self.cells[x] = Cell::empty(style);
            }
        }
    }

    /// Cuts what is behind the last column.
    pub(crate) fn cut(&mut self, columns: usize) {
        self.cells.truncate(columns);
        if self.cells.len() == columns
            && let Some(last) = self.cells.last_mut()
            && last.width() == 2
        {
            *last = Cell::EMPTY;
        }
    }

    /// The column behind the last cell with a character.
    pub(crate) fn text_end(&self) -> usize {
        let last = self.cells.iter().rposition(|cell| !cell.is_empty());
        last.map_or(0, |x| x + usize::from(self.cells[x].width().max(1)))
    }
}
