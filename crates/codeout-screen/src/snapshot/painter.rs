//! Bytes that make a terminal print what a screen has, cell for cell.

use std::io::Write as _;

use super::line::Line;
use crate::style::{
    BLINK, BOLD, Colour, DIM, INVERSE, INVISIBLE, ITALIC, Kind, Links, OVERLINE, PROTECTED,
    STRIKETHROUGH, Style,
};

/// Appends text with arguments.
macro_rules! put {
    ($painter:expr, $($text:tt)*) => {
        write!($painter.out, $($text)*).expect("a vector takes everything")
    };
}
pub(super) use put;

/// What SGR calls them.
const FLAGS: [(u16, u8); 8] = [
    (BOLD, 1),
    (DIM, 2),
    (ITALIC, 3),
    (BLINK, 5),
    (INVERSE, 7),
    (INVISIBLE, 8),
    (STRIKETHROUGH, 9),
    (OVERLINE, 53),
];

/// Writes for a terminal whose state it knows as far as it is its own doing.
pub(super) struct Painter<'a> {
    pub(super) out: &'a mut Vec<u8>,
    links: &'a Links,
    columns: usize,
    rows: usize,
    /// The terminal's pen.
    pen: Style,
    /// The bytes of links that may still be written.
    left_for_links: usize,
}

/// Links that change from cell to cell are written anew each time. There is an end to it, behind
/// which text has no link.
const MOST_LINKS: usize = 4 << 20;

impl<'a> Painter<'a> {
    /// For a terminal with a plain pen.
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        links: &'a Links,
        columns: usize,
        rows: usize,
    ) -> Painter<'a> {
        let left_for_links = MOST_LINKS;
        Painter { out, links, columns, rows, pen: Style::default(), left_for_links }
    }

    /// Changes the terminal's pen.
    pub(super) fn pen(&mut self, style: Style) {
        if style == self.pen {
            return;
        }
        let before = std::mem::replace(&mut self.pen, style);
        let plain = Style { link: before.link, ..Style::default() };
        if before != (Style { link: before.link, ..style }) {
            if before.is(PROTECTED) {
                put!(self, "\x1b[0\"q");
            }
            self.sgr(style, before != plain && Style { link: before.link, ..style } != plain);
            if style.is(PROTECTED) {
                put!(self, "\x1b[1\"q");
            }
        }
        if before.link != style.link {
            let link = self.links.get(style.link);
            let length = link.map_or(0, |link| link.id.len() + link.uri.len());
            let link = link.filter(|_| length <= self.left_for_links);
            self.left_for_links -= link.map_or(0, |_| length);
            match link {
                None => put!(self, "\x1b]8;;\x1b\\"),
                Some(link) if link.id.is_empty() => put!(self, "\x1b]8;;{}\x1b\\", link.uri),
                Some(link) => put!(self, "\x1b]8;id={};{}\x1b\\", link.id, link.uri),
            }
        }
    }

    fn sgr(&mut self, style: Style, resets: bool) {
        put!(self, "\x1b[");
        let begin = self.out.len();
        if resets {
            put!(self, "0;");
        }
        for (_, code) in FLAGS.iter().filter(|(flag, _)| style.is(*flag)) {
            put!(self, "{code};");
        }
        match style.underline() {
            0 => {}
            1 => put!(self, "4;"),
            kind => put!(self, "4:{kind};"),
        }
        self.colour(style.foreground, 30);
        self.colour(style.background, 40);
        match style.underline_colour.kind() {
            Kind::Default => {}
            Kind::Basic(index) | Kind::Indexed(index) => put!(self, "58:5:{index};"),
            Kind::Rgb(red, green, blue) => put!(self, "58:2::{red}:{green}:{blue};"),
        }
        if self.out.len() > begin {
            self.out.pop();
        }
        put!(self, "m");
    }

    fn colour(&mut self, colour: Colour, first: u8) {
        match colour.kind() {
            Kind::Default => {}
            Kind::Basic(index @ ..8) => put!(self, "{};", first + index),
            Kind::Basic(index) => put!(self, "{};", first + 52 + index),
            Kind::Indexed(index) => put!(self, "{};5;{index};", first + 8),
            Kind::Rgb(red, green, blue) => put!(self, "{};2;{red};{green};{blue};", first + 8),
        }
    }

    /// Paints the row that the cursor is at the beginning of, which is empty but for a space in
    /// its first cell where the line is wrapped. Then goes on to the `next` row, if there is one,
    /// which continues this one or does not.
    pub(super) fn line(&mut self, line: &Line, next: Option<bool>) {
        let last = self.columns - 1;
        let wraps = next == Some(true);
        let is_cut = wraps && line.is_empty(last);
        let mut stains = vec![];
        if line.wrapped {
            stains.push(0);
        }
        if is_cut && self.rows > 1 {
            // A terminal wraps only behind a full row; so fill it, wrap, and come back.
            self.plain();
            put!(self, "\x1b[{}G  \x1b[A\r", self.columns);
            stains.push(last);
            self.cells(line, stains);
            put!(self, "\x1b[B\r");
            return;
        }
        self.cells(line, stains);
        if wraps {
            self.plain();
            if is_cut {
                put!(self, "\x1b[{}G ", self.columns);
            }
            put!(self, " \r");
        } else {
            self.pen(Style::default());
            if next.is_some() {
                put!(self, "\r\n");
            }
        }
    }

    /// As [`line`](Self::line), for a line with a character, of ASCII and in no style, in each of
    /// its cells, that is as long as a row if it goes on in the next.
    pub(super) fn plain_line(&mut self, text: &[u8], goes_on: bool) {
        self.pen(Style::default());
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(if goes_on { b" \r" } else { b"\r\n" });
    }

    /// A plain pen, except that a link may go on in the next row.
    fn plain(&mut self) {
        self.pen(Style { link: self.pen.link, ..Style::default() });
    }

    /// Paints the cells of a row from its beginning. `stains` are columns with a space in them
    /// that is none of the line's.
    pub(super) fn cells(&mut self, line: &Line, mut stains: Vec<usize>) {
        self.odd_cells(line, &mut stains);
        let end = stains.iter().map(|x| x + 1).max().unwrap_or(0).max(line.end());
        let has_hole = hole(self.columns, line).is_some();
        let made = |x: &usize| has_hole && line.is_odd(*x);
        let (mut x, mut skipped) = (0, 0);
        while x < end {
            let glyph = line.get(x);
            if glyph.is_spacer || made(&x) {
                skipped += usize::from(!glyph.is_spacer);
                x += 1;
            } else if line.is_empty(x) {
                let style = glyph.style.erased();
                let is_alike = |at: &usize| {
                    let is_due = style != Style::default() || stains.contains(at);
                    is_due && !made(at) && line.is_empty(*at) && line.get(*at).style == glyph.style
                };
                let count = (x..self.columns).take_while(is_alike).count();
                if count > 0 {
                    self.skip(&mut skipped);
                    self.pen(style);
                    put!(self, "\x1b[{count}X");
                }
                skipped += count.max(1);
                x += count.max(1);
            } else {
                self.skip(&mut skipped);
                self.pen(glyph.style);
                if glyph.width == 0 {
                    // A sequence in between keeps it from combining.
                    put!(self, "\x1b[{}G", x + 1);
                }
                self.out.extend_from_slice(line.text(x).as_bytes());
                x += 1;
            }
        }
    }

    fn skip(&mut self, columns: &mut usize) {
        if *columns > 0 {
            put!(self, "\x1b[{columns}C");
            *columns = 0;
        }
    }

    /// Empty cells with more than a background are what is left of wide characters. So they are
    /// made: a wide character, and a space over its other half, which leaves a stain. Each takes
    /// the place for its other half from the next one, on to the column that is none of them.
    fn odd_cells(&mut self, line: &Line, stains: &mut Vec<usize>) {
        let Some(hole) = hole(self.columns, line) else { return };
        let begin = stains.len();
        for x in (0..hole).filter(|x| line.is_odd(*x)) {
            self.pen(line.get(x).style);
            put!(self, "\x1b[{}G\u{3000}\x1b[{}G ", x + 1, x + 2);
            stains.push(x + 1);
        }
        for x in (hole + 1..line.end()).rev().filter(|x| line.is_odd(*x)) {
            self.pen(line.get(x).style);
            put!(self, "\x1b[{x}G\u{3000}\x1b[{x}G ");
            stains.push(x - 1);
        }
        if stains.len() > begin {
            put!(self, "\r");
        }
    }
}

/// The last column that needs not be an odd cell. Where all are odd, they cannot be made.
fn hole(columns: usize, line: &Line) -> Option<usize> {
    (0..columns).rfind(|x| !line.is_odd(*x))
}
