//! The lines that have scrolled off the main screen, packed.
//!
//! A packed line is a byte of flags and then either plain bytes, one for each cell of the default
//! style (0 for an empty one), or runs of cells of one style: the style, the length of the text,
//! the text. In that text 0 is an empty cell, 1 begins a cell of several characters and is
//! followed by their length, and every other character is a cell.

use std::collections::VecDeque;
use std::ops::Range;

use crate::cell::{Cell, Row};
use crate::style::{Colour, Graphemes, Style, Styles};
use crate::width::width;

/// How much of what scrolled off the screen is kept. Whichever limit is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// The most lines.
    pub lines: usize,
    /// The most memory for them, in bytes.
    pub bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> HistoryLimits {
        HistoryLimits { lines: 10_000, bytes: 8 << 20 }
    }
}

const WRAPPED: u8 = 1;
const STYLED: u8 = 2;
/// What a line costs beside its bytes: its place in the queue, and what an allocation takes.
const OVERHEAD: usize = 32;
const SEVERAL: char = '\u{1}';

pub(crate) struct History {
    limits: HistoryLimits,
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// The number of the first line that is kept.
    first: u64,
    /// For packing without new allocations each time.
    scratch: Vec<u8>,
    text: String,
}

impl History {
    pub(crate) fn new(limits: HistoryLimits) -> History {
        let (lines, scratch, text) = Default::default();
        History { limits, lines, bytes: 0, first: 0, scratch, text }
    }

    pub(crate) fn limits(&self) -> HistoryLimits {
        self.limits
    }

    pub(crate) fn range(&self) -> Range<u64> {
        self.first..self.first + self.lines.len() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn line(&self, number: u64) -> Option<&[u8]> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index).map(|line| &**line)
    }

    /// Takes in the next line. Rows of a screen become lines of history from the top.
    pub(crate) fn push(&mut self, row: &Row, styles: &Styles, graphemes: &Graphemes) {
        if self.limits.lines == 0 {
            self.first += 1;
            return;
        }
        let mut packed = std::mem::take(&mut self.scratch);
        packed.clear();
        pack(row, styles, graphemes, &mut self.text, &mut packed);
        self.bytes += packed.len() + OVERHEAD;
        self.lines.push_back(packed.as_slice().into());
        self.scratch = packed;
        while self.lines.len() > self.limits.lines
            || (self.bytes > self.limits.bytes && !self.lines.is_empty())
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.len() + OVERHEAD;
            self.first += 1;
        }
        // What the oldest line may have continued is forgotten.
        if let Some(line) = self.lines.front_mut() {
            line[0] &= !WRAPPED;
        }
    }

    /// Gives back the last line.
    pub(crate) fn pop(&mut self, styles: &mut Styles, graphemes: &mut Graphemes) -> Option<Row> {
        let line = self.lines.pop_back()?;
        self.bytes -= line.len() + OVERHEAD;
        Some(unpack(&line, styles, graphemes))
    }

    /// Forgets every line; their numbers are not used again.
    pub(crate) fn clear(&mut self) {
        self.skip(0);
    }

    /// Forgets every line, and counts `more` as having been kept and forgotten, too.
    pub(crate) fn skip(&mut self, more: u64) {
        self.first = self.range().end + more;
        self.lines.clear();
        self.bytes = 0;
    }

    /// Hands over all lines, oldest first; new ones get new numbers.
    pub(crate) fn take(&mut self) -> VecDeque<Box<[u8]>> {
        let lines = std::mem::take(&mut self.lines);
        self.first += lines.len() as u64;
        self.bytes = 0;
        lines
    }

    /// Calls `see` with every style there is in the lines.
    pub(crate) fn styles(&self, mut see: impl FnMut(Style)) {
        for line in self.lines.iter().filter(|line| line[0] & STYLED != 0) {
            for (style, _) in Runs(&line[1..]) {
                see(style);
            }
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.bytes + self.scratch.capacity() + self.text.capacity()
    }
}

/// Whether the packed line continues the one before.
pub(crate) fn is_wrapped(line: &[u8]) -> bool {
    line[0] & WRAPPED != 0
}

/// The characters of a line that has one, of ASCII and in no style, in each of its cells.
pub(crate) fn plain_text(line: &[u8]) -> Option<&[u8]> {
    let is_plain = line[0] & STYLED == 0 && line.len() > 1 && !line[1..].contains(&0);
    is_plain.then(|| &line[1..])
}

/// Calls `see` with each cell's characters (none for an empty one), width and style. The cells
/// behind a wide character's first are left out.
pub(crate) fn each_cell(line: &[u8], mut see: impl FnMut(&str, u8, Style)) {
    if line[0] & STYLED == 0 {
        for byte in &line[1..] {
            let text = [*byte];
            let text = if *byte == 0 { "" } else { str::from_utf8(&text).unwrap_or("") };
            see(text, 1, Style::default());
        }
        return;
    }
    for (style, mut text) in Runs(&line[1..]) {
        while let Some(c) = text.chars().next() {
            let rest = &text[c.len_utf8()..];
            match c {
                '\0' => {
                    see("", 1, style);
                    text = rest;
                }
                SEVERAL => {
                    let length = usize::from(rest.as_bytes()[0]);
                    let cell = &rest[1..1 + length];
                    see(cell, cell.chars().next().map_or(1, width), style);
                    text = &rest[1 + length..];
                }
                c => {
                    see(&text[..c.len_utf8()], width(c), style);
                    text = rest;
                }
            }
        }
    }
}

/// The row that the packed line was.
pub(crate) fn unpack(line: &[u8], styles: &mut Styles, graphemes: &mut Graphemes) -> Row {
    let mut cells = Vec::new();
    each_cell(line, |text, width, style| {
        let style = styles.number(style);
        let mut chars = text.chars();
        let cell = match (chars.next(), chars.next()) {
            (None, _) => Cell::empty(style),
            (Some(c), None) => Cell::character(c, width, style),
            (Some(c), Some(_)) => {
                Cell::character(c, width, style).combined(graphemes.add(text.to_owned()))
            }
        };
        cells.push(cell);
        if width == 2 {
            cells.push(Cell::spacer(style));
        }
    });
    Row::from_cells(cells, is_wrapped(line))
}

fn pack(
    row: &Row,
    styles: &Styles,
    graphemes: &Graphemes,
    text: &mut String,
    packed: &mut Vec<u8>,
) {
    let wrapped = if row.wrapped { WRAPPED } else { 0 };
    let end = row.cells().iter().rposition(|cell| *cell != Cell::EMPTY).map_or(0, |last| last + 1);
    let cells = &row.cells()[..end];
    if Cell::are_plain(cells) {
        packed.push(wrapped);
        packed.extend(cells.iter().map(|cell| cell.byte()));
        return;
    }
    packed.push(wrapped | STYLED);
    for run in cells.chunk_by(|one, other| one.style == other.style) {
        push_style(styles.get(run[0].style), packed);
        if Cell::are_ascii(run) {
            push_number(run.len() as u32, packed);
            packed.extend(run.iter().map(|cell| cell.byte()));
            continue;
        }
        text.clear();
        run.iter().for_each(|cell| push_cell(*cell, graphemes, text));
        push_number(text.len() as u32, packed);
        packed.extend_from_slice(text.as_bytes());
    }
}

fn push_cell(cell: Cell, graphemes: &Graphemes, text: &mut String) {
    if let Some(number) = cell.grapheme() {
        let several = graphemes.get(number);
        text.push(SEVERAL);
        // At most 64, so that it is a character of one byte.
        text.push(char::from(several.len() as u8));
        text.push_str(several);
    } else if let Some(c) = cell.single() {
        text.push(c);
    } else if !cell.is_spacer() {
        text.push('\0');
    }
}

/// A byte that says which of the five numbers are not 0, and those.
fn push_style(style: Style, packed: &mut Vec<u8>) {
    let numbers = style_numbers(style);
    let mask = (0..5).filter(|bit| numbers[*bit] != 0).map(|bit| 1 << bit).sum();
    packed.push(mask);
    numbers.into_iter().filter(|number| *number != 0).for_each(|number| {
        push_number(number, packed);
    });
}

fn style_numbers(style: Style) -> [u32; 5] {
    let Style { foreground, background, underline_colour, link, flags } = style;
    [foreground.0, background.0, u32::from(flags), underline_colour.0, link]
}

/// Seven bits to a byte, the lowest first.
fn push_number(mut number: u32, packed: &mut Vec<u8>) {
    while number >= 0x80 {
        packed.push(number as u8 | 0x80);
        number >>= 7;
    }
    packed.push(number as u8);
}

/// The runs of a styled line.
struct Runs<'a>(&'a [u8]);

impl<'a> Runs<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(number)
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = (Style, &'a str);

    fn next(&mut self) -> Option<(Style, &'a str)> {
        let mask = self.byte()?;
        let mut numbers = [0; 5];
        for (bit, number) in numbers.iter_mut().enumerate() {
            if mask & 1 << bit != 0 {
                *number = self.number()?;
            }
        }
        let [foreground, background, flags, underline_colour, link] = numbers;
        let style = Style {
            foreground: Colour(foreground),
            background: Colour(background),
            underline_colour: Colour(underline_colour),
            link,
            flags: flags as u16,
        };
        let length = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some((style, str::from_utf8(text).ok()?))
    }
}
