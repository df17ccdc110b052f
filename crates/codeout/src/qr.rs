//! The pairing link as a picture made of characters, and the page it stands on.
//!
//! A terminal's cell is about twice as high as wide, so one cell shows two modules, one above
//! the other, in half blocks. Every cell, the quiet zone's too, sets both its colours: black and
//! white whatever the theme. Those colours are the picture, not decoration. So they stay under
//! `NO_COLOR`, and the lines must reach the terminal through no writer that strips escapes.
//!
//! Nothing here prints, and nothing here knows whether there is a terminal.

use std::ops::RangeInclusive;

use qrcode::bits::Bits;
use qrcode::optimize::Segment;
use qrcode::types::Mode;
use qrcode::{Color, EcLevel, QrCode, Version};

// First the oldest colours, for a terminal that knows no others and skips what follows; then
// the same from the 256-colour cube, which no theme repaints. The leading 0 drops what an
// earlier program left on, such as reverse video.
const BLACK_ON_WHITE: &str = "\x1b[0;30;47m\x1b[38;5;16;48;5;231m";
const WHITE_ON_BLACK: &str = "\x1b[0;37;40m\x1b[38;5;231;48;5;16m";
const PLAIN: &str = "\x1b[0m";

/// White modules on each side. The standard asks for four; readers manage with two.
const QUIET: RangeInclusive<u16> = 2..=4;

/// Columns between the picture and the text beside it.
const GAP: u16 = 1;

/// The narrowest column of text that leaves an indented pairing code in one piece.
const NARROWEST: u16 = 20;

/// A QR code, not yet laid out.
///
/// It holds the offer's secret, so it is as secret as the link: it has no `Debug`.
pub(crate) struct QrPicture {
    dark: Vec<bool>,
    side: u16,
}

/// The smallest QR code of `text`; most compact when `text` is upper-case.
///
/// Fails only for texts of thousands of characters. A pairing link always fits.
pub(crate) fn picture(text: &str) -> Option<QrPicture> {
    let text = text.as_bytes();
    // Level L: a screen is neither torn nor dirty, and larger modules help a camera more.
    let code = (1..=40).map(Version::Normal).find_map(|version| {
        let mut bits = Bits::new(version);
        bits.push_segments(text, segments(text, version).into_iter()).ok()?;
        bits.push_terminator(EcLevel::L).ok()?;
        QrCode::with_bits(bits, EcLevel::L).ok()
    })?;
    let side = u16::try_from(code.width()).ok()?;
    Some(QrPicture { dark: code.into_colors().iter().map(|&c| c == Color::Dark).collect(), side })
}

/// Lays the picture and `text` out in a terminal of `columns` by `rows`, of which the last row
/// stays free for the cursor: text beside the picture, or below it where that does not fit.
///
/// `text` is plain: one column per character, no escapes. Long lines are wrapped, keeping their
/// indentation. Each line returned begins and ends in the terminal's own colours, so that it can
/// be printed again alone. `None` when the terminal is too small.
pub(crate) fn page(
    picture: &QrPicture,
    text: &[String],
    columns: u16,
    rows: u16,
) -> Option<Vec<String>> {
    beside(picture, text, columns, rows).or_else(|| below(picture, text, columns, rows))
}

/// As [`page`], with the text to the right of the picture or not at all.
pub(crate) fn beside(
    picture: &QrPicture,
    text: &[String],
    columns: u16,
    rows: u16,
) -> Option<Vec<String>> {
    let rows = usize::from(rows.checked_sub(1)?);
    QUIET.rev().find_map(|quiet| {
        let width = picture.width(quiet);
        let text = wrapped(text, columns.checked_sub(width + GAP)?)?;
        let drawn = picture.lines(quiet);
        // The text starts level with the first dark module, if that costs no row.
        let top = usize::from(quiet / 2).min(drawn.len().saturating_sub(text.len()));
        let height = drawn.len().max(top + text.len());
        (height <= rows).then(|| {
            let beside_text = " ".repeat(usize::from(width));
            (0..height)
                .map(|row| {
                    let left = drawn.get(row).unwrap_or(&beside_text);
                    match row.checked_sub(top).and_then(|line| text.get(line)) {
                        Some(right) => format!("{left}{:1$}{right}", "", usize::from(GAP)),
                        None => left.clone(),
                    }
                })
                .collect()
        })
    })
}

fn below(picture: &QrPicture, text: &[String], columns: u16, rows: u16) -> Option<Vec<String>> {
    let rows = usize::from(rows.checked_sub(1)?);
    let text = wrapped(text, columns)?;
    QUIET.rev().filter(|&quiet| picture.width(quiet) <= columns).find_map(|quiet| {
        let mut lines = picture.lines(quiet);
        lines.extend_from_slice(&text);
        (lines.len() <= rows).then_some(lines)
    })
}

impl QrPicture {
    fn width(&self, quiet: u16) -> u16 {
        self.side + 2 * quiet
    }

    fn lines(&self, quiet: u16) -> Vec<String> {
        let width = self.width(quiet);
        // The width is odd: the last row's lower half is one more row of quiet zone.
        (0..width)
            .step_by(2)
            .map(|y| {
                let mut line = String::new();
                let mut current = "";
                for x in 0..width {
                    let (colours, character) = self.cell(x, y, quiet);
                    if colours != current {
                        line.push_str(colours);
                        current = colours;
                    }
                    line.push(character);
                }
                line + PLAIN
            })
            .collect()
    }

    /// The modules at `y` and `y + 1` as one character and the colours to print it in.
    ///
    /// The background fills the whole cell, but where a font is lower than the line it leaves
    /// gaps above or below the character. So dark is background rather than ink where it can be:
    /// in cells that are all dark, and in halves between dark neighbours. A white gap there cuts
    /// the squares in the corners in two, and no reader finds the code any more.
    fn cell(&self, x: u16, y: u16, quiet: u16) -> (&'static str, char) {
        let dark = |y| self.is_dark(x, y, quiet);
        let on_black = dark(y.saturating_sub(1)) && dark(y + 2);
        match (dark(y), dark(y + 1)) {
            (false, false) => (BLACK_ON_WHITE, ' '),
            (true, true) => (WHITE_ON_BLACK, ' '),
            (true, false) if on_black => (WHITE_ON_BLACK, '▄'),
            (true, false) => (BLACK_ON_WHITE, '▀'),
            (false, true) if on_black => (WHITE_ON_BLACK, '▀'),
            (false, true) => (BLACK_ON_WHITE, '▄'),
        }
    }

    /// Whether a module is dark, counted from the quiet zone's corner.
    fn is_dark(&self, x: u16, y: u16, quiet: u16) -> bool {
        let inside = |at: u16| at.checked_sub(quiet).filter(|&at| at < self.side).map(usize::from);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => self.dark[y * usize::from(self.side) + x],
            _ => false,
        }
    }
}

/// Cuts `text` where the mode changes, so that it takes the fewest bits.
///
/// The encoder's own optimiser goes from left to right and is led astray by the digits between
/// the key's letters: after `#` it stays in byte mode, at 8 bits a character instead of 5½.
/// With two modes the best cut needs no search, because each run of alphanumeric characters
/// decides for itself: alone it takes its own header and one for the bytes on either side; as
/// bytes it joins with those, under one header.
fn segments(text: &[u8], version: Version) -> Vec<Segment> {
    let byte_header = Segment { mode: Mode::Byte, begin: 0, end: 0 }.encoded_len(version);
    let mut segments: Vec<Segment> = Vec::new();
    let mut begin = 0;
    for run in text.chunk_by(|&a, &b| is_alphanumeric(a) == is_alphanumeric(b)) {
        let end = begin + run.len();
        let bits = |mode| Segment { mode, begin, end }.encoded_len(version);
        let sides = usize::from(begin > 0) + usize::from(end < text.len());
        let pays = bits(Mode::Alphanumeric) + sides * byte_header < bits(Mode::Byte);
        let mode = match pays && run.iter().copied().all(is_alphanumeric) {
            true => Mode::Alphanumeric,
            false => Mode::Byte,
        };
        match segments.last_mut() {
            Some(last) if last.mode == mode => last.end = end,
            _ => segments.push(Segment { mode, begin, end }),
        }
        begin = end;
    }
    segments
}

/// Whether QR's alphanumeric mode has the character.
fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" $%*+-./:".contains(&byte)
}

/// `text` in lines of at most `columns` characters, or `None` if that is too narrow to read.
fn wrapped(text: &[String], columns: u16) -> Option<Vec<String>> {
    (columns >= NARROWEST)
        .then(|| text.iter().flat_map(|line| wrapped_line(line, usize::from(columns))).collect())
}

fn wrapped_line(line: &str, columns: usize) -> Vec<String> {
    let words = line.trim_start();
    let indentation = &line[..line.len() - words.len()];
    let room = columns.saturating_sub(indentation.chars().count()).max(1);
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let mut space = !lines.last().is_some_and(String::is_empty);
        for piece in pieces(word, room) {
            let used = lines.last().map_or(0, |line| line.chars().count());
            if used + usize::from(space) + piece.chars().count() > room {
                lines.push(String::new());
                space = false;
            }
            if let Some(line) = lines.last_mut() {
                line.extend(space.then_some(' '));
                line.push_str(&piece);
            }
            space = false;
        }
    }
    lines.iter().map(|line| format!("{indentation}{line}").trim_end().to_owned()).collect()
}

/// Where a word may be cut: nowhere if it fits on a line, else behind an address's punctuation,
/// else anywhere.
fn pieces(word: &str, room: usize) -> Vec<String> {
    if word.chars().count() <= room {
        return vec![word.to_owned()];
    }
    word.split_inclusive(['.', ':', '-', '/'])
        .flat_map(|piece| {
            let piece: Vec<char> = piece.chars().collect();
            piece.chunks(room).map(|part| part.iter().collect()).collect::<Vec<String>>()
        })
        .collect()
}

#[cfg(test)]
#[path = "qr_tests.rs"]
mod tests;
