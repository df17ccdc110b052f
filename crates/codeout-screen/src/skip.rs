//! Output that would have scrolled out of the history before anybody could see it.

use crate::charset::Charset;
use crate::history::HistoryLimits;
use crate::terminal::Terminal;

/// Lines more than could be kept that stay, so that nothing depends on where rows begin.
const SLACK: usize = 16;

/// How many of the first bytes need not be looked at, and the line feeds in them. The rest begins
/// with a carriage return and a line feed, and has enough lines to fill screen and history.
pub(crate) fn skippable(bytes: &[u8], rows: usize, limits: HistoryLimits) -> Option<(usize, u64)> {
    let kept = limits.lines.saturating_add(rows).saturating_add(SLACK);
    // Behind the cut there are those that stay; before it, a screen's worth of lines at least.
    let least = kept.saturating_add(rows).saturating_add(SLACK);
    if bytes.len() < least || line_feeds(bytes) < least {
        return None;
    }
    let plain = &bytes[..plain_length(bytes)];
    let mut left = kept;
    let mut cut = plain.len();
    while left > 0 {
        cut = plain[..cut].iter().rposition(|byte| *byte == b'\n')?;
        left -= 1;
    }
    let cut = plain[..cut].windows(2).rposition(|pair| pair == b"\r\n")?;
    let skipped = line_feeds(&plain[..cut]);
    (skipped > rows).then_some((cut, skipped as u64))
}

/// Counts in bytes, which a compiler does many at a time.
fn line_feeds(bytes: &[u8]) -> usize {
    let count = |some: &[u8]| some.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    bytes.chunks(u8::MAX.into()).map(|some| usize::from(count(some))).sum()
}

/// How far there is only text, with CR, LF and TAB.
fn plain_length(bytes: &[u8]) -> usize {
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let is_plain = match byte {
            b'\r' | b'\n' | b'\t' | 0x20..=0x7e | 0xa0.. => true,
            // Behind 0xc2 these are controls.
            0x80..=0x9f => before != 0xc2,
            _ => false,
        };
        if !is_plain {
            return at;
        }
        before = *byte;
    }
    bytes.len()
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
