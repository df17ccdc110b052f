//! How many columns a character takes.

use unicode_width::UnicodeWidthChar;

/// 0, 1 or 2, as xterm.js counts with its addon for Unicode 11. Not for control characters.
pub(crate) fn width(c: char) -> u8 {
    match c {
        ' '..='~' => 1,
        // Visible where it is, as other characters are.
        '\u{ad}' => 1,
        // The later parts of a Hangul syllable spelt out.
        '\u{1160}'..='\u{11ff}' => 0,
        _ => c.width().map_or(1, |width| width.min(2) as u8),
    }
}
