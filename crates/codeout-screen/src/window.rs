//! What a terminal needs that shows only a part of a screen, or is to be left behind it.

use crate::Screen;
use crate::modes::Keyboard;

/// The private modes that decide what keys, pastes and the window's focus send.
const INPUT_MODES: [u32; 4] = [1, 66, 1004, 2004];

impl Screen {
    /// Brings a terminal that shows a [view](Self::write_view) to send keys as the program wants
    /// them, and its cursor to the shape that it gave it: from any state, on the main screen. The
    /// mouse stays the terminal's own, as its rows and columns are others there.
    pub fn write_view_modes(&self, out: &mut Vec<u8>) {
        let mut modes = self.terminal.modes.clone();
        let shape = modes.shape;
        let mut text = String::new();
        for (number, on) in modes.switches() {
            if INPUT_MODES.contains(&number) {
                text.push_str(&format!("\x1b[?{number}{}", if *on { 'h' } else { 'l' }));
            }
        }
        let Keyboard { flags, .. } =
            self.terminal.keyboard[usize::from(self.terminal.is_alternate)];
        text.push_str(&format!("\x1b[={flags};1u\x1b[{shape} q"));
        out.extend_from_slice(text.as_bytes());
    }

    /// The rows of the main screen that are in use: to the last one with text, and to the cursor
    /// where it is, or was when the other screen came, unless it waits at the beginning of an
    /// empty row. 0 for an empty screen.
    pub fn used_rows(&self) -> u16 {
        let terminal = &self.terminal;
        let (x, y) =
            if terminal.is_alternate { terminal.main_cursor } else { (terminal.x, terminal.y) };
        let cursor = if x == 0 { y } else { y + 1 };
        let mut rows = terminal.main.rows.iter();
        let text = rows.rposition(|row| !terminal.row_text(row).trim().is_empty());
        text.map_or(0, |row| row + 1).max(cursor) as u16
    }
}

#[cfg(test)]
mod tests {
    use crate::{HistoryLimits, Screen};

    fn screen(text: &str) -> Screen {
        let mut screen = Screen::new(20, 6, HistoryLimits::default());
        screen.feed(text.as_bytes());
        screen
    }

    #[test]
    fn a_view_sends_what_the_program_wants() {
        let modes = |text: &str| {
            let mut out = Vec::new();
            screen(text).write_view_modes(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(modes(""), "\x1b[?1l\x1b[?66l\x1b[?1004l\x1b[?2004l\x1b[=0;1u\x1b[0 q");
        assert_eq!(
            modes("\x1b[?1h\x1b=\x1b[?1004;2004h\x1b[?1000h\x1b[>5u\x1b[6 q"),
            "\x1b[?1h\x1b[?66h\x1b[?1004h\x1b[?2004h\x1b[=5;1u\x1b[6 q"
        );
        // The keyboard is the shown screen's.
        assert!(modes("\x1b[>5u\x1b[?1049h").contains("\x1b[=0;1u"));
    }

    #[test]
    fn rows_are_used_to_the_last_text_or_the_cursor() {
        for (text, rows) in [
            ("", 0),
            ("$ ", 1),
            ("a\r\nb", 2),
            ("a\r\nb\r\n", 2),
            ("a\r\nb\r\n$ ", 3),
            ("a\x1b[4;1Hb\x1b[2;1H", 4),
            ("a\r\n$ \x1b[?1049h\x1b[6;1Hx", 2),
            ("a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng", 6),
        ] {
            assert_eq!(screen(text).used_rows(), rows, "{text:?}");
        }
    }
}
