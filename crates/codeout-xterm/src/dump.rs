//! What the terminal told of itself, and how two such reports differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

/// No list of differences is longer: the first ones tell.
const MOST_DIFFERENCES: usize = 40;

/// Everything about a terminal that can be seen, or that matters to the bytes that follow.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Dump {
    /// The width.
    pub columns: u16,
    /// The height.
    pub rows: u16,
    /// The screen that has a history above it.
    pub normal: Buffer,
    /// The other screen; it has no lines unless it is shown.
    pub alternate: Buffer,
    /// Cursor, modes, title and the like, in words, by their names.
    pub state: BTreeMap<String, String>,
}

/// A screen's lines, those above it first.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Buffer {
    /// So many of the lines are above the screen.
    pub history: usize,
    /// All lines, from the oldest on.
    pub lines: Vec<Line>,
}

/// A line of cells. Plain empty cells at its end are left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Line {
    /// Whether it continues the line above.
    pub wrapped: bool,
    /// Its cells from the left.
    pub runs: Vec<Run>,
}

/// Cells in a row that look alike: style, width, text, and whether the text is that of one cell.
/// Where it is not, each character is a cell, and U+0000 an empty one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Run(String, u8, String, #[serde(default)] bool);

/// A cell of a line that is being compared.
#[derive(Clone, PartialEq)]
struct Cell<'a> {
    text: &'a str,
    width: u8,
    style: &'a str,
}

const EMPTY: Cell<'static> = Cell { text: "\0", width: 1, style: "" };

impl Dump {
    /// One of `state`'s words, empty where there is no such name.
    pub fn state(&self, name: &str) -> &str {
        self.state.get(name).map_or("", String::as_str)
    }

    /// The characters on the screen that is shown, without the blanks at the ends of lines.
    pub fn text(&self) -> String {
        let shown = self.shown();
        let lines: Vec<String> = shown.lines[shown.history..].iter().map(Line::text).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Whether the cursor waits behind the last column of a row whose last cell is empty.
    pub fn waits_behind_empty_cell(&self) -> bool {
        let waits = self.state("cursor").starts_with(&format!("column {},", self.columns));
        let row = self.state("cursor").rsplit_once(' ').and_then(|(_, row)| row.parse().ok());
        let line = row.and_then(|row: usize| self.shown().lines.get(self.shown().history + row));
        let last = usize::from(self.columns) - 1;
        waits
            && line.is_some_and(|line| line.cells().get(last).is_none_or(|cell| cell.text == "\0"))
    }

    /// The screen that is seen.
    pub fn shown(&self) -> &Buffer {
        if self.state("active") == "normal" { &self.normal } else { &self.alternate }
    }

    /// How `other` differs from this, one sentence for each place: "row -1" is the line just above
    /// the screen. Histories are compared from the screen upwards. Empty where the two are equal.
    pub fn differences(&self, other: &Dump) -> Vec<String> {
        let mut found = Vec::new();
        if (self.columns, self.rows) != (other.columns, other.rows) {
            let size = |dump: &Dump| format!("{} by {}", dump.columns, dump.rows);
            found.push(format!("size: {}, not {}", size(other), size(self)));
        }
        let names: BTreeSet<&String> = self.state.keys().chain(other.state.keys()).collect();
        for name in names {
            let (mine, theirs) = (self.state(name), other.state(name));
            if mine != theirs {
                found.push(format!("{name}: {theirs:?}, not {mine:?}"));
            }
        }
        self.normal.differences(&other.normal, "normal", &mut found);
        self.alternate.differences(&other.alternate, "alternate", &mut found);
        let more = found.len().saturating_sub(MOST_DIFFERENCES);
        found.truncate(MOST_DIFFERENCES);
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        found
    }
}

impl Buffer {
    fn differences(&self, other: &Buffer, name: &str, found: &mut Vec<String>) {
        if self.history != other.history {
            let (mine, theirs) = (self.history, other.history);
            found.push(format!("{name}: {theirs} lines of history, not {mine}"));
        }
        let below = |buffer: &Buffer| buffer.lines.len() - buffer.history;
        if below(self) != below(other) {
            let (mine, theirs) = (below(self), below(other));
            found.push(format!("{name}: {theirs} lines on the screen, not {mine}"));
        }
        let common = self.history.min(other.history);
        let mine = &self.lines[self.history - common..];
        let theirs = &other.lines[other.history - common..];
        for (index, (mine, theirs)) in mine.iter().zip(theirs).enumerate() {
            if mine != theirs {
                let row = index as isize - common as isize;
                mine.differences(theirs, &format!("{name} row {row}"), found);
            }
        }
    }
}

impl Line {
    /// Its characters, without blanks at the end.
    pub fn text(&self) -> String {
        let text: String = self
            .cells()
            .iter()
            .filter(|cell| cell.width > 0)
            .map(|cell| if cell.text == "\0" { " " } else { cell.text })
            .collect();
        text.trim_end().to_owned()
    }

    /// The column behind the last cell that is not plain and empty.
    pub fn end(&self) -> usize {
        self.cells().len()
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells = Vec::new();
        for Run(style, width, text, whole) in &self.runs {
            let mut push = |text| cells.push(Cell { text, width: *width, style });
            if *whole {
                push(text);
            } else {
                text.char_indices().for_each(|(at, c)| push(&text[at..at + c.len_utf8()]));
            }
        }
        cells
    }

    fn differences(&self, other: &Line, place: &str, found: &mut Vec<String>) {
        if self.wrapped != other.wrapped {
            let word = if other.wrapped { "wrapped" } else { "not wrapped" };
            found.push(format!("{place}: {word}"));
        }
        let (mut mine, mut theirs) = (self.cells(), other.cells());
        let width = mine.len().max(theirs.len());
        mine.resize(width, EMPTY);
        theirs.resize(width, EMPTY);
        let mut column = 0;
        while column < width {
            if mine[column] == theirs[column] {
                column += 1;
                continue;
            }
            // Cells side by side that differ in the same way are told of at once.
            let alike = |at: &usize| {
                mine[*at] != theirs[*at]
                    && mine[*at].style == mine[column].style
                    && theirs[*at].style == theirs[column].style
            };
            let end = (column..width).take_while(alike).last().map_or(width, |last| last + 1);
            let (mine, theirs) = (in_words(&mine[column..end]), in_words(&theirs[column..end]));
            found.push(format!("{place} column {column}: {theirs}, not {mine}"));
            column = end;
        }
    }
}

/// Cells of one style: `"text" [style]`, with ␀ for an empty cell and › for a wide one's end.
fn in_words(cells: &[Cell<'_>]) -> String {
    let mut words = String::from("\"");
    for cell in cells {
        match (cell.text, cell.width) {
            ("\0", 0) => words.push('›'),
            ("\0", _) => words.push('␀'),
            (text, _) => words.push_str(text),
        }
    }
    words.push('"');
    let style = cells.first().map_or("", |cell| cell.style);
    if !style.is_empty() {
        write!(words, " [{style}]").expect("a string takes everything");
    }
    words
}
