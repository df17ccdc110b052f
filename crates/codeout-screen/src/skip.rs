//! Output that would have scrolled out of the history before anybody could see it.

use crate::ascii::printable_length;
use crate::charset::Charset;
use crate::history::HistoryLimits;
use crate::params::Params;
use crate::parser::{Marks, Perform};
use crate::sgr;
use crate::terminal::Terminal;

/// Lines more than could be kept that stay, so that nothing depends on where rows begin.
const SLACK: usize = 16;

const ESCAPE: u8 = 0x1b;

/// The most bytes of numbers in a sequence that moves nothing.
const LONGEST: usize = 64;

/// Bytes that are looked at together, which a compiler does many at a time.
const BLOCK: usize = 64;

/// How many of the first bytes of `parts`, which follow each other, need not be looked at, and the
/// line feeds in them. The rest begins with a carriage return and a line feed, and has enough lines
/// to fill screen and history.
pub(crate) fn skippable(
    parts: &[&[u8]],
    rows: usize,
    limits: HistoryLimits,
) -> Option<(usize, u64)> {
    let kept = limits.lines.saturating_add(rows).saturating_add(SLACK);
    // Behind the cut there are those that stay; before it, a screen's worth of lines at least.
    let least = kept.saturating_add(rows).saturating_add(SLACK);
    if parts.iter().map(|part| part.len()).sum::<usize>() < least {
        return None;
    }
    let parts = plain(parts);
    let feeds: Vec<usize> = parts.iter().map(|part| line_feeds(part)).collect();
    if feeds.iter().sum::<usize>() < least {
        return None;
    }
    let (mut last, mut left) = (parts.len() - 1, kept);
    while feeds[last] < left {
        left -= feeds[last];
        last -= 1;
    }
    let mut before = &parts[last][..nth_last_line_feed(parts[last], left)?];
    loop {
        if let Some(cut) = before.windows(2).rposition(|pair| pair == b"\r\n") {
            let length = parts[..last].iter().map(|part| part.len()).sum::<usize>() + cut;
            let lines = feeds[..last].iter().sum::<usize>() + line_feeds(&before[..cut]);
            return (lines > rows).then_some((length, lines as u64));
        }
        last = last.checked_sub(1)?;
        before = parts[last];
    }
}

/// Counts in bytes, which a compiler does many at a time.
fn line_feeds(bytes: &[u8]) -> usize {
    let count = |some: &[u8]| some.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    bytes.chunks(u8::MAX.into()).map(|some| usize::from(count(some))).sum()
}

/// Where the line feed is that the `count`th is from the end, the last being the first.
fn nth_last_line_feed(bytes: &[u8], count: usize) -> Option<usize> {
    let (mut left, mut end) = (count, bytes.len());
    while end > BLOCK {
        let feeds = line_feeds(&bytes[end - BLOCK..end]);
        if feeds >= left {
            break;
        }
        left -= feeds;
        end -= BLOCK;
    }
    let mut feeds = (0..end).rev().filter(|at| bytes[*at] == b'\n');
    feeds.nth(left.checked_sub(1)?)
}

/// As much of the parts as is only text, with CR, LF and TAB, and sequences that move nothing. The
/// beginning of another sequence may be the last of it.
fn plain<'a>(parts: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let (mut plain, mut within) = (Vec::with_capacity(parts.len()), Within::default());
    for part in parts {
        let length = within.plain_length(part);
        plain.push(&part[..length]);
        if length < part.len() {
            break;
        }
    }
    plain
}

/// Where in plain output a byte is.
#[derive(Clone, Copy)]
enum Within {
    /// Text, behind that byte.
    Text(u8),
    /// ESC was the last.
    Escape,
    /// A control sequence, behind so many of its bytes.
    Sequence(usize),
}

impl Default for Within {
    fn default() -> Within {
        Within::Text(0)
    }
}

impl Within {
    /// How many of the next bytes are plain. They may be cut anywhere.
    fn plain_length(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let Within::Text(before) = self {
                let length = plain_text_length(&bytes[at..]);
                if length > 0 {
                    at += length;
                    *before = bytes[at - 1];
                    continue;
                }
            }
            if !self.takes(byte) {
                break;
            }
            at += 1;
        }
        at
    }

    /// Goes on behind `byte`, if it is plain here.
    fn takes(&mut self, byte: u8) -> bool {
        let next = match (*self, byte) {
            (Within::Text(_), ESCAPE) => Within::Escape,
            (Within::Text(before), _) => {
                // Behind 0xc2 these are controls.
                let is_rest = (0x80..=0x9f).contains(&byte) && before != 0xc2;
                if !is_plain_anywhere(byte) && !is_rest {
                    return false;
                }
                Within::Text(byte)
            }
            (Within::Escape, b'[') => Within::Sequence(0),
            (Within::Sequence(length), b'0'..=b';') if length < LONGEST => {
                Within::Sequence(length + 1)
            }
            // SGR; and queries, which a terminal that is shown answers.
            (Within::Sequence(_), b'm' | b'n' | b'c') => Within::Text(byte),
            _ => return false,
        };
        *self = next;
        true
    }
}

/// How many of the first bytes are plain wherever they are.
fn plain_text_length(bytes: &[u8]) -> usize {
    let is_plain =
        |block: &&[u8]| block.iter().fold(true, |all, byte| all & is_plain_anywhere(*byte));
    let mut at = bytes.chunks_exact(BLOCK).take_while(is_plain).count() * BLOCK;
    loop {
        at += printable_length(&bytes[at..]);
        if !bytes.get(at).is_some_and(|byte| is_plain_anywhere(*byte)) {
            return at;
        }
        at += 1;
    }
}

fn is_plain_anywhere(byte: u8) -> bool {
    (0x20..=0x7e).contains(&byte) | (byte >= 0xa0) | matches!(byte, b'\r' | b'\n' | b'\t')
}

impl Terminal {
    /// Whether text goes to the main screen as it comes, and lines scroll off it.
    pub(crate) fn is_skippable(&self) -> bool {
        let modes = &self.modes;
        !self.is_alternate
            && self.main.is_whole()
            && self.charset == Charset::Ascii
            && modes.autowrap
            && !modes.insert
            && !modes.origin
    }

    /// As if the lines had been printed.
    pub(crate) fn skip(&mut self, lines: u64) {
        self.history.skip(lines);
        self.x = 0;
        self.y = self.rows - 1;
        self.joins = 0;
        self.mend_first_row();
    }

    pub(crate) fn limits(&self) -> HistoryLimits {
        self.history.limits()
    }
}

/// Changes the pen alone, as what is skipped does.
pub(crate) struct PenOf<'a>(pub(crate) &'a mut Terminal);

impl Perform for PenOf<'_> {
    fn csi(&mut self, marks: Marks, params: &Params, last: u8) {
        if marks == Marks::default() && last == b'm' {
            sgr::apply(self.0.pen_mut(), params);
        }
    }

    fn print_ascii(&mut self, _: &[u8]) {}
    fn print(&mut self, _: char) {}
    fn execute(&mut self, _: u8) {}
    fn esc(&mut self, _: Marks, _: u8) {}
    fn osc(&mut self, _: &str) {}
    fn interrupt(&mut self) {}
}
